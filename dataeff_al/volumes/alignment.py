"""Heads laid onto one head by their images alone: where in that head each of their voxels lies.

First a shear, scaling, turn and shift of the whole head, then a smooth displacement of its own for every voxel, coarse
to fine. Both descend from where the heads' centres and extents agree, and make the images alike in every small
neighbourhood (local cross-correlation, after Avants et al., Medical Image Analysis 12, 2008), so that scanners
may differ in their tones. No label is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Places = Sequence[np.ndarray]

WINDOW = 5
WHOLE_STEPS, WHOLE_RATE, WHOLE_COARSER = 80, 0.01, 2
OWN_RATE, STIFFNESS = 0.02, 0.3
LEVELS = ((4, 60), (2, 60), (1, 30))
"""How much coarser than the image, and steps there."""
LEAST_SIDE = 8
_FLAT = 1e-4


def aligned_places(image: np.ndarray, places: Places, template: np.ndarray, template_places: Places) -> np.ndarray:
    """The template's places at each voxel of an image: ``(3, d, h, w)`` float32 in [0, 1].

    Args:
        image: one head ``(d, h, w)`` float32, 0 around it.
        places: where its depth, rows and columns lie by its own centre and extent.
        template: the other head ``(d, h, w)``, on a grid of the same spacing.
        template_places: likewise.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        fixed, moving = _tensor(image), _tensor(template)
        at = _starting(places, template_places)
        at = at + _whole(fixed, moving, at)
        at = at + _own(fixed, moving, at)
        grids = np.stack(np.meshgrid(*template_places, indexing="ij")).astype(np.float32)
        found = _sampled(torch.from_numpy(grids), at)
    return found.clamp(0, 1).numpy()


def _tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32))


def _starting(places: Places, template_places: Places) -> Tensor:
    """Coordinates in the template, [-1, 1] along each axis, where its places are those of the image."""
    lines = []
    for here, there in zip(places, template_places, strict=True):
        order, ends = np.argsort(there), np.linspace(-1.0, 1.0, len(there))
        lines.append(np.interp(here, there[order], ends[order]))
    return torch.from_numpy(np.stack(np.meshgrid(*lines, indexing="ij")).astype(np.float32))


def _whole(fixed: Tensor, moving: Tensor, at: Tensor) -> Tensor:
    """What a linear map of the whole head adds to coordinates."""
    few, other = _coarser(fixed, WHOLE_COARSER), _coarser(moving, WHOLE_COARSER)
    start = _resized(at, few.shape)
    ones = torch.cat([_resized(_grid(fixed.shape), few.shape), torch.ones(1, *few.shape)])
    linear = torch.zeros(3, 4, requires_grad=True)

    def added(basis: Tensor) -> Tensor:
        return torch.einsum("ij,jdhw->idhw", linear, basis)

    _descend(linear, WHOLE_STEPS, WHOLE_RATE, lambda: _unlike(few, other, start + added(ones)))
    with torch.no_grad():
        return added(torch.cat([_grid(fixed.shape), torch.ones(1, *fixed.shape)]))


def _own(fixed: Tensor, moving: Tensor, at: Tensor) -> Tensor:
    """A smooth displacement of every voxel."""
    moved = torch.zeros(3, 1, 1, 1)
    for coarser, steps in LEVELS:
        if coarser == 1 or min(fixed.shape) >= LEAST_SIDE * coarser:
            moved = _moved_on(moved, _coarser(fixed, coarser), _coarser(moving, coarser), at, steps)
    return _resized(moved, fixed.shape)


def _moved_on(moved: Tensor, fixed: Tensor, moving: Tensor, at: Tensor, steps: int) -> Tensor:
    """A displacement, bettered on the grid of ``fixed``."""
    start = _resized(at, fixed.shape)
    moved = _resized(moved, fixed.shape).detach().requires_grad_(True)
    voxel = torch.tensor([2.0 / max(side - 1, 1) for side in fixed.shape]).reshape(3, 1, 1, 1)

    def loss() -> Tensor:
        return _unlike(fixed, moving, start + moved) + STIFFNESS * _bent(moved / voxel)

    _descend(moved, steps, OWN_RATE, loss)
    return moved.detach()


def _descend(what: Tensor, steps: int, rate: float, loss: Callable[[], Tensor]) -> None:
    optimizer = torch.optim.Adam([what], lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def _unlike(fixed: Tensor, moving: Tensor, at: Tensor) -> Tensor:
    """One less the mean squared correlation of small neighbourhoods."""
    other = _sampled(moving[None], at)[0]
    one, two = _around(fixed), _around(other)
    ones, twos = _around(fixed * fixed) - one * one, _around(other * other) - two * two
    both = _around(fixed * other) - one * two
    return 1.0 - (both * both / (ones * twos + _FLAT)).mean()


def _bent(voxels: Tensor) -> Tensor:
    """How much neighbours' displacements differ, squared, in voxels."""
    return torch.stack([voxels.diff(dim=axis).square().mean() for axis in (1, 2, 3)]).sum()


def _around(values: Tensor) -> Tensor:
    return functional.avg_pool3d(values[None, None], WINDOW, 1, WINDOW // 2)[0, 0]


def _coarser(image: Tensor, by: int) -> Tensor:
    return image if by == 1 else functional.avg_pool3d(image[None, None], by)[0, 0]


def _resized(field: Tensor, shape: Sequence[int]) -> Tensor:
    if field.shape[1:] == tuple(shape):
        return field
    if field[0].numel() == 1:
        return field.expand(-1, *shape).clone()
    return functional.interpolate(field[None], size=list(shape), mode="trilinear", align_corners=True)[0]


def _grid(shape: Sequence[int]) -> Tensor:
    lines = [torch.linspace(-1.0, 1.0, side) for side in shape]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"))


def _sampled(fields: Tensor, at: Tensor) -> Tensor:
    """Fields ``(c, ...)`` at coordinates ``(3, d, h, w)``; beyond their ends the border's."""
    grid = at.flip(0).movedim(0, -1)[None]
    return functional.grid_sample(fields[None], grid, padding_mode="border", align_corners=True)[0]
