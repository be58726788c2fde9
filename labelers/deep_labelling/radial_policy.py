"""The radial policy: distances to the boundary along many headings, from a point that is centred again and again."""

import math
from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor, nn

from dataeff_al.envs.sampling import bilinear
from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.guides import FieldGuide, Windows, window_points
from labelers.deep_labelling.networks import PatchNetwork
from labelers.deep_labelling.pairs import Places as Seen
from labelers.deep_labelling.pairs import form_for, read_patches
from labelers.deep_labelling.policies import Agents, Starts, started, step_px
from labelers.deep_labelling.settings import DeepLabellingSettings

HEADINGS, PASSES, WINDOW_SIDE = 24, 3, 64
MARCH = 96


class RadialPolicy:
    """The network answers how far the boundary is along the heading, in units of the typical radius."""

    def __init__(self, settings: DeepLabellingSettings, radius_px: float) -> None:
        self._settings, self._radius_px = settings, radius_px
        self.form = form_for(radius_px)
        self.networks = nn.ModuleList(PatchNetwork(self.form.side, 1) for _ in range(settings.members))

    def facts(self) -> dict[str, float]:
        """The typical radius, px."""
        return {"radius_px": self._radius_px}

    def subset(self, members: Sequence[int]) -> "RadialPolicy":
        """The same policy with some of its networks."""
        part = copy(self)
        part.networks = nn.ModuleList(self.networks[member] for member in members)
        return part

    def loss(self, member: int, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> Tensor:
        """Mean absolute error of the distance along the heading."""
        rows = torch.randint(len(annotated), (4 * count,), generator=generator)
        aside = 0.35 * annotated.radii[rows, None] * changes.normal((len(rows), 2), generator)
        points = annotated.centres[rows] + aside
        turn = changes.uniform((len(rows),), 0, 2 * math.pi, generator)
        headings = torch.stack([torch.cos(turn), torch.sin(turn)], dim=-1)
        lesson = self._marched(annotated.distances, rows, points, headings, annotated.radii[rows])
        nothing = torch.zeros(len(rows))
        patches = read_patches(annotated, Seen(rows, points, headings, nothing, headings), self.form, generator)
        return (self.networks[member](patches)[:, 0] - lesson / self._radius_px).abs().mean()

    @staticmethod
    def _marched(distances: Tensor, rows: Tensor, points: Tensor, headings: Tensor, radii: Tensor) -> Tensor:
        """Where rays leave the region for good within three radii, ``(m,)`` px; 0 for rays that do not meet it."""
        ticks = (torch.arange(MARCH) + 0.5) / MARCH * 3
        along = ticks[None, :] * radii[:, None]
        level = bilinear(distances, rows, points[:, None] + along[..., None] * headings[:, None])
        inside = level < 0
        last = torch.where(inside, torch.arange(MARCH)[None], -1).amax(dim=1)
        first, second = last.clamp(0, MARCH - 2), last.clamp(0, MARCH - 2) + 1
        one, other = level.gather(1, first[:, None])[:, 0], level.gather(1, second[:, None])[:, 0]
        share = (one / (one - other).clamp(max=-1e-6)).clamp(0, 1)
        near = along.gather(1, first[:, None])[:, 0]
        found = near + share * (along[:, 1] - along[:, 0])
        return torch.where(last < 0, torch.zeros(()), found)

    def plausible(self, stack: Tensor, starts: Starts, _: torch.Generator, /) -> tuple[Starts, Tensor]:
        """The same starts, and ones: a patch off the region looks like any other."""
        return starts, torch.ones(len(stack))

    def agents(self, stack: Tensor, starts: Starts, generator: torch.Generator) -> Agents:
        """One agent on the outline of each start, and a last one, which answers, on their mean."""
        count = self._settings.starts
        rows = torch.arange(len(stack)).repeat_interleave(count)
        drawn = changes.same_for_all(len(stack), changes.normal((count, 2), generator))
        aside = 0.15 * starts.radii[rows, None] * drawn
        centres = starts.centres[rows] + aside
        for _ in range(PASSES):
            reach = self._reach(stack, rows, centres)
            centres = _centred(centres, reach)
        reach = self._reach(stack, rows, centres)
        return self._walkers(centres.view(len(stack), count, 2), reach.view(len(stack), count, -1), generator)

    @torch.no_grad()
    def _reach(self, stack: Tensor, rows: Tensor, centres: Tensor) -> Tensor:
        """Distances ``(m, headings)`` px from ``centres``."""
        ways = _ways().repeat(len(centres), 1)
        patches = self.form.read(stack, rows.repeat_interleave(HEADINGS), centres.repeat_interleave(HEADINGS, 0), ways)
        answer = torch.stack([network(patches)[:, 0] for network in self.networks]).mean(dim=0)
        return (answer * self._radius_px).clamp_min(0.5).view(-1, HEADINGS)

    def _walkers(self, centres: Tensor, reach: Tensor, generator: torch.Generator) -> Agents:
        mean = Starts(centres.mean(dim=1), reach.mean(dim=(1, 2)))
        half = (2.0 * reach.amax(dim=(1, 2))).clamp_min(3.0)
        points = window_points(mean.centres, half, WINDOW_SIDE)
        levels = torch.stack([outline(points, centres[:, k], reach[:, k]) for k in range(centres.shape[1])], dim=1)
        levels = torch.cat([levels, levels.mean(dim=1, keepdim=True)], dim=1)
        per_image = levels.shape[1]
        rows = torch.arange(len(levels)).repeat_interleave(per_image)
        sense = torch.where(torch.arange(per_image) % 2 == 0, 1.0, -1.0).repeat(len(levels))
        softness = (0.5 * mean.radii[rows]).clamp(0.5, self._settings.softness_px)
        windows = Windows(levels.flatten(0, 1), mean.centres[rows], half[rows])
        places, headings = started(mean, per_image, generator)
        spread = levels[:, :-1].std(dim=1).mean(dim=(1, 2)) / mean.radii
        return Agents(
            FieldGuide(windows, softness, sense),
            places,
            headings,
            step_px(mean.radii[rows]),
            per_image,
            mean,
            per_image - 1,
            1 / (1 + spread),
            True,
        )


def _ways() -> Tensor:
    turn = torch.arange(HEADINGS) * (2 * math.pi / HEADINGS)
    return torch.stack([torch.cos(turn), torch.sin(turn)], dim=-1)


def _centred(centres: Tensor, reach: Tensor) -> Tensor:
    """The centres of gravity of star-shaped outlines ``(m, headings)`` about ``centres``."""
    cubed = (reach**3)[..., None] * _ways()[None]
    return centres + 2 / 3 * cubed.sum(dim=1) / (reach**2).sum(dim=1, keepdim=True)


def outline(points: Tensor, centres: Tensor, reach: Tensor) -> Tensor:
    """How far ``points`` ``(n, s, s, 2)`` are beyond star-shaped outlines ``(n, headings)``, along the radius, px."""
    offset = points - centres[:, None, None]
    turn = torch.remainder(torch.atan2(offset[..., 1], offset[..., 0]), 2 * math.pi) * (HEADINGS / (2 * math.pi))
    low = turn.long() % HEADINGS
    share = turn - turn.floor()
    flat = low.flatten(1)
    near, far = reach.gather(1, flat), reach.gather(1, (flat + 1) % HEADINGS)
    edge = torch.lerp(near, far, share.flatten(1)).view_as(share)
    return offset.norm(dim=-1) - edge
