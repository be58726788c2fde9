"""Label tables: which codes of a file are which structure. Code 0 of the pool is always the background."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError

BACKGROUND, HIDDEN = "background", "not annotated"
_MOST = 254


@dataclass(frozen=True)
class LabelTable:
    """Names of structures in the order of the pool's codes 1, 2, ..., each with the codes that files write for it.

    ``others``: codes that are known and taken for background, so that a code outside the table is noticed.
    """

    codes: Mapping[str, tuple[int, ...]]
    others: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not 0 < len(self.codes) <= _MOST:
            raise DataError(f"a label table must name 1 to {_MOST} structures, but got {len(self.codes)}.")
        if taken := [name for name in self.codes if name in (BACKGROUND, HIDDEN)]:
            raise DataError(f"a structure must not be called as what is none, but got {taken[0]!r}.")
        flat = [code for codes in self.codes.values() for code in codes]
        if len(flat) != len(set(flat)) or 0 in flat:
            raise DataError("a code must belong to one structure and must not be 0, but got one that breaks this.")

    @property
    def names(self) -> tuple[str, ...]:
        """The structures."""
        return tuple(self.codes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Background and structures, by the pool's codes."""
        return (BACKGROUND, *self.codes)

    def recoded(self, codes: np.ndarray, who: str) -> np.ndarray:
        """A file's codes as the pool's, uint8. Raises DataError, naming ``who``, for a code outside the table."""
        present = np.unique(codes)
        known = {0, *self.others, *(code for each in self.codes.values() for code in each)}
        if outside := [int(code) for code in present if code not in known]:
            raise DataError(f"labels of {who} must be codes of the table, but got {outside[0]}.")
        new = np.zeros(len(present), np.uint8)
        for place, found in enumerate(self.codes.values(), start=1):
            new[np.isin(present, found)] = place
        return new[np.searchsorted(present, codes)]


def read_table(path: Path) -> dict[int, str]:
    """Codes and names of a csv file, whose first two columns they are; a first row without a code is its header.

    Raises DataError when it is not such a file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
        rows = rows[0 if rows and rows[0][0].strip().isdecimal() else 1 :]
        table = {int(row[0]): " ".join(row[1].split()) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, IndexError) as error:
        raise DataError(
            f"a label table must be a csv file of codes and names, but got {path.name!r}: {error}."
        ) from error
    if not table or len(table) != len(rows) or "" in table.values():
        raise DataError(f"a label table must give every code one name, but got {path.name!r}.")
    return table


def table_from(names: Mapping[int, str], present: Iterable[Iterable[int]], in_cases: int) -> LabelTable:
    """The table of the structures that at least ``in_cases`` cases hold; ``present``: the codes of each case.

    Raises DataError when there is none. Codes of one name are one structure; 0 is the background by any name.
    """
    others = frozenset(names)
    names = {code: name for code, name in names.items() if code}
    held: dict[str, int] = {}
    for codes in present:
        for name in {names[code] for code in codes if code in names}:
            held[name] = held.get(name, 0) + 1
    kept = [name for name in dict.fromkeys(names.values()) if held.get(name, 0) >= in_cases]
    if not kept:
        raise DataError(f"a structure must be in {in_cases} cases or more, but got none of the table's {len(names)}.")
    table = {each: tuple(code for code, other in names.items() if other == each) for each in kept}
    return LabelTable(table, others)


def check_present(table: LabelTable, masks: Sequence[np.ndarray], who: str) -> None:
    """Raise DataError when a structure of the table is in no case: nothing could be learnt or measured of it."""
    counts = sum(np.bincount(mask.ravel(), minlength=len(table.names) + 1) for mask in masks)
    empty = [name for name, count in zip(table.classes, np.asarray(counts), strict=True) if not count]
    if empty:
        raise DataError(f"every structure of {who} must be in some case, but got none with {empty[0]!r}.")


def hidden_but(mask: np.ndarray, classes: Sequence[str], kept: Sequence[str]) -> np.ndarray:
    """A mask of the pool's codes in which only ``kept`` are annotated, by their order there; the rest is background."""
    lookup = np.zeros(len(classes), np.uint8)
    for code, name in enumerate(kept, start=1):
        lookup[classes.index(name)] = code
    return lookup[mask]
