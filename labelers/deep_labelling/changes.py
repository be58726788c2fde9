"""Random changes of what is seen that a contour must not depend on: intensity, contrast, noise, small warps."""

import math

import torch
from torch import Tensor

SPOTS = 4


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform numbers within ``[low, high)``."""
    return torch.rand(shape, generator=generator) * (high - low) + low


def either(count: int, generator: torch.Generator) -> Tensor:
    """``(count,)`` of 1 and -1 with even chances."""
    return torch.where(torch.rand(count, generator=generator) < 0.5, 1.0, -1.0)


def recoloured(views: Tensor, generator: torch.Generator) -> Tensor:
    """Views ``(m, a, b)`` under another gamma, shading and noise, standardised again by who reads them.

    The noise has up to 0.15 of a view's deviation, in a fifth of the views up to half of it.
    """
    count = len(views)
    low, high = views.flatten(1).amin(1)[:, None, None], views.flatten(1).amax(1)[:, None, None]
    unit = ((views - low) / (high - low + 1e-4)).clamp(1e-4, 1.0)
    gamma = torch.exp(0.4 * normal((count, 1, 1), generator))
    shaded = unit**gamma * _shading(views.shape, generator)
    deviation = shaded.flatten(1).std(1)[:, None, None] + 1e-4
    noisy = torch.rand((count, 1, 1), generator=generator) < 0.2
    strength = torch.where(noisy, 0.5, 0.15) * torch.rand((count, 1, 1), generator=generator)
    return shaded + strength * deviation * normal(tuple(views.shape), generator)


def _shading(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """A factor that varies with one slow wave over the view."""
    count, rows, columns = shape
    phase = uniform((count, 1, 1), 0, 2 * math.pi, generator)
    turn = torch.arange(rows)[None, :, None] * (2 * math.pi / rows)
    across = torch.linspace(0, 1, columns)[None, None, :]
    return (1 + 0.3 * normal((count, 1, 1), generator) * torch.cos(turn + phase) * across).clamp(0.3, 2.0)


def warped(points: Tensor, centres: Tensor, radius_px: Tensor, generator: torch.Generator) -> Tensor:
    """Points ``(m, a, b, 2)`` under a random shear and a smooth wave of about a twentieth of ``radius_px`` ``(m,)``."""
    count = len(points)
    offset = points - centres[:, None, None]
    shear = torch.eye(2) + 0.1 * normal((count, 2, 2), generator)
    moved = torch.einsum("mij,mabj->mabi", shear, offset)
    waves = 1.2 * normal((count, 2, 2), generator) / radius_px[:, None, None]
    phase = uniform((count, 1, 1, 2), 0, 2 * math.pi, generator)
    size = 0.05 * (radius_px[:, None] * normal((count, 2), generator))[:, None, None, :]
    wave = size * torch.sin(torch.einsum("mij,mabj->mabi", waves, moved) + phase)
    return centres[:, None, None] + moved + wave


def walls(count: int, generator: torch.Generator) -> Tensor:
    """Factors ``(count,)`` of the thickness of walls: up to 2.5 either way, 1.3 or more in half of all views."""
    return torch.exp(0.4 * normal((count,), generator)).clamp(0.4, 2.5)


def apart(points: Tensor, centres: Tensor, outside_px: Tensor, share: Tensor) -> Tensor:
    """Points ``(m, a, b, 2)`` that see what surrounds a region ``share`` ``(m,)`` times as far from it as it is.

    ``centres`` ``(m, 2)`` px: those of the regions; ``outside_px`` ``(m, a, b)``: how far points are from the region, 0
    within.
    """
    away = points - centres[:, None, None]
    along = away / away.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return points + along * (outside_px * (share[:, None, None] - 1))[..., None]


def spots(points: Tensor, centres: Tensor, radius_px: Tensor, generator: torch.Generator) -> Tensor:
    """How much of each point ``(m, a, b, 2)`` up to four soft spots cover, ``(m, a, b)``, in half of all views.

    They lie towards the rims of circles of ``radius_px`` ``(m,)`` px and are up to half as wide.
    """
    count = len(points)
    covered = torch.zeros(points.shape[:-1])
    for _ in range(SPOTS):
        angle = uniform((count,), 0, 2 * math.pi, generator)
        way = torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
        middle = centres + way * (radius_px * uniform((count,), 0.45, 0.95, generator))[:, None]
        size = radius_px * uniform((count,), 0.08, 0.25, generator)
        gap = (points - middle[:, None, None]).norm(dim=-1) / size[:, None, None]
        there = (torch.rand(count, generator=generator) < 0.7).float()
        covered = torch.maximum(covered, there[:, None, None] * torch.exp(-0.5 * gap**4))
    some = (torch.rand(count, generator=generator) < 0.5).float() * uniform((count,), 0.5, 1.0, generator)
    return covered * some[:, None, None]


def wall_grey(seen: Tensor, distance_px: Tensor, radius_px: Tensor) -> Tensor:
    """The mean grey ``(m, 1, 1)`` of what surrounds regions as far as three tenths of their radius, in views
    ``(m, a, b)`` whose points lie ``distance_px`` from the boundary (+ outside).
    """
    wall = ((distance_px > 0) & (distance_px < 0.3 * radius_px[:, None, None])).float()
    return ((seen * wall).sum((1, 2)) / wall.sum((1, 2)).clamp_min(1.0))[:, None, None]


def same_for_all(images: int, drawn: Tensor) -> Tensor:
    """Numbers drawn for one image ``(count, ...)``, repeated for all: answers must not depend on who is in a batch."""
    return drawn.repeat(images, *([1] * (drawn.dim() - 1)))
