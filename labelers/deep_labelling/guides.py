"""What agents walk by: a field of velocities, given point by point."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dataeff_al.envs.sampling import bilinear
from labelers.deep_labelling.dynamics import velocity


class Guide(Protocol):
    """The velocities of ``m`` agents, each bound to its own image."""

    def velocity(self, points: Tensor, headings: Tensor, /) -> Tensor:
        """Unit velocities ``(m, 2)`` of the agents at ``points`` ``(m, 2)`` px that walk along ``headings``."""


@dataclass(frozen=True)
class Windows:
    """Square windows onto level functions ``levels`` ``(m, side, side)`` px, negative inside, about ``centres`` px.

    ``half_px`` ``(m,)``: from a window's centre to its border.
    """

    levels: Tensor
    centres: Tensor
    half_px: Tensor

    @property
    def pixel_px(self) -> Tensor:
        """The size of a window's cells ``(m,)``, px."""
        return 2 * self.half_px / self.levels.shape[-1]

    def points(self) -> Tensor:
        """The cells' centres ``(m, side, side, 2)`` px."""
        return window_points(self.centres, self.half_px, self.levels.shape[-1])

    def values(self, points: Tensor) -> Tensor:
        """Levels at ``points`` ``(m, ..., 2)``; beyond a window its border's."""
        return bilinear(self.levels, torch.arange(len(self.levels)), self._cells(points))

    def _cells(self, points: Tensor) -> Tensor:
        places = (-1, *([1] * (points.dim() - 2)), 1)
        offset = points - self.centres.view(-1, *([1] * (points.dim() - 2)), 2)
        return (offset / self.half_px.view(places) + 1) * self.levels.shape[-1] / 2 - 0.5


def window_points(centres: Tensor, half_px: Tensor, side: int) -> Tensor:
    """The centres ``(m, side, side, 2)`` of the cells of square windows."""
    ticks = (torch.arange(side) + 0.5) / side * 2 - 1
    grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1)
    return centres[:, None, None] + half_px[:, None, None, None] * grid


@dataclass(frozen=True)
class FieldGuide:
    """Velocities from level functions: ``f(p) = R(pi sigmoid(phi / s)) grad phi``.

    ``softness_px`` and ``sense`` ``(m,)``, one of each for each agent.
    """

    windows: Windows
    softness_px: Tensor
    sense: Tensor

    def velocity(self, points: Tensor, _: Tensor, /) -> Tensor:
        """Unit velocities; the heading does not matter to a field."""
        step = 0.5 * self.windows.pixel_px[:, None].clamp_min(0.25)
        east, south = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        probes = torch.stack(
            [points, points + step * east, points - step * east, points + step * south, points - step * south], dim=1
        )
        level = self.windows.values(probes)
        gradient = torch.stack([level[:, 1] - level[:, 2], level[:, 3] - level[:, 4]], dim=-1)
        flat = gradient.norm(dim=-1, keepdim=True) < 1e-5
        outward = points - self.windows.centres
        return velocity(level[:, 0], torch.where(flat, outward, gradient), self.softness_px, self.sense)
