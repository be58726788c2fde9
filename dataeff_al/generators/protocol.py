"""What a generator must offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GeneratorContext:
    """What a generator may use when it is built: the form of one network input."""

    tensor: TensorSpec


@dataclass(frozen=True)
class GeneratorReport:
    """How the fit went: mean reconstruction error on held-back pool samples, the same error of the mean image, and
    the seconds it took. A generator that is no better than the mean image has not learnt the manifold."""

    error: float
    mean_error: float
    steps: int
    seconds: float


@runtime_checkable
class Generator(Protocol):
    """The data manifold. Everything is deterministic given the seed and the order of ``ids``."""

    @property
    def latent_dim(self) -> int:
        """Dimension of the latent space."""

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """Learn from the pool's samples ``ids`` (never the test split).

        Raises :class:`~dataeff_al.errors.TrainingError` when the result is worse than the mean image or not finite.
        """

    def encode(self, x: Tensor) -> Tensor:
        """``(n, *tensor.shape)`` to latent means ``(n, latent_dim)``; differentiable."""

    def decode(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to ``(n, *tensor.shape)`` in the codec's soft form; differentiable."""

    def state(self) -> bytes:
        """Weights as safetensors bytes."""

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned."""
