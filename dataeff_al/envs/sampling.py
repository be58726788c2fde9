"""Reading images at points between pixels: oriented patches and polar views, all of a batch at once."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def bilinear(stack: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Values ``(m, ...)`` of ``stack`` ``(n, h, w)`` at ``points`` ``(m, ..., 2)``, x before y, px.

    ``rows`` ``(m,)`` says which image each set of points reads; beyond the border the border's value is read.
    """
    _, height, width = stack.shape
    x = points[..., 0].clamp(0, width - 1.001)
    y = points[..., 1].clamp(0, height - 1.001)
    left, top = x.long(), y.long()
    fx, fy = x - left, y - top
    base = (rows.view(-1, *([1] * (points.dim() - 2))) * height + top) * width + left
    flat = stack.reshape(-1)
    upper = torch.lerp(flat[base], flat[base + 1], fx)
    lower = torch.lerp(flat[base + width], flat[base + width + 1], fx)
    return torch.lerp(upper, lower, fy)


def patch_points(centres: Tensor, headings: Tensor, side: int, spacing_px: Tensor | float) -> Tensor:
    """Points ``(m, side, side, 2)`` of square patches about ``centres`` ``(m, 2)``.

    A patch's second axis runs along the unit ``headings`` ``(m, 2)``, its first to the heading's right-hand normal.
    """
    ticks = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    normal = torch.stack([-headings[:, 1], headings[:, 0]], dim=-1)
    step = torch.as_tensor(spacing_px, dtype=torch.float32).view(-1, 1, 1, 1)
    along = ticks[None, None, :, None] * headings[:, None, None, :]
    across = ticks[None, :, None, None] * normal[:, None, None, :]
    return centres[:, None, None, :] + step * (along + across)


@dataclass(frozen=True)
class PolarViews:
    """Where polar views look from: ``centres`` ``(m, 2)`` px, ``reach_px`` ``(m,)``, first angle, sense (1 or -1)."""

    centres: Tensor
    reach_px: Tensor
    angle: Tensor
    sense: Tensor

    def points(self, angles: int, radii: int) -> Tensor:
        """The views' points ``(m, angles, radii, 2)``, at the middle of each of the cells of a ring."""
        turn = (torch.arange(angles) + 0.5) * (2 * math.pi / angles)
        radius = (torch.arange(radii) + 0.5) / radii
        theta = self.angle[:, None] + self.sense[:, None] * turn
        direction = torch.stack([torch.cos(theta), torch.sin(theta)], dim=-1)[:, :, None, :]
        return self.centres[:, None, None, :] + direction * (radius[None, :] * self.reach_px[:, None])[:, None, :, None]

    def cells(self, points: Tensor, angles: int, radii: int) -> Tensor:
        """Where points ``(m, ..., 2)`` lie in maps of ``angles`` by ``radii`` cells: (radius, angle + 1) in cells.

        The angle is counted in a map whose last row was put before its first, and its first behind its last.
        """
        places = (-1, *([1] * (points.dim() - 2)))
        offset = points - self.centres.view(-1, *([1] * (points.dim() - 2)), 2)
        radius = offset.norm(dim=-1) / self.reach_px.view(places) * radii - 0.5
        theta = torch.atan2(offset[..., 1], offset[..., 0]) - self.angle.view(places)
        turn = torch.remainder(theta * self.sense.view(places), 2 * math.pi) / (2 * math.pi) * angles
        return torch.stack([radius, turn + 0.5], dim=-1)


def standardised(views: Tensor) -> Tensor:
    """Each view ``(m, a, b)`` less its mean, by its standard deviation: contrast and brightness are no lesson."""
    flat = views.flatten(1)
    mean, deviation = flat.mean(dim=1), flat.std(dim=1) + 1e-4
    return (views - mean[:, None, None]) / deviation[:, None, None]
