"""Labels at a coarser resolution: what a block is to answer there is a choice with consequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.learners.region_loss import shares
from dataeff_al.trainers.blockwise_spec import Reduction

_POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


def reduced(targets: TargetBatch, factor: int, classes: int, how: Reduction) -> TargetBatch:
    """Targets ``(n, [d,] h, w)`` int64 at ``1 / factor`` of the resolution: codes, or shares ``(n, classes, ...)``.

    Sides that ``factor`` does not divide end in a smaller place. A place is valid where what its target was made from
    is: any of it, or the middle alone where that is what is taken.
    """
    return targets if factor == 1 else REDUCTIONS[how](targets, factor, classes)


def _covered(targets: TargetBatch, factor: int) -> Tensor | None:
    """Where any of a place is valid."""
    return None if targets.valid is None else _averaged(targets.valid[:, None].float(), factor)[:, 0] > 0


def _averaged(values: Tensor, factor: int) -> Tensor:
    kernel = [min(factor, side) for side in values.shape[2:]]
    return _POOL[values.dim() - 2](values, kernel, ceil_mode=True, count_include_pad=False)


def _areas(targets: TargetBatch, factor: int, classes: int) -> Tensor:
    """Shares of area; of what is valid, where some is not."""
    whole = shares(targets.y, classes)
    if targets.valid is None:
        return _averaged(whole, factor)
    weight = targets.valid[:, None].float()
    return _averaged(whole * weight, factor) / _averaged(weight, factor).clamp(min=1e-6)


def _soft(targets: TargetBatch, factor: int, classes: int) -> TargetBatch:
    return TargetBatch(_areas(targets, factor, classes), _covered(targets, factor))


def _majority(targets: TargetBatch, factor: int, classes: int) -> TargetBatch:
    return TargetBatch(_areas(targets, factor, classes).argmax(1), _covered(targets, factor))


def _any(targets: TargetBatch, factor: int, classes: int) -> TargetBatch:
    """The most frequent structure wherever there is any: nothing small is lost, and everything grows."""
    structures = _areas(targets, factor, classes)[:, 1:]
    codes = torch.where(structures.sum(1) > 0, structures.argmax(1) + 1, 0)
    return TargetBatch(codes, _covered(targets, factor))


def _nearest(targets: TargetBatch, factor: int, classes: int) -> TargetBatch:
    del classes
    return TargetBatch(_middle(targets.y, factor), None if targets.valid is None else _middle(targets.valid, factor))


def _middle(values: Tensor, factor: int) -> Tensor:
    for axis in range(1, values.dim()):
        side = values.shape[axis]
        step = min(factor, side)
        at = (torch.arange(-(-side // step)) * step + step // 2).clamp(max=side - 1)
        values = values.index_select(axis, at)
    return values


REDUCTIONS: Mapping[str, Callable[[TargetBatch, int, int], TargetBatch]] = {
    "nearest": _nearest,
    "majority": _majority,
    "any": _any,
    "soft": _soft,
}
"""How labels are brought to a block's resolution, by name."""
