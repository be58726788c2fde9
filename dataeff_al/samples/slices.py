"""Volumes and their slices: a slice is a two-dimensional sample of the same case, so no split parts them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dataeff_al.samples.arrays import AnsweredArrayPool, CodecFactory
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec


def slice_columns(columns: Columns) -> Columns:
    """Columns of volumes, ``(n, c, d, h, w)`` and masks ``(n, d, h, w)``, as columns of their ``n * d`` slices.

    A slice ``case/z003`` keeps the group of its volume; intensities become ``(c, h, w)``, masks ``(h, w)``.
    """
    depth = columns.spec.input_field.shape[-3]
    ids = [slice_id(volume, place) for volume in columns.ids for place in range(depth)]
    groups = [group for group in columns.groups for _ in range(depth)]
    specs = {name: _flat_spec(spec) for name, spec in columns.spec.fields.items()}
    fields = {name: _slices(values) for name, values in columns.fields.items()}
    target = columns.target
    flat = None if target is None else replace(target, shape=(*target.shape[:-3], *target.shape[-2:]))
    answers = None if columns.answers is None else _slices(columns.answers)
    return Columns(SampleSpec(specs, columns.spec.input), ids, groups, fields, flat, answers, columns.scale)


def slice_id(volume: str, place: int) -> SampleId:
    """The id of the slice at ``place`` along the depth axis."""
    return SampleId(f"{volume}/z{place:03d}")


def _flat_spec(spec: FieldSpec) -> FieldSpec:
    return replace(spec, shape=(*spec.shape[:-3], *spec.shape[-2:]))


def _slices(values: np.ndarray) -> np.ndarray:
    moved = np.moveaxis(values, -3, 1)
    return np.ascontiguousarray(moved.reshape(-1, *moved.shape[2:]))


class VolumePool(AnsweredArrayPool):
    """A pool of volumes that also reads, groups and answers their slices; only volumes are its :meth:`ids`."""

    def __init__(self, columns: Columns, codec: CodecFactory) -> None:
        """Check the columns; raises DataError when they break their form or carry no information."""
        super().__init__(columns, codec)
        self._depth = columns.spec.input_field.shape[-3]
        self.slices = AnsweredArrayPool(slice_columns(columns), codec)
        self._slice_ids = frozenset(self.slices.ids())

    @property
    def slice_spec(self) -> SampleSpec:
        """The declared form of one slice."""
        return self.slices.spec

    @property
    def slice_target(self) -> TargetSpec:
        """The form of one slice's answer."""
        return self.slices.target

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """The slices of a volume; a slice itself. Raises DataError on an unknown id."""
        if sample_id in self._slice_ids:
            return (sample_id,)
        self._index([sample_id])
        return tuple(slice_id(sample_id, place) for place in range(self._depth))

    def group(self, sample_id: SampleId) -> str:
        """The case of a volume or slice. Raises DataError on an unknown id."""
        return self.slices.group(sample_id) if sample_id in self._slice_ids else super().group(sample_id)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """Volumes and slices in the order asked for. Raises DataError on an unknown id."""
        if not any(sample_id in self._slice_ids for sample_id in ids):
            return super().read(ids)
        return [self._one(sample_id) for sample_id in ids]

    def answers(self, ids: Sequence[SampleId]) -> Sequence[Mapping[str, np.ndarray]]:
        """The masks of volumes and slices in the order asked for. Raises DataError on an unknown id."""
        if not any(sample_id in self._slice_ids for sample_id in ids):
            return super().answers(ids)
        return [self._answer(sample_id) for sample_id in ids]

    def _one(self, sample_id: SampleId) -> Sample:
        return (self.slices.read if sample_id in self._slice_ids else super().read)([sample_id])[0]

    def _answer(self, sample_id: SampleId) -> Mapping[str, np.ndarray]:
        return (self.slices.answers if sample_id in self._slice_ids else super().answers)([sample_id])[0]
