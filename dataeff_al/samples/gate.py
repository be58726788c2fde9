"""What the validity gate let through: a codec that counts its refusals by the rule that was broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import Invalid, Sample, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


class CountingGate:
    """A codec as it is, with ``refusals``: how many tensors it did not make samples of, by broken rule."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.refusals: Counter[str] = Counter()

    @property
    def tensor(self) -> TensorSpec:
        """The form of one network input."""
        return self._codec.tensor

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """Samples to a float32 tensor ``(n, *tensor.shape)``."""
        return self._codec.soften(samples)

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """Tensors ``(n, *tensor.shape)`` back to samples, each checked by the codec's validity gate."""
        found = self._codec.harden(x)
        self.refusals.update(_rule(item.reason) for item in found if isinstance(item, Invalid))
        return found


def _rule(reason: str) -> str:
    """What must hold, without what was found: every sample finds something else."""
    return reason.partition(", but got")[0]
