"""What a learner must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dataeff_al.labeling.types import Label
from dataeff_al.samples.types import SampleSpec, TargetSpec, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LearnerContext:
    """What a learner may use when it is built: the form of its input and of its target.

    ``samples``: the declared form of the pool's samples, where further fields stand beside the input; ``priors``: what
    the campaign states about its task.
    """

    tensor: TensorSpec
    target: TargetSpec
    samples: SampleSpec | None = None
    priors: Sequence[Any] = ()


@dataclass(frozen=True)
class TargetBatch:
    """Labels as tensors: ``y`` in network form, ``valid`` broadcastable to it (None: everywhere), a weight a sample.

    ``y``: ``(n,)`` int64 or ``(n, k)`` float probabilities for classes, ``(n, [d,] h, w)`` int64 for masks,
    ``(n, k, [d,] h, w)`` float32 for fields with NaN replaced by 0, ``(n, k)`` float32 for values.
    """

    y: Tensor
    valid: Tensor | None = None
    weight: Tensor | None = None

    def rows(self, index: Tensor) -> TargetBatch:
        """The given rows alone."""
        valid = None if self.valid is None else self.valid[index]
        weight = None if self.weight is None else self.weight[index]
        return TargetBatch(self.y[index], valid, weight)


@runtime_checkable
class Learner(Protocol):
    """The target model. ``offers``: of ``gradient`` (loss differentiable in x), ``probabilities``, ``features``."""

    @property
    def offers(self) -> frozenset[str]:
        """What samplers may ask of it."""

    @property
    def module(self) -> nn.Module:
        """The network."""

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """Labels to tensors. Raises :class:`~dataeff_al.errors.DataError` when one breaks the target spec."""

    def calibrate(self, x: Tensor, targets: TargetBatch) -> None:
        """Set input and target scales from the training set; kept in the state; called once, before the first fit."""

    def loss(self, x: Tensor, targets: TargetBatch) -> Tensor:
        """Loss of each sample ``(n,)``, masked by validity, differentiable in ``x``; not weighted."""

    def predict(self, x: Tensor) -> Tensor:
        """Predictions without gradient, in evaluation mode: probabilities ``(n, k, ...)``, or values in their unit."""

    def features(self, x: Tensor) -> Tensor:
        """Last hidden representation ``(n, f)``; no gradient."""

    def state(self) -> bytes:
        """Weights and scales as safetensors bytes."""

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned."""


@runtime_checkable
class StagedLearner(Learner, Protocol):
    """A learner that offers ``stages``: it answers in several steps, or in several ways, worth showing."""

    def stages(self, x: Tensor) -> Mapping[str, Tensor]:
        """Class codes ``(n, ...)`` by the stage's name, first to last; no gradient."""
