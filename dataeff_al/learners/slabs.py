"""Volumes as slices with their neighbours, and back: what a 2-D network sees of a volume."""

import torch
from torch import Tensor
from torch.nn import functional


def slabs(images: Tensor, context: int, *, padded: bool) -> Tensor:
    """Slices of ``(n, c, d, h, w)``, each with ``context`` neighbours on both sides: ``(n * d', c * (2 context + 1), h,
    w)``.

    ``padded``: the volume brings its neighbours along, so that ``d'`` is ``d - 2 context``; else the ends are repeated.
    """
    if context and not padded:
        images = functional.pad(images, (0, 0, 0, 0, context, context), mode="replicate")
    depth = images.shape[2] - 2 * context
    near = torch.stack([images[:, :, step : step + depth] for step in range(2 * context + 1)], 2)
    return flat(near.flatten(1, 2))


def flat(volumes: Tensor) -> Tensor:
    """``(n, c, d, h, w)`` as slices ``(n * d, c, h, w)``."""
    return volumes.transpose(1, 2).flatten(0, 1)


def stacked(slices: Tensor, n: int) -> Tensor:
    """Slices ``(n * d, c, h, w)`` as volumes ``(n, c, d, h, w)``."""
    return slices.unflatten(0, (n, -1)).transpose(1, 2)
