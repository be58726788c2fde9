"""Walks up the loss in latent space (Mo et al., 2020), kept on the pool's manifold.

With E the encoder, G the decoder, f the learner: z = E(x), g = dL(f(G(z)), y) / dz, z' = z + step g / |g|, or, as
published, z' = z + step g. The ascent is of L / mean(L) - penalty x sparsity(z), and never leaves a ball around its
start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dataeff_al.generators.protocol import Generator
from dataeff_al.learners.modes import evaluating
from dataeff_al.learners.precision import Precision, arithmetic
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.samplers.density import Sparsity
from dataeff_al.samplers.spec import WalkParams
from dataeff_al.samples.types import SampleId

_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class Walkers:
    """Where walks start: latents ``z`` ``(m, d)``, the labels to be wrong about, and ids of the samples behind them.

    ``offset`` ``(m, *tensor.shape)`` is added to what is decoded: the original less its reconstruction, or zero.
    """

    parents: Sequence[SampleId]
    z: Tensor
    targets: TargetBatch
    offset: Tensor

    def __len__(self) -> int:
        return len(self.z)

    def rows(self, index: Tensor) -> Walkers:
        """The given rows alone."""
        parents = [self.parents[int(row)] for row in index]
        return Walkers(parents, self.z[index], self.targets.rows(index), self.offset[index])


@dataclass(frozen=True)
class WalkRules:
    """How to walk: lengths in latent units.

    ``step`` is the length of a step up the gradient's direction; with ``plain`` what the loss's gradient is multiplied
    by, which makes long steps where the loss is steep.
    """

    steps: int
    step: float
    radius: float
    density_penalty: float
    plain: bool = False

    def advance(self, gradient: Tensor, unit: float) -> Tensor:
        """A step ``(m, d)`` for the gradient of the height, in which ``unit`` of loss counts as one."""
        finite = torch.isfinite(gradient).all(1, keepdim=True)
        return self.step * (torch.where(finite, gradient * unit, 0.0) if self.plain else _unit_vectors(gradient))

    @classmethod
    def of(cls, params: WalkParams, scale: float) -> WalkRules:
        """The rules of a walk in a latent space of that scale."""
        plain = params.step_rule == "gradient"
        step = params.step_size if plain else params.step_size * scale
        return cls(params.steps, step, params.trust_radius * scale, params.density_penalty, plain)


@dataclass(frozen=True)
class Walks:
    """What came of it: ``path`` ``(m, steps + 1, d)``, ``loss`` ``(m, steps + 1)``, ``end`` ``(m,)`` a step."""

    parents: Sequence[SampleId]
    path: np.ndarray
    loss: np.ndarray
    end: np.ndarray

    @property
    def latent(self) -> np.ndarray:
        """Latents at the end of each walk ``(m, d)``."""
        return self.path[np.arange(len(self.end)), self.end]

    @property
    def score(self) -> np.ndarray:
        """Loss at the end of each walk ``(m,)``."""
        return self.loss[np.arange(len(self.end)), self.end]


class Slope:
    """The landscape that is climbed: loss through learner and decoder, less the penalty for leaving the pool."""

    def __init__(
        self,
        generator: Generator,
        learner: Learner,
        sparsity: Sparsity,
        penalty: float,
        precision: Precision = "float32",
    ) -> None:
        self._generator, self._learner = generator, learner
        self._sparsity, self._penalty, self._precision = sparsity, penalty, precision

    def loss(self, z: Tensor, walkers: Walkers) -> Tensor:
        """``L(f(G(z)), y)`` of each walker ``(m,)``."""
        return self._learner.loss(self._generator.decode(z) + walkers.offset, walkers.targets)

    def height(self, z: Tensor, walkers: Walkers, unit: float) -> tuple[Tensor, Tensor]:
        """What is climbed, and the loss in it, each ``(m,)``; ``unit`` is the loss that counts as one."""
        with arithmetic(self._precision):
            loss = self.loss(z, walkers)
        loss = loss.float()
        height = loss / unit
        return (height - self._penalty * self._sparsity(z), loss) if self._penalty else (height, loss)

    def gradient(self, z: Tensor, walkers: Walkers, unit: float) -> tuple[Tensor, Tensor, Tensor]:
        """Gradient ``(m, d)`` of the height, the height and the loss; in parts, so that memory stays bounded."""
        found = []
        with evaluating(self._learner.module), torch.enable_grad():
            for index in torch.arange(len(z)).split(_ROWS_AT_ONCE):
                part = z[index].detach().requires_grad_(True)
                height, loss = self.height(part, walkers.rows(index), unit)
                (gradient,) = torch.autograd.grad(height.sum(), part)
                found.append((gradient, height.detach(), loss.detach()))
        gradients, heights, losses = zip(*found, strict=True)
        return torch.cat(gradients), torch.cat(heights), torch.cat(losses)


def walk(slope: Slope, walkers: Walkers, rules: WalkRules) -> Walks:
    """Walk all walkers at once; each ends at its highest place after the first step (at its start with no steps)."""
    unit = _mean_loss(slope, walkers)
    z, places, heights, losses = walkers.z.detach(), [], [], []
    for step in range(rules.steps + 1):
        gradient, height, loss = slope.gradient(z, walkers, unit)
        places.append(z)
        heights.append(height)
        losses.append(loss)
        if step < rules.steps:
            z = within(z + rules.advance(gradient, unit), walkers.z, rules.radius)
    climbed = torch.stack(heights, 1).numpy()
    end = climbed[:, 1:].argmax(1) + 1 if rules.steps else np.zeros(len(walkers), np.int64)
    return Walks(walkers.parents, torch.stack(places, 1).numpy(), torch.stack(losses, 1).numpy(), end)


def within(z: Tensor, centre: Tensor, radius: float) -> Tensor:
    """``z`` drawn back onto the ball of that radius around each centre."""
    offset = z - centre
    length = offset.norm(dim=1, keepdim=True)
    return torch.where(length > radius, centre + offset * (radius / length.clamp(min=1e-12)), z)


def _mean_loss(slope: Slope, walkers: Walkers) -> float:
    _, _, loss = slope.gradient(walkers.z, walkers, 1.0)
    return max(float(loss.mean()), 1e-12)


def _unit_vectors(gradient: Tensor) -> Tensor:
    """Directions; a gradient that vanishes or is not finite stays put."""
    length = gradient.norm(dim=1, keepdim=True)
    usable = torch.isfinite(length) & (length > 0)
    return torch.where(usable, gradient / torch.where(usable, length, torch.ones(())), torch.zeros(()))
