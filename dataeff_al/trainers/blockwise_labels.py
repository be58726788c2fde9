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

    Sides that ``factor`` does not divide end in a smaller place. A place is valid where any of it is.
    """
    if factor == 1:
        return targets
    valid = None if targets.valid is None else _averaged(targets.valid[:, None].float(), factor)[:, 0] > 0
    return TargetBatch(REDUCTIONS[how](targets, factor, classes), valid)


def _averaged(values: Tensor, factor: int) -> Tensor:
    kernel = [min(factor, side) for side in values.shape[2:]]
    return _POOL[values.dim() - 2](values, kernel, ceil_mode=True, count_include_pad=False)


def _soft(targets: TargetBatch, factor: int, classes: int) -> Tensor:
    """Shares of area; of what is valid, where some is not."""
    whole = shares(targets.y, classes)
    if targets.valid is None:
        return _averaged(whole, factor)
    weight = targets.valid[:, None].float()
    return _averaged(whole * weight, factor) / _averaged(weight, factor).clamp(min=1e-6)


def _majority(targets: TargetBatch, factor: int, classes: int) -> Tensor:
    return _soft(targets, factor, classes).argmax(1)


def _any(targets: TargetBatch, factor: int, classes: int) -> Tensor:
    """The most frequent structure wherever there is any: nothing small is lost, and everything grows."""
    area = _soft(targets, factor, classes)
    structures = area[:, 1:]
    return torch.where(structures.sum(1) > 0, structures.argmax(1) + 1, 0)


def _nearest(targets: TargetBatch, factor: int, classes: int) -> Tensor:
    del classes
    y = targets.y
    for axis in range(1, y.dim()):
        side = y.shape[axis]
        step = min(factor, side)
        y = y.index_select(axis, (torch.arange(-(-side // step)) * step + step // 2).clamp(max=side - 1))
    return y


REDUCTIONS: Mapping[str, Callable[[TargetBatch, int, int], Tensor]] = {
    "nearest": _nearest,
    "majority": _majority,
    "any": _any,
    "soft": _soft,
}
"""How labels are brought to a block's resolution, by name."""
