"""Small views of a campaign for contract suites and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dataeff_al import registry
from dataeff_al.generators.protocol import Generator, GeneratorContext
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import Learner, LearnerContext
from dataeff_al.learners.seeding import seeded
from dataeff_al.priors.protocol import Prior
from dataeff_al.samples.protocol import AnsweredPool, Codec
from dataeff_al.samples.types import SampleId
from dataeff_al.testing.toys import TOYS
from dataeff_al.view import Labelled, Latents, View

NewLearner = Callable[[int], Learner]


def built(kind: registry.Kind, name: str, context: Any, /, **params: Any) -> Any:
    """The registered part of that name, built with the given parameters."""
    plugin = registry.get(kind, name)
    return plugin.factory()(plugin.params(**params), context)


def learner_maker(name: str, pool: AnsweredPool, /, priors: Sequence[Prior] = (), **params: Any) -> NewLearner:
    """``new_learner(seed)`` for a registered learner on the pool's input and target, with what is stated about it."""
    context = LearnerContext(pool.codec().tensor, pool.target, pool.spec, priors)

    def new_learner(seed: int) -> Learner:
        with seeded(seed):
            learner: Learner = built("learners", name, context, **params)
        return learner

    return new_learner


def fitted_generator(
    name: str, pool: AnsweredPool, seed: int = 0, *, ids: Sequence[SampleId] | None = None, **params: Any
) -> Generator:
    """A registered generator fitted on the samples ``ids``, None: the whole pool."""
    codec = pool.codec()
    generator: Generator = built("generators", name, GeneratorContext(codec.tensor), **params)
    generator.fit(pool, pool.ids() if ids is None else ids, codec, seed)
    return generator


def labelled(pool: AnsweredPool, ids: Sequence[SampleId], round: int = 0) -> list[Labelled]:
    """The samples with their true labels; NaN becomes invalid."""
    name = pool.target.name
    return [
        Labelled(sample, Label({name: answer[name]}, _valid(answer[name], pool.target.kind)), round)
        for sample, answer in zip(pool.read(ids), pool.answers(ids), strict=True)
    ]


def latents_of(
    generator: Generator, pool: AnsweredPool, codec: Codec, ids: Sequence[SampleId] | None = None
) -> Latents:
    """Latent means of the samples ``ids``, None: of the whole pool."""
    wanted = pool.ids() if ids is None else ids
    with torch.no_grad():
        z = generator.encode(codec.soften(pool.read(wanted)))
    return Latents(wanted, z.numpy())


def toy_view(
    toy: str, learner: str, *, n: int = 48, labels: int = 12, pending: int = 2, seed: int = 0, **params: Any
) -> View:
    """A view of a toy pool in its first round, without generator and fitted learner.

    The first ``labels`` ids are labelled, the next ``pending`` are pending, the last eight are the validation split.
    """
    pool = TOYS[toy](n, seed)
    ids = list(pool.ids())
    free = ids[labels + pending : -8]
    return View(
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        generator=None,
        latents=None,
        learner=None,
        new_learner=learner_maker(learner, pool, **params),
        priors=(),
        labelled=labelled(pool, ids[:labels]),
        validation=labelled(pool, ids[-8:]),
        unlabelled=free,
        pending=pool.read(ids[labels : labels + pending]),
        round=1,
    )


def with_generator(view: View, name: str, seed: int = 0, **params: Any) -> View:
    """The view with a fitted generator and the pool's latents. The pool must know its answers."""
    pool = view.pool
    if not isinstance(pool, AnsweredPool):
        raise TypeError(f"the view's pool must know its answers, but got {type(pool).__name__}.")
    generator = fitted_generator(name, pool, seed, **params)
    return replace(view, generator=generator, latents=latents_of(generator, pool, view.codec))


def with_invalid_labels(view: View, count: int = 2) -> View:
    """The view with its first ``count`` labels invalid everywhere: NaN where the target has floats."""
    name = view.target.name
    spoilt = []
    for row, entry in enumerate(view.labelled):
        array = np.array(entry.label.target[name])
        if row < count:
            array = np.full_like(array, np.nan) if array.dtype.kind == "f" else array
            shape = array.shape[1:] if view.target.kind == "field" else array.shape
            entry = replace(entry, label=Label({name: array}, np.zeros(shape, bool)))
        spoilt.append(entry)
    return replace(view, labelled=spoilt)


def _valid(answer: np.ndarray, kind: str) -> np.ndarray | None:
    if kind != "field" or np.isfinite(answer).all():
        return None
    return np.isfinite(answer).all(0)
