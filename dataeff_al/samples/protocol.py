"""What a pool and a codec must offer. Plugin authors implement these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from dataeff_al.digests import Ref
from dataeff_al.samples.types import Invalid, Sample, SampleId, SampleSpec, TargetSpec, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PoolContext:
    """What a pool may use when it is built.

    ``base_dir``: relative file names in a campaign are relative to it. ``data_root``: the shared data folder, or None.
    ``seed``: the campaign's seed; a generated pool depends on nothing else.
    """

    base_dir: Path
    data_root: Path | None
    seed: int


@runtime_checkable
class Pool(Protocol):
    """The unlabelled samples, by stable id. Reading never changes it; order of :meth:`ids` is stable."""

    @property
    def spec(self) -> SampleSpec:
        """The declared form of every sample."""

    @property
    def digest(self) -> Ref:
        """Digest of the pool's content: same digest, same samples under the same ids."""

    def ids(self) -> Sequence[SampleId]:
        """All ids that may be queried, the pool's own held-out samples included."""

    def group(self, sample_id: SampleId) -> str:
        """The patient, vessel or case that a split must not break."""

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The samples, in the order asked for. Raises :class:`~dataeff_al.errors.DataError` on an unknown id."""

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """Ids of the parts of a sample (the slices of a volume); itself alone when it has none."""

    def held_out(self) -> Sequence[SampleId]:
        """Ids that the data set's authors keep for the test (MNIST's 10,000; a run of real frames); often empty."""

    def codec(self) -> Codec:
        """The codec between these samples and tensors."""


@runtime_checkable
class AnsweredPool(Pool, Protocol):
    """A pool whose true labels are known to the data set (used by the ``dataset`` labeler, never by a sampler)."""

    @property
    def target(self) -> TargetSpec:
        """The form of the answers."""

    def answers(self, ids: Sequence[SampleId]) -> Sequence[Mapping[str, np.ndarray]]:
        """The true labels' named arrays, in the order asked for."""


@runtime_checkable
class Codec(Protocol):
    """Between stored samples (hard masks, 3-D volumes) and the tensors that networks eat."""

    @property
    def tensor(self) -> TensorSpec:
        """The form of one network input."""

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """Samples to a float32 tensor ``(n, *tensor.shape)``."""

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """Tensors ``(n, *tensor.shape)`` back to storable samples, each checked by the validity gate.

        A hardened sample's id is derived from its content; its group is its own id.
        """
