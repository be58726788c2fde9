"""What a prior must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dataeff_al.learners.protocol import TargetBatch

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Prior(Protocol):
    """Stated knowledge about the task: exact symmetries, or a baseline that the learner corrects."""

    def orbit(self, x: Tensor, y: TargetBatch) -> Sequence[tuple[Tensor, TargetBatch]]:
        """Pairs that are as true as the given one; the pair itself alone when no symmetry is known."""

    def baseline(self, x: Tensor) -> Tensor | None:
        """A first answer in the target's form, or None."""
