"""Random changes of what is seen that a contour must not depend on: intensity, contrast, noise, small warps."""

import math

import torch
from torch import Tensor


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
    """Views ``(m, a, b)`` under another gamma, shading and noise, standardised again by who reads them."""
    count = len(views)
    low, high = views.flatten(1).amin(1)[:, None, None], views.flatten(1).amax(1)[:, None, None]
    unit = ((views - low) / (high - low + 1e-4)).clamp(1e-4, 1.0)
    gamma = torch.exp(0.4 * normal((count, 1, 1), generator))
    shaded = unit**gamma * _shading(views.shape, generator)
    deviation = shaded.flatten(1).std(1)[:, None, None] + 1e-4
    strength = 0.15 * torch.rand((count, 1, 1), generator=generator)
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


def same_for_all(images: int, drawn: Tensor) -> Tensor:
    """Numbers drawn for one image ``(count, ...)``, repeated for all: answers must not depend on who is in a batch."""
    return drawn.repeat(images, *([1] * (drawn.dim() - 1)))
