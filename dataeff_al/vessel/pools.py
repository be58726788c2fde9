"""Pools of vessel sections: generated from random modes, or from a shape model of real IVUS frames."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from dataeff_al.digests import Ref, digest_arrays, digest_json
from dataeff_al.errors import DataError
from dataeff_al.randomness import rng_for
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec
from dataeff_al.vessel.cleanup import clean
from dataeff_al.vessel.codec import MaskCodec
from dataeff_al.vessel.polar import PolarSection
from dataeff_al.vessel.random_sections import (
    CALCIUM_ARCS,
    FIBROUS_PLAQUES,
    LIPID_CORES,
    SectionGenerator,
    modes_shape,
)
from dataeff_al.vessel.spec import VesselSectionsParams
from dataeff_al.vessel.tissues import TISSUES
from dataeff_al.vessel.validity import Gate

GENERATION = 1
"""Raised when the same seed gives other sections than before."""

GATE_MASKS = 600
"""The gate's ranges come from this many generated masks, whatever the pool's size."""


class SectionPool:
    """Generated sections by id, drawn when first read; sample ``i`` depends on the seed and ``i`` alone.

    ``real``: held-out masks of real frames by id (empty for a purely generated pool), one group for all of them.
    """

    def __init__(
        self,
        generator: SectionGenerator,
        size: int,
        pixels: int,
        seed: int,
        name: str,
        real: Mapping[SampleId, np.ndarray] | None = None,
        real_group: str = "",
    ) -> None:
        self._generator, self._pixels, self._seed, self._name = generator, pixels, seed, name
        self._index = {SampleId(f"{name}-{i:05d}"): i for i in range(size)}
        self._real, self._real_group = dict(real or {}), real_group
        self._masks: dict[SampleId, np.ndarray] = {}

    @property
    def pixel_size_mm(self) -> float:
        """Side of a pixel, mm."""
        return 2 * self._generator.half_view_mm / self._pixels

    @cached_property
    def spec(self) -> SampleSpec:
        """One field, ``mask`` ``(h, w)`` uint8."""
        shape = (self._pixels, self._pixels)
        field = FieldSpec(shape, "uint8", "codes", classes=TISSUES, pixel_size_mm=self.pixel_size_mm)
        return SampleSpec({"mask": field}, input="mask")

    @cached_property
    def digest(self) -> Ref:
        """Digest of all masks under their ids."""
        return digest_json([[str(i), _checksum(self._mask(i))] for i in self.ids()])

    def ids(self) -> Sequence[SampleId]:
        """Generated ids, then held-out ones."""
        return [*self._index, *self._real]

    def group(self, sample_id: SampleId) -> str:
        """Each generated section is its own group; real frames of one artery are one."""
        self._check(sample_id)
        return self._real_group if sample_id in self._real else str(sample_id)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The samples, in order. Raises DataError on an unknown id."""
        return [Sample(i, {"mask": self._mask(i).copy()}, self.group(i)) for i in ids]

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """A section has no parts."""
        self._check(sample_id)
        return [sample_id]

    def held_out(self) -> Sequence[SampleId]:
        """Real frames kept for the test."""
        return list(self._real)

    def codec(self) -> MaskCodec:
        """One-hot tensors, with a gate that knows this pool's ranges."""
        return MaskCodec((self._pixels, self._pixels), self._gate)

    def polar(self, sample_id: SampleId) -> PolarSection:
        """The generated section behind a mask, with its exact borders. Raises DataError for a real frame."""
        self._check(sample_id)
        if sample_id in self._real:
            raise DataError(f"only generated sections have a polar form, but got {sample_id!r}.")
        return self._drawn(self._index[sample_id])

    def _drawn(self, number: int) -> PolarSection:
        return self._generator.draw(rng_for(self._seed, self._name, GENERATION, number))

    def _generated(self, number: int) -> np.ndarray:
        return clean(self._drawn(number).mask((self._pixels, self._pixels), self.pixel_size_mm))

    def _gate(self) -> Gate:
        return Gate.of([self._generated(number) for number in range(GATE_MASKS)], self.pixel_size_mm)

    def _mask(self, sample_id: SampleId) -> np.ndarray:
        self._check(sample_id)
        if sample_id in self._real:
            return self._real[sample_id]
        if sample_id not in self._masks:
            self._masks[sample_id] = self._generated(self._index[sample_id])
        return self._masks[sample_id]

    def _check(self, sample_id: SampleId) -> None:
        if sample_id not in self._index and sample_id not in self._real:
            raise DataError(f"a sample id must be one of the pool's, but got {sample_id!r}.")


def _checksum(mask: np.ndarray) -> str:
    return digest_arrays({"mask": mask})


def build_vessel_sections(params: VesselSectionsParams, context: PoolContext) -> SectionPool:
    """The pool ``vessel_sections``."""
    half = params.field_of_view_mm / 2
    clearance = 1.5 * params.field_of_view_mm / params.pixels
    kinds = (LIPID_CORES, CALCIUM_ARCS, FIBROUS_PLAQUES)
    generator = SectionGenerator(modes_shape, kinds, half, clearance)
    return SectionPool(generator, params.size, params.pixels, context.seed, "section")
