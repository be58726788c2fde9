"""The hybrid policy: polar views from several starts, one signed-distance field, agents that walk it."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.envs.sampling import PolarViews, bilinear, standardised
from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.guides import FieldGuide, Windows, window_points
from labelers.deep_labelling.levels import redistanced
from labelers.deep_labelling.networks import PolarNetwork
from labelers.deep_labelling.policies import Agents, Starts, started, step_px
from labelers.deep_labelling.settings import DeepLabellingSettings

ANGLES, RADII = 64, 64
REACH, WINDOW, WINDOW_SIDE = 2.2, 1.8, 64
SOFT_SHARE = 0.08
PASSES, PASS_VIEWS = 2, 2
ELSEWHERE = 0.12
WIDER = 1.3
"""The first look's radius as a share of the guess's: too wide a view still shows a boundary, too narrow a one shows
none."""
MIN_REACH_PX, MIN_RADIUS_PX, MAX_RADIUS_PX = 5.0, 1.5, 200.0


@dataclass(frozen=True)
class _Look:
    """Chances of being inside, on windows, from each of ``count`` views an image: ``(n, count, side, side)``."""

    inside: Tensor
    centres: Tensor
    half_px: Tensor

    @property
    def mean(self) -> Tensor:
        return self.inside.mean(dim=1)

    def moments(self) -> Starts:
        """Where the region is by the mean of the views, and its radius; NaN where there is none."""
        weight = torch.where(self.mean > 0.5, self.mean, torch.zeros(()))
        total = weight.sum((1, 2))
        points = window_points(self.centres, self.half_px, self.mean.shape[-1])
        centres = (points * weight[..., None]).sum((1, 2)) / total[:, None]
        cells = (self.mean > 0.5).sum((1, 2)) * (2 * self.half_px / self.mean.shape[-1]) ** 2
        return Starts(centres, torch.sqrt(cells / torch.pi))

    def sharpness(self) -> Tensor:
        """How decided each image's mean is, ``(n,)``."""
        return decided(self.mean)


class PolarPolicy:
    """Looks around from a start, finds the region, centres and scales the view by it, and looks again."""

    def __init__(self, settings: DeepLabellingSettings, radius_px: float) -> None:
        self._settings, self._radius_px = settings, radius_px
        self.networks = nn.ModuleList(PolarNetwork() for _ in range(settings.members))

    def facts(self) -> dict[str, float]:
        """The typical radius, px."""
        return {"radius_px": self._radius_px}

    def subset(self, members: Sequence[int]) -> "PolarPolicy":
        """The same policy with some of its networks."""
        part = copy(self)
        part.networks = nn.ModuleList(self.networks[member] for member in members)
        return part

    def loss(self, member: int, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy and Dice of the map, weighted by the area that a cell stands for."""
        views, lesson = polar_pairs(annotated, count, generator)
        return level_loss(self.networks[member](views), lesson)

    def plausible(self, stack: Tensor, starts: Starts, generator: torch.Generator, /) -> tuple[Starts, Tensor]:
        """Centred starts, and how decided a view from there is: nothing where it holds no region."""
        # One network will do to tell a region from none.
        first = self.subset([0])
        guess = first._centred(stack, Starts(starts.centres, WIDER * starts.radii), 1, 1, generator)
        look = first._look(stack, guess, 1, generator)
        return guess, plausibility(look.mean)

    def agents(self, stack: Tensor, starts: Starts, generator: torch.Generator) -> Agents:
        """One agent on the field of each view, and a last one, which answers, on their mean."""
        guess = self._centred(stack, starts, PASSES, PASS_VIEWS, generator)
        return self._walkers(self._look(stack, guess, self._settings.starts, generator), guess, generator)

    def _centred(self, stack: Tensor, guess: Starts, passes: int, views: int, generator: torch.Generator) -> Starts:
        """Look, move to the region that is seen, take its size, and look again; stay where none is seen."""
        for _ in range(passes):
            found = self._look(stack, guess, views, generator).moments()
            seen = torch.isfinite(found.centres).all(dim=-1) & (found.radii >= 1.0)
            radii = found.radii.clamp(MIN_RADIUS_PX, MAX_RADIUS_PX)
            centres = torch.where(seen[:, None], found.centres, guess.centres)
            guess = Starts(centres, torch.where(seen, radii, guess.radii))
        return guess

    def _walkers(self, look: _Look, guess: Starts, generator: torch.Generator) -> Agents:
        inside = torch.cat([look.inside, look.mean[:, None]], dim=1)
        per_image = inside.shape[1]
        rows = torch.arange(len(inside)).repeat_interleave(per_image)
        pixel = 2 * look.half_px[rows] / WINDOW_SIDE
        raw = -torch.logit(inside.flatten(0, 1), eps=1e-4) * (SOFT_SHARE * guess.radii[rows])[:, None, None]
        found = [redistanced(level, size) for level, size in zip(raw.numpy(), pixel.tolist(), strict=True)]
        levels = torch.from_numpy(np.stack(found))
        sense = torch.where(torch.arange(per_image) % 2 == 0, 1.0, -1.0).repeat(len(inside))
        softness = (0.5 * guess.radii[rows]).clamp(0.5, self._settings.softness_px)
        windows = Windows(levels, guess.centres[rows], look.half_px[rows])
        points, headings = started(guess, per_image, generator)
        guide = FieldGuide(windows, softness, sense)
        steps = step_px(guess.radii[rows])
        return Agents(guide, points, headings, steps, per_image, guess, per_image - 1, look.sharpness(), True)

    @torch.no_grad()
    def _look(self, stack: Tensor, guess: Starts, count: int, generator: torch.Generator) -> _Look:
        views = views_about(guess, count, generator)
        rows = torch.arange(len(guess.centres)).repeat_interleave(count)
        seen = standardised(bilinear(stack, rows, views.points(ANGLES, RADII)))
        maps = torch.stack([network(seen) for network in self.networks]).mean(dim=0)
        half = (WINDOW * guess.radii).clamp_min(3.0)
        points = window_points(guess.centres, half, WINDOW_SIDE)[rows]
        inside = torch.sigmoid(unrolled(maps, views, points)).view(len(half), count, WINDOW_SIDE, WINDOW_SIDE)
        return _Look(inside, guess.centres, half)


def decided(inside: Tensor) -> Tensor:
    """One less the share of undecided chances ``(m, s, s)`` within the region's size, ``(m,)``."""
    undecided = 4 * inside * (1 - inside)
    return (1 - undecided.sum((1, 2)) / inside.sum((1, 2)).clamp_min(1.0)).clamp(0, 1)


def plausibility(inside: Tensor) -> Tensor:
    """How much chances of being inside ``(m, s, s)`` look like a region, ``(m,)``: somewhere sure, and decided."""
    peak = inside.flatten(1).topk(16, dim=1).values.mean(dim=1)
    return peak * decided(inside)


def unrolled(maps: Tensor, views: PolarViews, points: Tensor) -> Tensor:
    """Polar maps ``(m, a, r)`` read at image points ``(m, s, s, 2)``; beyond a view's reach all is outside."""
    angles, radii = maps.shape[1:]
    closed = torch.cat([maps[:, -1:], maps, maps[:, :1]], dim=1)
    cells = views.cells(points, angles, radii)
    values = bilinear(closed, torch.arange(len(maps)), cells)
    return torch.where(cells[..., 0] > radii, torch.full_like(values, -8.0), values)


def views_about(guess: Starts, count: int, generator: torch.Generator) -> PolarViews:
    """``count`` views an image, from a little beside each guess, both senses in turn."""
    images = len(guess.centres)
    rows = torch.arange(images).repeat_interleave(count)
    radii = guess.radii[rows]
    aside = 0.1 * radii[:, None] * changes.same_for_all(images, changes.normal((count, 2), generator))
    stretch = torch.exp(0.08 * changes.same_for_all(images, changes.normal((count,), generator)))
    reach = (REACH * radii).clamp_min(MIN_REACH_PX) * stretch
    angle = changes.same_for_all(images, changes.uniform((count,), 0, 2 * torch.pi, generator))
    sense = torch.where(torch.arange(count) % 2 == 0, 1.0, -1.0).repeat(images)
    return PolarViews(guess.centres[rows] + aside, reach, angle, sense)


def polar_pairs(annotated: AnnotatedSet, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Views ``(count, a, r)`` and the chances of being inside ``(count, a / 2, r / 2)``, freshly drawn.

    A third of the views are as off as a first guess is, some are elsewhere, the others as off as a refined guess; all
    are turned, mirrored, warped and recoloured at random. What a few cases cannot show is made up: regions with thicker
    or thinner walls about them, and with spots in the grey of the wall within, as papillary muscles are.
    """
    rows = torch.randint(len(annotated), (count,), generator=generator)
    radii, middles = annotated.radii[rows], annotated.centres[rows]
    views = _training_views(middles, radii, generator)
    points = changes.warped(views.points(ANGLES, RADII), views.centres, radii, generator)
    coarse = (points[:, ::2, ::2] + points[:, 1::2, ::2] + points[:, ::2, 1::2] + points[:, 1::2, 1::2]) / 4
    distance = bilinear(annotated.distances, rows, coarse)
    share = changes.walls(count, generator)
    points = changes.apart(points, middles, _finer(distance.clamp_min(0)), share)
    distance = torch.where(distance > 0, distance * share[:, None, None], distance)
    level = torch.randint(len(annotated.blurred) // len(annotated), (count,), generator=generator)
    seen = bilinear(annotated.blurred, rows + level * len(annotated), points)
    covered = torch.where(distance < 0, changes.spots(coarse, middles, radii, generator), torch.zeros(()))
    seen = torch.lerp(seen, changes.wall_grey(seen, _finer(distance), radii), _finer(covered))
    soft = SOFT_SHARE * (views.reach_px / REACH)[:, None, None]
    return standardised(changes.recoloured(seen, generator)), torch.sigmoid(-distance / soft)


def _training_views(middles: Tensor, radii: Tensor, generator: torch.Generator) -> PolarViews:
    count = len(radii)
    rough = torch.rand(count, generator=generator) < 0.35
    elsewhere = torch.rand(count, generator=generator) < ELSEWHERE
    aside = torch.where(rough, 0.5 * radii + 2.5, 0.12 * radii + 0.5)
    aside = torch.where(elsewhere, 2.5 * radii, aside)[:, None]
    centres = middles + aside * changes.normal((count, 2), generator)
    stretch = torch.where(rough, 0.4, 0.12) * changes.normal((count,), generator)
    reach = (REACH * radii * torch.exp(stretch).clamp(0.35, 3.0)).clamp_min(MIN_REACH_PX)
    angle = changes.uniform((count,), 0, 2 * torch.pi, generator)
    return PolarViews(centres, reach, angle, changes.either(count, generator))


def _finer(coarse: Tensor) -> Tensor:
    """Values ``(m, a / 2, r / 2)`` between the cells of a view, ``(m, a, r)``."""
    return functional.interpolate(coarse[:, None], scale_factor=2, mode="bilinear")[:, 0]


def level_loss(logits: Tensor, lesson: Tensor) -> Tensor:
    """Cross-entropy and soft Dice, cells weighted by their distance from the view's centre."""
    weight = (torch.arange(lesson.shape[-1]) + 0.5) / lesson.shape[-1]
    entropy = functional.binary_cross_entropy_with_logits(logits, lesson, reduction="none")
    inside = torch.sigmoid(logits)
    both = (inside * lesson * weight).sum((1, 2))
    either = ((inside + lesson) * weight).sum((1, 2))
    return (entropy * (0.3 + weight)).mean() + 0.5 * (1 - (2 * both + 1e-3) / (either + 1e-3)).mean()
