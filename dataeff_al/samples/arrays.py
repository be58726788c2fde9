"""The pool in memory that all simple pools are built on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from dataeff_al.digests import Ref, canonical_json, digest_arrays
from dataeff_al.errors import DataError
from dataeff_al.samples.columns import Columns, check_content, check_form
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec

CodecFactory = Callable[["ArrayPool"], Codec]


class ArrayPool:
    """Samples held as columns; reading returns fresh arrays, so that the pool itself never changes.

    ``held_out`` are ids kept for the test; ``notes`` tells what was odd but usable. Built by :func:`array_pool`, which
    adds the answers when there are some::

        pool = array_pool(columns, codec=codec_for)
        pool.read(pool.ids()[:2])
    """

    def __init__(
        self, columns: Columns, codec: CodecFactory, held_out: Collection[str] = (), *, to_learn: bool = True
    ) -> None:
        """Check the columns; raises DataError when they break their form or, ``to_learn``, carry no information."""
        check_form(columns)
        self.notes: Mapping[str, str] = check_content(columns) if to_learn else {}
        self.columns = columns
        self._codec = codec
        self._ids = tuple(SampleId(sample_id) for sample_id in columns.ids)
        self._row = {sample_id: row for row, sample_id in enumerate(self._ids)}
        apart = frozenset(held_out)
        if unknown := sorted(apart - self._row.keys()):
            raise DataError(f"held-out samples must be in the pool, but got {unknown[0]!r}.")
        self._held_out = tuple(sample_id for sample_id in self._ids if sample_id in apart)
        self._digest = _digest(columns, self._held_out)

    @property
    def spec(self) -> SampleSpec:
        """The declared form of every sample."""
        return self.columns.spec

    @property
    def digest(self) -> Ref:
        """Digest of the form, ids, groups, arrays, answers and held-out ids."""
        return self._digest

    def ids(self) -> Sequence[SampleId]:
        """All ids, held-out ones included, in the order of the columns."""
        return self._ids

    def group(self, sample_id: SampleId) -> str:
        """The group of a sample. Raises DataError on an unknown id."""
        return self.columns.groups[self._index([sample_id])[0]]

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The samples in the order asked for. Raises DataError on an unknown id."""
        index = self._index(ids)
        fields = {name: self.columns.rows(name, index) for name in self.columns.fields}
        groups = (self.columns.groups[row] for row in index)
        return [
            Sample(sample_id, {name: rows[place, ...] for name, rows in fields.items()}, group)
            for place, (sample_id, group) in enumerate(zip(ids, groups, strict=True))
        ]

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """The sample itself: it has no parts. Raises DataError on an unknown id."""
        self._index([sample_id])
        return (sample_id,)

    def held_out(self) -> Sequence[SampleId]:
        """The ids kept for the test, in the pool's order."""
        return self._held_out

    def codec(self) -> Codec:
        """The codec between these samples and tensors."""
        return self._codec(self)

    def _index(self, ids: Sequence[SampleId]) -> np.ndarray:
        try:
            return np.array([self._row[sample_id] for sample_id in ids], dtype=np.intp)
        except KeyError as error:
            raise DataError(
                f"a sample must be one of the pool's {len(self._ids)}, but got {error.args[0]!r}."
            ) from None


class AnsweredArrayPool(ArrayPool):
    """An :class:`ArrayPool` whose true labels are known."""

    def __init__(
        self, columns: Columns, codec: CodecFactory, held_out: Collection[str] = (), *, to_learn: bool = True
    ) -> None:
        """Check columns and answers; raises DataError when there are no answers or, ``to_learn``, just one class."""
        if columns.target is None or columns.answers is None:
            raise DataError("an answered pool must hold answers, but got none.")
        super().__init__(columns, codec, held_out, to_learn=to_learn)
        self._target, self._answers = columns.target, columns.answers

    @property
    def target(self) -> TargetSpec:
        """The form of the answers."""
        return self._target

    def answers(self, ids: Sequence[SampleId]) -> Sequence[Mapping[str, np.ndarray]]:
        """The true labels in the order asked for, as fresh arrays. Raises DataError on an unknown id."""
        return [{self._target.name: np.array(self._answers[row])} for row in self._index(ids)]


def array_pool(
    columns: Columns, codec: CodecFactory, held_out: Collection[str] = (), *, to_learn: bool = True
) -> ArrayPool:
    """A pool of these columns: answered when they hold answers. Raises DataError when they break a rule.

    ``to_learn=False``: no model is trained on it, so that one constant sample or one class alone will do.
    """
    kind = ArrayPool if columns.answers is None else AnsweredArrayPool
    return kind(columns, codec, held_out, to_learn=to_learn)


def _digest(columns: Columns, held_out: Sequence[str]) -> Ref:
    arrays = {f"field:{name}": values for name, values in columns.fields.items()}
    if columns.answers is not None:
        arrays["answers"] = columns.answers
    form = {
        "ids": list(columns.ids),
        "groups": list(columns.groups),
        "held_out": list(held_out),
        "input": columns.spec.input,
        "fields": {name: _form(spec) for name, spec in columns.spec.fields.items()},
        "scale": dict(columns.scale),
        "target": None if columns.target is None else [columns.target.name, columns.target.kind, columns.target.unit],
        "classes": [] if columns.target is None else [*columns.target.classes, *columns.target.channels],
    }
    arrays["form"] = np.frombuffer(canonical_json(form), np.uint8)
    return digest_arrays(arrays)


def _form(spec: FieldSpec) -> list[object]:
    return [spec.dtype, spec.kind, list(spec.classes), list(spec.channels), spec.unit, spec.range, spec.pixel_size_mm]
