"""Mirrors and right-angle rotations: exact on a pixel grid, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.priors.protocol import Pair
from dataeff_al.priors.spec import SymmetryParams

Move = Callable[[Tensor], Tensor]


class Turn:
    """``quarters`` right-angle turns in the last two axes after a mirror of the given axes (counted from the end)."""

    def __init__(self, mirrored: tuple[int, ...] = (), quarters: int = 0) -> None:
        self.mirrored, self.quarters = mirrored, quarters

    def __call__(self, grid: Tensor) -> Tensor:
        """The grid ``(..., h, w)`` after the change."""
        return torch.rot90(torch.flip(grid, self.mirrored), self.quarters, (-2, -1)).contiguous()

    def back(self, grid: Tensor) -> Tensor:
        """The grid before the change."""
        return torch.flip(torch.rot90(grid, -self.quarters, (-2, -1)), self.mirrored).contiguous()


class Symmetry:
    """The symmetries of one group, applied to questions and to answers that have the question's grid."""

    def __init__(self, params: SymmetryParams) -> None:
        self._group = params.group

    def orbit(self, x: Tensor, y: TargetBatch) -> Sequence[Pair]:
        """The pair and its images under the group's other members.

        Raises :class:`CapabilityError` for inputs without a grid, or rotations of a grid that is not square.
        """
        turns = self._turns(x)
        moved = len(turns) > 0 and y.y.dim() > 2 and tuple(y.y.shape[-2:]) == tuple(x.shape[-2:])
        first = Pair(x, y, _as_it_is)
        return [first, *(_pair(turn, x, y, moved) for turn in turns)]

    def baseline(self, x: Tensor) -> Tensor | None:
        """None: a symmetry has no answer of its own."""
        del x
        return None

    def _turns(self, x: Tensor) -> list[Turn]:
        if x.dim() < 4:
            raise CapabilityError(f"a symmetry must have images (n, c, h, w), but got shape {tuple(x.shape)}.")
        if self._group in ("rotations", "rotation_mirror") and x.shape[-1] != x.shape[-2]:
            raise CapabilityError(f"a rotation must have a square image, but got shape {tuple(x.shape[-2:])}.")
        return GROUPS[self._group](x.dim() - 2)


def _pair(turn: Turn, x: Tensor, y: TargetBatch, moved: bool) -> Pair:
    answer = _moved(turn, y) if moved else y
    return Pair(turn(x), answer, turn.back if moved else _as_it_is)


def _moved(turn: Turn, y: TargetBatch) -> TargetBatch:
    valid = None if y.valid is None else turn(y.valid)
    return replace(y, y=turn(y.y), valid=valid)


def _as_it_is(answers: Tensor) -> Tensor:
    return answers


def _mirrors(axes: int) -> list[Turn]:
    """Every combination of mirrored axes but none at all."""
    chosen = [tuple(-1 - axis for axis in range(axes) if number >> axis & 1) for number in range(1, 2**axes)]
    return [Turn(mirrored) for mirrored in chosen]


def _rotations(axes: int) -> list[Turn]:
    del axes
    return [Turn((), quarters) for quarters in (1, 2, 3)]


GROUPS: Mapping[str, Callable[[int], list[Turn]]] = {
    "mirror": lambda _: [Turn((-1,))],
    "mirrors": _mirrors,
    "rotations": _rotations,
    "rotation_mirror": lambda axes: [*_rotations(axes), *(Turn((-1,), quarters) for quarters in range(4))],
}
"""The members of each group but the identity, for a grid of that many axes."""


def build(params: SymmetryParams, context: object) -> Symmetry:  # noqa: ARG001
    """The prior of a campaign."""
    return Symmetry(params)
