"""A table of measures: rows of named numbers, as CSV, as mappings, as columns."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataeff_al.errors import DataError


class Table(Sequence[Mapping[str, Any]]):
    """Rows in order; ``table[3]`` is a row by column name, ``table["lumen_area_mm2"]`` a column ``(n,)``.

    ``pandas.DataFrame(list(table))`` and ``table.to_csv(path)`` take it elsewhere. Units stand in the names; what is
    not defined (a position without a known spacing) is NaN, empty in the CSV.
    """

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self._columns = {name: np.asarray(values) for name, values in columns.items()}
        self._count = len(next(iter(self._columns.values())))

    @property
    def columns(self) -> list[str]:
        """Names, in order."""
        return list(self._columns)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, key: Any) -> Any:
        """A column by name, a row by number, or rows by slice. Raises KeyError, IndexError."""
        if isinstance(key, str):
            if key not in self._columns:
                raise KeyError(f"a column must be one of {', '.join(self._columns)}, but got {key!r}.")
            return self._columns[key]
        if isinstance(key, slice):
            return [self[row] for row in range(*key.indices(self._count))]
        if not -self._count <= key < self._count:
            raise IndexError(f"a row must be below {self._count}, but got {key!r}.")
        return {name: values[key].item() for name, values in self._columns.items()}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (self[row] for row in range(self._count))

    def text(self) -> str:
        """The table as CSV."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self._columns)
        writer.writerows([_shown(value) for value in row.values()] for row in self)
        return stream.getvalue()

    def to_csv(self, path: Path | str) -> None:
        """Write as CSV. Raises DataError when the file cannot be written."""
        try:
            Path(path).write_text(self.text(), encoding="utf-8")
        except OSError as error:
            raise DataError(f"{str(path)!r} must be writable, but got {error.strerror!r}.") from error


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
