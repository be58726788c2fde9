"""Where walks start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from dataeff_al.errors import DataError
from dataeff_al.generators.protocol import Generator
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.samplers.candidates import candidates
from dataeff_al.samplers.spec import WalkParams
from dataeff_al.samplers.uncertainty import margins
from dataeff_al.samplers.walk import Walkers
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

Start = Callable[[View, Generator, Learner, WalkParams, np.random.Generator], Walkers]


def from_labelled(
    view: View, generator: Generator, learner: Learner, params: WalkParams, rng: np.random.Generator
) -> Walkers:
    """Labelled samples with their labels, as published; a random part of them when they are many.

    Samples without a single valid label entry are left out. Raises :class:`DataError` when no other is left.
    """
    targets = learner.targets([labelled.label for labelled in view.labelled])
    usable = np.arange(len(view.labelled))
    if targets.valid is not None:
        usable = usable[targets.valid.reshape(len(usable), -1).any(1).numpy()]
    if not len(usable):
        raise DataError("a walk must start from a labelled sample with a valid label, but got none.")
    if len(usable) > params.walkers:
        usable = np.sort(rng.choice(usable, params.walkers, replace=False))
    samples = [view.labelled[int(row)].sample for row in usable]
    ids = [sample.id for sample in samples]
    return walkers_from(ids, view.codec.soften(samples), targets.rows(torch.from_numpy(usable)), generator, params)


def from_uncertain(
    view: View, generator: Generator, learner: Learner, params: WalkParams, rng: np.random.Generator
) -> Walkers:
    """Unlabelled samples with the smallest margins, with the model's own most probable answer as the label."""
    del rng
    ids = candidates(view)
    order = np.argsort(margins(view, learner, ids), kind="stable")[: params.walkers]
    chosen = [ids[row] for row in order]
    x = view.codec.soften(view.pool.read(chosen))
    return walkers_from(chosen, x, TargetBatch(learner.predict(x).argmax(1)), generator, params)


def walkers_from(
    ids: Sequence[SampleId], x: Tensor, targets: TargetBatch, generator: Generator, params: WalkParams
) -> Walkers:
    """Walkers at the places of inputs ``x`` with the labels to be wrong about."""
    with torch.no_grad():
        z = generator.encode(x)
        offset = x - generator.decode(z) if params.input == "original" else torch.zeros_like(x)
    return Walkers(ids, z, targets, offset)


STARTS: Mapping[str, Start] = {"labelled": from_labelled, "uncertain": from_uncertain}
"""Starts by name."""
