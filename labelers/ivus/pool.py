"""The pool ``pullbacks``: synthetic recordings, each depending on the seed and its number alone."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from dataeff_al.digests import Ref, digest_arrays, digest_json
from dataeff_al.errors import DataError
from dataeff_al.randomness import rng_for
from dataeff_al.samples.codecs import ImageCodec
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec
from dataeff_al.vessel.ivus_contours import PHASES, Frame, read_frames
from dataeff_al.vessel.ivus_pool import archive_in
from labelers.ivus.simulator.recording import SyntheticPullback, simulate, simulate_vessel
from labelers.ivus.simulator.settings import CLEAN, Artefacts, SimulatorSettings, settings_for, varied
from labelers.ivus.simulator.vessels import DrawnInclusion, real_vessel
from labelers.ivus.spec import PullbacksParams

GENERATION = 1
"""Raised when the same seed gives other recordings than before."""
FINE_PIXELS, BEAMS = 256, 256


def build_pullbacks(params: PullbacksParams, context: PoolContext) -> "PullbackPool":
    """The pool. Raises DataError when real contours are asked for and not there."""
    if params.contours == "generated":
        return PullbackPool(params, context.seed)
    frames = [frame for frame in read_frames(archive_in(context.data_root)) if frame.phase == PHASES[0]]
    return PullbackPool(params, context.seed, frames)


class PullbackPool:
    """Synthetic pullbacks by id, recorded when first read. One field: ``x`` ``(1, frames, h, w)`` float32 in [0, 1]."""

    def __init__(self, params: PullbacksParams, seed: int, contours: Sequence[Frame] = ()) -> None:
        self._params, self._seed, self._contours = params, seed, contours
        self._index = {SampleId(f"synthetic-pullback-{i:05d}"): i for i in range(params.size)}
        self._kept: dict[SampleId, np.ndarray] = {}

    @cached_property
    def spec(self) -> SampleSpec:
        """Grey frames with their pixel size."""
        p = self._params
        size = 2 * p.depth_mm / p.pixels
        shape = (1, p.frames, p.pixels, p.pixels)
        x = FieldSpec(shape, "float32", "intensity", range=(0.0, 1.0), pixel_size_mm=size)
        return SampleSpec({"x": x}, input="x")

    @cached_property
    def digest(self) -> Ref:
        """Digest of all recordings under their ids."""
        return digest_json([[str(i), digest_arrays({"x": self._x(i)})] for i in self._index])

    def ids(self) -> Sequence[SampleId]:
        """All ids."""
        return list(self._index)

    def group(self, sample_id: SampleId) -> str:
        """Each recording is its own group; those along the kept part of a real artery are :meth:`held_out`."""
        self._number(sample_id)
        return str(sample_id)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The samples, in order. Raises DataError on an unknown id."""
        return [Sample(i, {"x": self._x(i).copy()}, self.group(i)) for i in ids]

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """A pullback is asked as a whole: its borders are found along it."""
        self._number(sample_id)
        return [sample_id]

    def held_out(self) -> Sequence[SampleId]:
        """Of real contours, the last fifth of the recordings: they show a third of the artery that no other shows."""
        return [i for i in self._index if self._kept_part(i)] if self._contours else []

    def codec(self) -> ImageCodec:
        """Grey levels as they are."""
        return ImageCodec(self.spec)

    def synthetic(self, sample_id: SampleId) -> SyntheticPullback:
        """The recording behind a sample, at full resolution, with its exact borders."""
        rng = rng_for(self._seed, "pullbacks", GENERATION, self._number(sample_id))
        settings = self._settings(rng)
        if not self._contours:
            return simulate_vessel(self._params.frames, settings, rng, spacing_mm=self._params.spacing_mm)
        cut = 2 * len(self._contours) // 3
        part = self._contours[cut:] if self._kept_part(sample_id) else self._contours[:cut]
        chosen = [part[i] for i in _run(len(part), self._params.frames, rng)]
        sections = real_vessel(chosen)
        drawn: list[tuple[DrawnInclusion, ...]] = [extra for _, extra in sections]
        return simulate([s for s, _ in sections], settings, rng, spacing_mm=self._params.spacing_mm, drawn=drawn)

    def _kept_part(self, sample_id: SampleId) -> bool:
        return 5 * self._number(sample_id) >= 4 * self._params.size

    def _settings(self, rng: np.random.Generator) -> SimulatorSettings:
        p = self._params
        base = settings_for(p.frequency_mhz, Artefacts() if p.artefacts else CLEAN)
        fine = -(-FINE_PIXELS // p.pixels) * p.pixels
        return replace(varied(base, rng), depth_mm=p.depth_mm, pixels=fine, beams=BEAMS)

    def _x(self, sample_id: SampleId) -> np.ndarray:
        if sample_id not in self._kept:
            frames = self.synthetic(sample_id).pullback.frames
            side, merge = self._params.pixels, frames.shape[-1] // self._params.pixels
            mean = frames.reshape(len(frames), side, merge, side, merge).mean(axis=(2, 4))
            self._kept[sample_id] = mean[None].astype(np.float32)
        return self._kept[sample_id]

    def _number(self, sample_id: SampleId) -> int:
        if sample_id not in self._index:
            raise DataError(f"a sample id must be one of the pool's, but got {sample_id!r}.")
        return self._index[sample_id]


def _run(available: int, count: int, rng: np.random.Generator) -> list[int]:
    """``count`` neighbouring frames, walked back and forth where the artery is shorter than the recording."""
    start = int(rng.integers(available))
    there_and_back = [*range(available), *range(available - 2, 0, -1)] if available > 1 else [0]
    return [there_and_back[(start + i) % len(there_and_back)] for i in range(count)]
