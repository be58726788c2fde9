"""The one interface of all policies, and the registry by name.

A policy is what a network tells an agent about the contour. ``published``: the displacement itself (Mo et al., 2018).
``direction``: the direction of the distance's gradient and the softened distance, from which the displacement follows
by the equation of motion. ``radial``: distances to the boundary along many headings from a point that is centred again
and again. ``hybrid``: the same look around from a start, but at all headings and distances at once: one network maps a
polar view to the signed distance, views from several starts are averaged, and agents walk the field that results.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor, nn

from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.guides import Guide
from labelers.deep_labelling.settings import DeepLabellingSettings, PolicyName


@dataclass(frozen=True)
class Starts:
    """Rough guesses of where regions are, one an image: ``centres`` ``(n, 2)`` px and ``radii`` ``(n,)`` px."""

    centres: Tensor
    radii: Tensor


@dataclass(frozen=True)
class Agents:
    """Agents ready to walk, ``per_image`` in a row for each image.

    ``points`` ``(m, 2)``, ``headings`` ``(m, 2)``, ``steps_px`` ``(m,)``; ``found``: the policy's own idea of where the
    regions are; ``answering``: which of an image's agents gives the answer, None: the one most like the others.
    ``sharpness`` ``(n,)``: how decided the networks are, between 0 and 1.
    """

    guide: Guide
    points: Tensor
    headings: Tensor
    steps_px: Tensor
    per_image: int
    found: Starts
    answering: int | None
    sharpness: Tensor
    midpoint: bool


class Policy(Protocol):
    """One way to walk, learnt by one or several networks whose answers are averaged."""

    @property
    def networks(self) -> nn.ModuleList:
        """The member networks."""

    def subset(self, members: Sequence[int]) -> "Policy":
        """The same policy with some of its networks."""

    def loss(self, member: int, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> Tensor:
        """The mean loss of one network over ``count`` freshly drawn pairs of view and lesson."""

    def plausible(self, stack: Tensor, starts: Starts, generator: torch.Generator, /) -> tuple[Starts, Tensor]:
        """Better starts, and how likely it is ``(n,)``, from 0 to 1, that each is at a region; the same starts and
        ones where a policy cannot tell.
        """

    def agents(self, stack: Tensor, starts: Starts, generator: torch.Generator) -> Agents:
        """Agents for images ``stack`` ``(n, h, w)`` from rough starts."""

    def facts(self) -> dict[str, float]:
        """What was measured on the training set and is needed again with the weights."""


PLACES: Mapping[PolicyName, str] = MappingProxyType(
    {
        "hybrid": "labelers.deep_labelling.polar_policy:PolarPolicy",
        "radial": "labelers.deep_labelling.radial_policy:RadialPolicy",
        "direction": "labelers.deep_labelling.patch_policies:DirectionPolicy",
        "published": "labelers.deep_labelling.patch_policies:DisplacementPolicy",
    }
)


def typical_radius(annotated: AnnotatedSet) -> float:
    """The median radius of the annotated regions, px: it sets how far patches see."""
    return float(annotated.radii.median())


def make_policy(settings: DeepLabellingSettings, facts: Mapping[str, float]) -> Policy:
    """A policy with fresh networks; ``facts`` hold ``radius_px``, the typical radius of the annotated regions."""
    module, _, name = PLACES[settings.policy].partition(":")
    made: Policy = getattr(importlib.import_module(module), name)(settings, facts["radius_px"])
    return made


def step_px(radii: Tensor) -> Tensor:
    """Steps of about an eighth of the radius: smooth loops at a bounded cost."""
    return (0.12 * radii).clamp(0.2, 2.0)


def started(starts: Starts, per_image: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places ``(n * per_image, 2)`` near the starts, inside and outside of the guessed circles, and random headings."""
    images = len(starts.centres)
    rows = torch.arange(images).repeat_interleave(per_image)
    drawn = changes.same_for_all(images, torch.rand((per_image, 3), generator=generator))
    angle, turn = 2 * torch.pi * drawn[:, 0], 2 * torch.pi * drawn[:, 1]
    way = torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
    headings = torch.stack([torch.cos(turn), torch.sin(turn)], dim=-1)
    return starts.centres[rows] + way * ((0.4 + drawn[:, 2]) * starts.radii[rows])[:, None], headings
