"""Walks from anywhere in the pool up the model's own indecision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.generators.protocol import Generator
from dataeff_al.learners.ensemble import members_of
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.samplers.candidates import candidates, generator_of, learner_of
from dataeff_al.samplers.density import Sparsity
from dataeff_al.samplers.disagreement import disagreements
from dataeff_al.samplers.diversity import spread
from dataeff_al.samplers.latent import LatentTable, latent_table
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.snn import nearest_free
from dataeff_al.samplers.spec_strong import LatentWalkParams, latent_walk_needs
from dataeff_al.samplers.starts import walkers_from
from dataeff_al.samplers.uncertainty import MEASURES, entropy
from dataeff_al.samplers.walk import Slope, Walkers, WalkRules, walk
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

Climb = Callable[[Learner, Tensor], Tensor]


class Indecision(Slope):
    """Climbs what the model does not know, for which no label is needed."""

    def __init__(self, generator: Generator, learner: Learner, sparsity: Sparsity, params: LatentWalkParams) -> None:
        super().__init__(generator, learner, sparsity, params.density_penalty, params.precision)
        self._climb = CLIMBS[params.climb]

    def loss(self, z: Tensor, walkers: Walkers) -> Tensor:
        """The indecision about each walker's place ``(m,)``, differentiable in ``z``."""
        return self._climb(self._learner, self._generator.decode(z) + walkers.offset)


class LatentWalk:
    """Starts at undecided pool samples that lie far apart, walks up within a trust region and against sparse places,
    and takes the nearest real samples; with ``steps: 0`` the control that does not walk."""

    def __init__(self, params: LatentWalkParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``latent``, ``decoder``, ``gradient``, and ``probabilities`` or ``committee``."""
        return latent_walk_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids. Raises DataError when none is left, CapabilityError when a part is missing."""
        del rng
        params, ids, table = self._params, candidates(view), latent_table(view, "latent_walk")
        learner, generator = learner_of(view, "latent_walk"), generator_of(view, "latent_walk")
        if n < 1:
            return []
        starts = self._starts(view, learner, table, ids)
        sparsity = Sparsity(torch.from_numpy(table.z), params.neighbours)
        slope = Indecision(generator, learner, sparsity, params)
        rules = WalkRules.of(params, table.scale)
        x = view.codec.soften(view.pool.read(starts))
        nothing = TargetBatch(torch.zeros(len(starts), dtype=torch.int64))
        walks = walk(slope, walkers_from(starts, x, nothing, generator, params), rules)
        return nearest_free(walks, ids, table, n)

    def _starts(self, view: View, learner: Learner, table: LatentTable, ids: Sequence[SampleId]) -> list[SampleId]:
        """Undecided candidates, thinned out by distance in latent space."""
        score = _scores(view, learner, ids, self._params.climb)
        best = np.argsort(-score, kind="stable")[: self._params.walkers * self._params.spread]
        order = spread(table.of([ids[row] for row in best]), score[best], self._params.walkers)
        return [ids[best[place]] for place in order]


def _scores(view: View, learner: Learner, ids: Sequence[SampleId], climb: str) -> np.ndarray:
    return disagreements(view, learner, ids) if climb == "committee" else MEASURES["entropy"](view, learner, ids)


def _entropy(learner: Learner, x: Tensor) -> Tensor:
    """Entropy of the mean answer ``(m,)``."""
    p = torch.stack([member.module(x) for member in members_of(learner)]).mean(0)
    return entropy(p).reshape(len(x), -1).mean(1)


def _spread_of_models(learner: Learner, x: Tensor) -> Tensor:
    """Variance over an ensemble's models ``(m,)``. Raises CapabilityError when there is one model only."""
    members = members_of(learner)
    if len(members) < 2:
        raise CapabilityError("a walk up a committee's disagreement must have an ensemble, but got one model.")
    return torch.stack([member.module(x) for member in members]).var(0, correction=0).flatten(1).mean(1)


CLIMBS: Mapping[str, Climb] = {"entropy": _entropy, "committee": _spread_of_models}
"""What is climbed, by name."""


def build(params: LatentWalkParams, context: SamplerContext) -> LatentWalk:  # noqa: ARG001
    """The sampler of a campaign."""
    return LatentWalk(params)
