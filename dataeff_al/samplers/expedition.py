"""A sampler's walks in one view: what is the same for taking neighbours and for synthesising."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from dataeff_al.samplers.candidates import generator_of, learner_of
from dataeff_al.samplers.density import Sparsity
from dataeff_al.samplers.latent import latent_table
from dataeff_al.samplers.spec import WalkParams
from dataeff_al.samplers.starts import STARTS
from dataeff_al.samplers.walk import Slope, Walkers, WalkRules, Walks, walk
from dataeff_al.view import View


def expeditions(view: View, params: WalkParams, sampler: str, rng: np.random.Generator) -> Iterator[Walks]:
    """Endless walks: first from the starts themselves, then from places scattered within half the trust radius.

    Raises CapabilityError when the view lacks latents, generator or learner.
    """
    generator, learner, table = generator_of(view, sampler), learner_of(view, sampler), latent_table(view, sampler)
    rules = WalkRules.of(params, table.scale)
    sparsity = Sparsity(torch.from_numpy(table.z), params.neighbours)
    slope = Slope(generator, learner, sparsity, params.density_penalty, params.precision)
    walkers = STARTS[params.start](view, generator, learner, params, rng)
    yield walk(slope, walkers, rules)
    while True:
        yield walk(slope, scattered(walkers, 0.5 * rules.radius, rng), rules)


def scattered(walkers: Walkers, radius: float, rng: np.random.Generator) -> Walkers:
    """The walkers, each moved by ``radius`` in a random direction."""
    direction = rng.standard_normal(tuple(walkers.z.shape)).astype(np.float32)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    return replace(walkers, z=walkers.z + radius * torch.from_numpy(direction))
