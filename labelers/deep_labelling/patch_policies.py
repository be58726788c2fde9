"""Policies that act on one oriented patch: the displacement itself, or the gradient and the softened distance."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.dynamics import rotated, velocity
from labelers.deep_labelling.networks import PatchNetwork
from labelers.deep_labelling.pairs import (
    PatchForm,
    Places,
    drawn_places,
    form_for,
    in_image,
    in_patch,
    mirrored,
    read_patches,
)
from labelers.deep_labelling.policies import Agents, Starts, started
from labelers.deep_labelling.settings import DeepLabellingSettings

DISTANCE_PX = 10.0
STEP_PX = 2.0


class PatchPolicy(ABC):
    """What both forms share: ``outputs`` of the network, the lessons of places, and the motion that outputs mean."""

    outputs: ClassVar[int]

    def __init__(self, settings: DeepLabellingSettings, radius_px: float) -> None:
        self._settings, self._radius_px = settings, radius_px
        self.form: PatchForm = form_for(radius_px)
        self.networks = nn.ModuleList(PatchNetwork(self.form.side, self.outputs) for _ in range(settings.members))

    def facts(self) -> dict[str, float]:
        """The typical radius, px."""
        return {"radius_px": self._radius_px}

    def subset(self, members: Sequence[int]) -> Self:
        """The same policy with some of its networks."""
        part = copy(self)
        part.networks = nn.ModuleList(self.networks[member] for member in members)
        return part

    @abstractmethod
    def lesson(self, places: Places) -> Tensor:
        """What the network must answer at places, ``(m, outputs)``."""

    @abstractmethod
    def motion(self, answer: Tensor) -> Tensor:
        """The displacement ``(m, 2)`` in the patch's frame that an answer means, circulating in the first sense."""

    def pairs(self, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Freshly drawn patches ``(count, side, side)`` and lessons ``(count, outputs)``."""
        settings = self._settings
        places = drawn_places(annotated, count, settings.softness_px, settings.heading_noise_deg, generator)
        return read_patches(annotated, places, self.form, generator), self.lesson(places)

    def loss(self, member: int, annotated: AnnotatedSet, count: int, generator: torch.Generator) -> Tensor:
        """Mean squared error; four patches for each view that the hybrid would read, for they cost a quarter."""
        patches, lesson = self.pairs(annotated, 4 * count, generator)
        return ((self.networks[member](patches) - lesson) ** 2).mean()

    @torch.no_grad()
    def act(self, patches: Tensor) -> Tensor:
        """Displacements ``(m, 2)`` in the patch's frame, of about unit length: along the heading, and beside it."""
        answer = torch.stack([network(patches) for network in self.networks]).mean(dim=0)
        return self.motion(answer)

    def plausible(self, stack: Tensor, starts: Starts, _: torch.Generator, /) -> tuple[Starts, Tensor]:
        """The same starts, and ones: a patch off the region looks like any other."""
        return starts, torch.ones(len(stack))

    def agents(self, stack: Tensor, starts: Starts, generator: torch.Generator) -> Agents:
        """Agents that start about the detected circle, half in each sense."""
        count = self._settings.starts
        points, headings = started(starts, count, generator)
        rows = torch.arange(len(stack)).repeat_interleave(count)
        other = (torch.arange(len(rows)) % 2).bool()
        steps = (0.1 * starts.radii[rows]).clamp(0.5, STEP_PX)
        guide = PatchGuide(self, stack, rows, other)
        return Agents(guide, points, headings, steps, count, starts, None, torch.ones(len(stack)), False)


@dataclass(frozen=True)
class PatchGuide:
    """Velocities that a policy reads off the patch at each agent; ``other`` ``(m,)`` bool: the other sense."""

    policy: PatchPolicy
    stack: Tensor
    rows: Tensor
    other: Tensor

    def velocity(self, points: Tensor, headings: Tensor) -> Tensor:
        """Unit velocities; agents of the other sense see the world, and move, mirrored."""
        patches = self.policy.form.read(self.stack, self.rows, points, headings)
        seen = torch.where(self.other[:, None, None], patches.flip(1), patches)
        _, moved = mirrored(patches, self.policy.act(seen), self.other)
        moved = in_image(moved, headings)
        return moved / moved.norm(dim=-1, keepdim=True).clamp_min(1e-6)


class DisplacementPolicy(PatchPolicy):
    """The published form (Mo et al., 2018): the network answers the unit displacement in the patch's frame."""

    outputs = 2

    def lesson(self, places: Places) -> Tensor:
        """The true velocity in the patch's frame."""
        speed = velocity(places.distance, places.gradient, self._settings.softness_px)
        return in_patch(speed, places.headings)

    def motion(self, answer: Tensor) -> Tensor:
        """The answer is the motion."""
        return answer


class DirectionPolicy(PatchPolicy):
    """The network answers the gradient's direction and ``tanh(phi / 10 px)``; the rotation is applied outside it."""

    outputs = 3

    def lesson(self, places: Places) -> Tensor:
        """Gradient in the patch's frame, softened distance."""
        soft = torch.tanh(places.distance / DISTANCE_PX)
        return torch.cat([in_patch(places.gradient, places.headings), soft[:, None]], dim=-1)

    def motion(self, answer: Tensor) -> Tensor:
        """The equation of motion on what the network answers."""
        distance = DISTANCE_PX * torch.atanh(answer[:, 2].clamp(-0.99, 0.99))
        gradient = answer[:, :2] / answer[:, :2].norm(dim=-1, keepdim=True).clamp_min(1e-6)
        angle = torch.pi * torch.sigmoid(distance / self._settings.softness_px)
        return rotated(gradient, angle)
