"""What a pool's samples probably are, told from few labels by the shape of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import CapabilityError
from dataeff_al.generators.pool_tensor import pool_tensor
from dataeff_al.latent_graph import Graph, graph_of
from dataeff_al.learners.protocol import Learner
from dataeff_al.samples.types import SampleId
from dataeff_al.trainers.spec import SemiSupervisedParams
from dataeff_al.view import Labelled, Latents, View

_PARTS = 5
_ENOUGH = 200
_LEAST = 1e-12


@dataclass(frozen=True)
class Spread:
    """Probabilities ``p`` ``(n, k)`` float32 of the pool's samples ``ids``, how sure they are ``(n,)``, and notes.

    ``reliable``: how far they are to be taken, from 0 to 1 (in full). ``new``: classes that only the newest labels
    have, which the previous model cannot know.
    """

    ids: Sequence[SampleId]
    p: np.ndarray
    sure: np.ndarray
    notes: Mapping[str, str]
    reliable: float = 1.0
    new: frozenset[int] = frozenset()


def spread_labels(view: View, previous: Learner | None, params: SemiSupervisedParams) -> Spread:
    """Labels propagated over the pool, blended with the previous model's answers when it knew every class.

    A model that never saw one of the classes answers it by another one; blending would teach that to the next round.
    Raises CapabilityError when the view has no latents.
    """
    if view.latents is None:
        raise CapabilityError("trainer semi_supervised must have latents of the pool, but got none.")
    latents = view.latents
    seeds = _seeds(view, latents)
    graph = graph_of(latents.z, params.neighbours, params.sharpness)
    p = graph.propagate(seeds, params.alpha)
    skill = foreseen(graph, seeds, params.alpha) if params.trust else None
    reliable = 1.0 if skill is None else float(np.clip(skill / params.trust, 0.0, 1.0))
    new = _new_classes(view)
    if previous is not None and params.blend > 0 and not new:
        x = pool_tensor(view.pool, latents.ids, view.codec)
        p = (1.0 - params.blend) * p + params.blend * previous.predict(x).float().numpy()
    known = seeds.sum(1) > 0
    p[known] = seeds[known] / seeds[known].sum(1, keepdims=True)
    return Spread(latents.ids, p, certainty(p), _notes(view, seeds, new, skill), reliable, new)


def foreseen(graph: Graph, seeds: np.ndarray, alpha: float) -> float | None:
    """How well labels foretell each other along the graph: Cohen's kappa of each fifth, as the other labels spread.

    1: always right; 0: no better than chance; None: no class has two labels, so that nothing can be said. ``seeds``
    ``(n, k)`` as in :meth:`Graph.propagate`. Labels that are the only one of their class are not asked about.
    """
    place = _places(seeds)
    # Fifths are asked one after the other until enough is known: with many classes the first will do.
    asked = np.array([], bool)
    for part in range(_PARTS):
        if len(asked) >= _ENOUGH:
            break
        held = (place >= 0) & (place % _PARTS == part)
        others = seeds * ~held[:, None]
        rows = np.flatnonzero(held & (others.sum(0)[seeds.argmax(1)] > 0))
        if len(rows):
            told = graph.propagate(others, alpha)[rows].argmax(1)
            asked = np.append(asked, told == seeds[rows].argmax(1))
    if not len(asked):
        return None
    chance = 1.0 / max(int((seeds.sum(0) > 0).sum()), 2)
    return float((asked.mean() - chance) / (1.0 - chance))


def _places(seeds: np.ndarray) -> np.ndarray:
    """The place of each labelled row ``(n,)`` among those of its class; -1 where there is no label."""
    place = np.cumsum(seeds, 0)[np.arange(len(seeds)), seeds.argmax(1)].astype(int) - 1
    return np.where(seeds.sum(1) > 0, place, -1)


def _seeds(view: View, latents: Latents) -> np.ndarray:
    """One where a pool sample is known to be of a class, ``(n, k)`` float32."""
    row = {sample_id: place for place, sample_id in enumerate(latents.ids)}
    seeds = np.zeros((len(latents.ids), len(view.target.classes)), np.float32)
    for entry in view.labelled:
        code = _code(view, entry)
        if code is not None and entry.sample.id in row:
            seeds[row[entry.sample.id], code] = 1.0
    return seeds


def _code(view: View, entry: Labelled) -> int | None:
    """The label's class, None where it is not valid."""
    if entry.label.valid is not None and not bool(np.all(entry.label.valid)):
        return None
    return int(np.asarray(entry.label.target[view.target.name]).item())


def _new_classes(view: View) -> frozenset[int]:
    newest = max((entry.round for entry in view.labelled), default=0)
    codes = [(entry.round, _code(view, entry)) for entry in view.labelled]
    earlier = {code for number, code in codes if number < newest}
    return frozenset(code for number, code in codes if number == newest and code is not None and code not in earlier)


def _notes(view: View, seeds: np.ndarray, new: frozenset[int], skill: float | None) -> dict[str, str]:
    """What a reader of the report should know about the classes and what their labels foretell."""
    classes = view.target.classes
    missing = [classes[code] for code in np.flatnonzero(seeds.sum(0) == 0)]
    found = {} if skill is None else {"labels_foretell_labels": f"{skill:.2f}"}
    if missing:
        found["classes_without_label"] = ", ".join(missing)
    if new:
        found["new_classes"] = ", ".join(classes[code] for code in sorted(new))
    return found


def certainty(p: np.ndarray) -> np.ndarray:
    """How sure probabilities ``(n, k)`` are, ``(n,)`` float32: one minus their entropy in units of the largest."""
    entropy = -(p * np.log(np.maximum(p, _LEAST))).sum(1)
    return (1.0 - entropy / np.log(max(p.shape[1], 2))).clip(0.0, 1.0).astype(np.float32)
