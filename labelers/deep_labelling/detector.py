"""Where to start: a small network that sees whole images at low resolution, learnt from the same annotated images."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.envs.sampling import bilinear, standardised
from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.networks import DetectorNetwork
from labelers.deep_labelling.policies import Starts

CELLS = 64
MULTIPLE = 8
SPREAD = 0.6
CANDIDATES = 3
PRIOR_SHARE = 0.12
ALIKE = 0.2
"""Logarithm of the ratio of cell sizes below which one look is enough."""


@dataclass(frozen=True)
class Candidates:
    """Places where a region may be, the likeliest first: ``centres`` ``(n, c, 2)`` px, ``radii`` ``(n, c)`` px, and how
    sure the detector is of each, ``sure`` ``(n, c)`` between 0 and 1.
    """

    centres: Tensor
    radii: Tensor
    sure: Tensor

    def taken(self, which: Tensor) -> Starts:
        """One candidate an image, by its place ``(n,)``."""
        rows = torch.arange(len(which))
        return Starts(self.centres[rows, which], self.radii[rows, which])

    def and_also(self, others: "Candidates") -> "Candidates":
        """These, and then others."""
        both = ((self.centres, others.centres), (self.radii, others.radii), (self.sure, others.sure))
        return Candidates(*(torch.cat(pair, dim=1) for pair in both))


def spacing_for(image_shape: tuple[int, ...]) -> float:
    """The size of the detector's cells, px: about 64 cells along the shorter side of the training images."""
    return max(1.0, min(image_shape) / CELLS)


class Detector:
    """Finds the likeliest centre of a region in each image, and its radius.

    ``spacing_px``: the size of its cells on the training set. Images of another size may show more, or the same with
    other pixels: they are looked at with these cells, and with cells that fill them as the training images were filled.
    """

    def __init__(self, spacing_px: float) -> None:
        self.spacing_px = spacing_px
        self.network = DetectorNetwork()

    def loss(self, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> Tensor:
        """Loss over ``count`` images, turned, scaled, moved and recoloured at random."""
        images, heat, log_radius = self._pairs(annotated, count, generator)
        found = self.network(images)
        entropy = functional.binary_cross_entropy_with_logits(found[:, 0], heat, reduction="none")
        size = (
            functional.smooth_l1_loss(found[:, 1], log_radius, reduction="none") * heat
        ).sum() / heat.sum().clamp_min(1.0)
        return (entropy * (1 + 20 * heat)).mean() + 0.5 * size

    def _pairs(self, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.randint(len(annotated), (count,), generator=generator)
        height, width = annotated.images.shape[1:]
        scale = torch.exp(0.2 * changes.normal((count,), generator))
        # Half the lessons keep the images' usual orientation, which tells neighbours apart; half have any.
        usual = torch.rand(count, generator=generator) < 0.5
        anyhow = changes.uniform((count,), 0, 2 * math.pi, generator)
        angle = torch.where(usual, 0.3 * changes.normal((count,), generator), anyhow)
        flip = torch.where(usual, torch.ones(()), changes.either(count, generator))
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2])
        moved = middle + 0.1 * torch.tensor([width, height]) * changes.normal((count, 2), generator)
        local = _grid(height, width, self.spacing_px) - middle
        turned = _turned(local[None] * torch.stack([flip, torch.ones(count)], -1)[:, None, None], angle)
        points = moved[:, None, None] + turned * scale[:, None, None, None]
        seen = bilinear(annotated.blurred[-len(annotated) :], rows, points)
        offset = (points - annotated.centres[rows][:, None, None]).norm(dim=-1)
        spread = (SPREAD * annotated.radii[rows]).clamp_min(1.5 * self.spacing_px)[:, None, None]
        heat = torch.exp(-0.5 * (offset / spread) ** 2)
        log_radius = torch.log(annotated.radii[rows] / scale / self.spacing_px)[:, None, None].expand_as(heat)
        return standardised(changes.recoloured(seen, generator)), heat, log_radius

    @torch.no_grad()
    def find(self, stack: Tensor) -> Candidates:
        """Candidates in images ``(n, h, w)``: the highest peaks of the heat, each less likely the farther it is from
        where, by share of the image's sides, annotated regions were.
        """
        filling = spacing_for(stack.shape[1:])
        own = self._found(stack, self.spacing_px)
        return own if abs(math.log(filling / self.spacing_px)) < ALIKE else own.and_also(self._found(stack, filling))

    def _found(self, stack: Tensor, spacing_px: float) -> Candidates:
        height, width = stack.shape[1:]
        grid = _grid(height, width, spacing_px)
        reads = grid.clamp_min(0)[None].expand(len(stack), -1, -1, -1)
        smooth = functional.avg_pool2d(functional.pad(stack[:, None], (1, 1, 1, 1), mode="replicate"), 3, 1)[:, 0]
        found = self.network(standardised(bilinear(smooth, torch.arange(len(stack)), reads)))
        beyond = (grid[..., 0] > width - 0.5) | (grid[..., 1] > height - 0.5)
        heat = torch.where(beyond, torch.zeros(()), torch.sigmoid(found[:, 0]) * self._likely(grid, height, width))
        return _peaks(heat, found[:, 1], grid, spacing_px)

    def _likely(self, grid: Tensor, height: int, width: int) -> Tensor:
        offset = (grid + 0.5) / torch.tensor([width, height]) - self.network.place
        return torch.exp(-0.5 * ((offset / self.network.spread) ** 2).sum(dim=-1))

    def learn_places(self, annotated: AnnotatedSet) -> None:
        """Keep where regions lie, as shares of the images' sides, and how widely they scatter, not less than 0.12."""
        height, width = annotated.images.shape[1:]
        share = (annotated.centres + 0.5) / torch.tensor([width, height])
        scatter = share.std(dim=0, correction=0)
        self.network.place.copy_(share.mean(dim=0))
        self.network.spread.copy_(torch.sqrt(scatter**2 + PRIOR_SHARE**2))


def _grid(height: int, width: int, spacing_px: float) -> Tensor:
    """Centres of the detector's cells in an image, ``(a, b, 2)`` px, both sides multiples of 8 cells."""
    rows = math.ceil(height / spacing_px / MULTIPLE) * MULTIPLE
    columns = math.ceil(width / spacing_px / MULTIPLE) * MULTIPLE
    x = (torch.arange(columns) + 0.5) * spacing_px - 0.5
    y = (torch.arange(rows) + 0.5) * spacing_px - 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _peaks(heat: Tensor, log_radius: Tensor, grid: Tensor, spacing_px: float) -> Candidates:
    """The centres of heat about the hottest cells of each map; each peak hides what is near from the next."""
    places, sizes, sure = [], [], []
    left = functional.avg_pool2d(heat[:, None], 3, 1, 1)[:, 0]
    for _ in range(CANDIDATES):
        best = left.flatten(1).argmax(dim=1)
        gap = (grid[None] - grid.flatten(0, 1)[best][:, None, None]).norm(dim=-1) / spacing_px
        near = (gap < 4).float() * heat
        total = near.sum((1, 2)).clamp_min(1e-9)
        places.append((near[..., None] * grid[None]).sum((1, 2)) / total[:, None])
        sizes.append(torch.exp(log_radius.flatten(1).gather(1, best[:, None])[:, 0].clamp(-1, 4)) * spacing_px)
        sure.append(left.flatten(1).gather(1, best[:, None])[:, 0])
        left = torch.where(gap < 5, torch.zeros(()), left)
    return Candidates(torch.stack(places, 1), torch.stack(sizes, 1), torch.stack(sure, 1))


def _turned(points: Tensor, angle: Tensor) -> Tensor:
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    x, y = points[..., 0], points[..., 1]
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)
