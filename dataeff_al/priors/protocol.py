"""What a prior must offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dataeff_al.learners.protocol import TargetBatch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """A question and its answer after a symmetry, and the way back.

    ``back`` carries answers at ``x``, ``(n, k, ...)``, into the frame of the question that was moved: with them,
    answers under all symmetries can be compared place by place, or averaged.
    """

    x: Tensor
    y: TargetBatch
    back: Callable[[Tensor], Tensor]


@runtime_checkable
class Prior(Protocol):
    """Stated knowledge about the task: exact symmetries, or a baseline that the learner corrects."""

    def orbit(self, x: Tensor, y: TargetBatch) -> Sequence[Pair]:
        """Pairs that are as true as the given one, the pair itself first; itself alone when no symmetry is known."""

    def baseline(self, x: Tensor) -> Tensor | None:
        """A first answer in the target's form, or None."""
