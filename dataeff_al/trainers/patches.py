"""Patches of annotated scans, drawn at random, half of them around structures; and small changes to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.learners.protocol import TargetBatch

_TURN_DEG, _SCALE, _SHIFT, _TONE = 10.0, 0.1, 0.05, 0.1
_ALIKE = 0.05
"""Places that differ by less, as a part of their whole way, lie across the axis from left to right."""


@dataclass(frozen=True)
class PatchSource:
    """Annotated samples to draw patches from.

    ``x`` ``(n, c, [d,] h, w)``, of which the first ``images`` channels are intensities; ``targets``: codes
    ``(n, [d,] h, w)``; ``patch``: the grid of what is answered; ``context``: slices more on both sides of it.
    """

    x: Tensor
    targets: TargetBatch
    patch: tuple[int, ...]
    images: int
    context: int = 0

    def draw(self, count: int, generator: torch.Generator, *, around: float = 0.5) -> tuple[Tensor, TargetBatch]:
        """``count`` patches with their targets; ``around``: the share that lies around some structure."""
        rows = torch.randint(len(self.x), (count,), generator=generator)
        wanted = torch.rand(count, generator=generator) < around
        corners = [self._corner(int(row), bool(near), generator) for row, near in zip(rows, wanted, strict=True)]
        x = torch.stack([self._cut(self.x[row], at, self.context) for row, at in zip(rows, corners, strict=True)])
        y = torch.stack([self._cut(self.targets.y[row], at, 0) for row, at in zip(rows, corners, strict=True)])
        if self.targets.valid is None:
            return x, TargetBatch(y)
        valid = [self._cut(self.targets.valid[row], at, 0) for row, at in zip(rows, corners, strict=True)]
        return x, TargetBatch(y, torch.stack(valid))

    def _corner(self, row: int, near: bool, generator: torch.Generator) -> list[int]:
        grid = self.targets.y.shape[1:]
        room = [whole - side for whole, side in zip(grid, self.patch, strict=True)]
        if not any(room):
            return [0] * len(grid)
        found = self.targets.y[row].nonzero() if near else None
        if found is None or not len(found):
            return [int(torch.randint(most + 1, (), generator=generator)) for most in room]
        centre = found[int(torch.randint(len(found), (), generator=generator))].tolist()
        inside = [int(torch.randint(side, (), generator=generator)) for side in self.patch]
        return [min(max(at - off, 0), most) for at, off, most in zip(centre, inside, room, strict=True)]

    def _cut(self, array: Tensor, corner: list[int], context: int) -> Tensor:
        """The patch of ``(..., [d,] h, w)``; the volume's end slices are repeated where its context has none."""
        axes = len(self.patch)
        for place, (start, side) in enumerate(zip(corner, self.patch, strict=True)):
            axis = array.dim() - axes + place
            if place == 0 and context:
                index = torch.arange(start - context, start + side + context).clamp(0, array.shape[axis] - 1)
                array = array.index_select(axis, index)
            elif side < array.shape[axis]:
                array = array.narrow(axis, start, side)
        return array


def changed(
    x: Tensor, targets: TargetBatch, images: int, generator: torch.Generator, *, mirrors: bool
) -> tuple[Tensor, TargetBatch]:
    """Patches turned, scaled, moved and toned a little, with their targets; places stay where they are.

    ``mirrors``: left and right are exchanged half of the time, places included; they lie along the axis on which the
    first place changes, or along the last one where ``x`` tells no places. Turns lie in the last two axes.
    """
    x, targets = _warped(x, targets, images, generator)
    contrast, brightness = 2 * torch.rand((2, len(x), images, *[1] * (x.dim() - 2)), generator=generator) - 1
    toned = x[:, :images] * (1 + _TONE * contrast) + 0.5 * _TONE * brightness
    # Air stays air, whatever is done to the tones.
    x = torch.cat([torch.where(x[:, :images] > 0, toned, x[:, :images]), x[:, images:]], 1)
    return _mirrored(x, targets, images, generator) if mirrors else (x, targets)


def _mirrored(x: Tensor, targets: TargetBatch, images: int, generator: torch.Generator) -> tuple[Tensor, TargetBatch]:
    flip = torch.rand(len(x), generator=generator) < 0.5
    across = _across(x, images)
    if across is None:
        return x, targets

    def either(values: Tensor) -> Tensor:
        return torch.where(flip.reshape(-1, *[1] * (values.dim() - 1)), values.flip(across), values)

    valid = None if targets.valid is None else either(targets.valid)
    return either(x), TargetBatch(either(targets.y), valid)


def _across(x: Tensor, images: int) -> int | None:
    """The axis from left to right, counted from the last; None for slices that lie across it."""
    if x.shape[1] == images:
        return -1
    at_x = x[:, images]
    changes = [float((at_x.amax(axis) - at_x.amin(axis)).amax()) for axis in range(1, at_x.dim())]
    return changes.index(max(changes)) - len(changes) if max(changes) > _ALIKE else None


def _warped(x: Tensor, targets: TargetBatch, images: int, generator: torch.Generator) -> tuple[Tensor, TargetBatch]:
    n, plane = len(x), list(x.shape[-2:])
    grid = functional.affine_grid(_affine(n, plane, generator), [n, 1, *plane], align_corners=False)
    valid = torch.ones_like(targets.y, dtype=torch.bool) if targets.valid is None else targets.valid
    moved = _sampled(x[:, :images], grid, "bilinear")
    # Nearest neighbours of codes and of where they are valid; what comes from outside is the border's.
    both = _sampled(torch.stack([targets.y.float(), valid.float()], 1), grid, "nearest")
    y, kept = both[:, 0].round().long(), both[:, 1] > 0.5
    return torch.cat([moved, x[:, images:]], 1), TargetBatch(y, None if targets.valid is None else kept)


def _affine(n: int, plane: list[int], generator: torch.Generator) -> Tensor:
    turn, scale, right, down = 2 * torch.rand((4, n), generator=generator) - 1
    angle, size, ratio = math.radians(_TURN_DEG) * turn, 1 + _SCALE * scale, plane[0] / plane[1]
    rows = [
        torch.stack([size * angle.cos(), -size * angle.sin() * ratio, 2 * _SHIFT * right], 1),
        torch.stack([size * angle.sin() / ratio, size * angle.cos(), 2 * _SHIFT * down], 1),
    ]
    return torch.stack(rows, 1)


def _sampled(values: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Every plane of ``(n, c, [d,] h, w)`` moved by the sample's own grid ``(n, h, w, 2)``."""
    planes = values.flatten(1, -3)
    return functional.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False).reshape(
        values.shape
    )
