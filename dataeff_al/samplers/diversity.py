"""An order that is good and far apart."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.kmeans import kmeans
from dataeff_al.samplers.latent import latent_table, squared_distances
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View


def spread(z: np.ndarray, score: np.ndarray, n: int) -> list[int]:
    """Greedy order of ``n`` rows of ``z`` ``(m, d)``: best score first, then score x squared distance.

    Distances are to the rows already chosen: the deterministic form of k-means++ seeding. Scores below zero count as
    zero, ties go to the lower row.
    """
    n, worth = min(n, len(z)), np.maximum(np.asarray(score, np.float64), 0.0) + 1e-12
    free, distance = np.ones(len(z), bool), np.full(len(z), np.inf)
    chosen: list[int] = []
    while len(chosen) < n:
        gain = worth if not chosen else worth * distance
        row = int(np.where(free, gain, -1.0).argmax())
        chosen.append(row)
        free[row] = False
        distance = np.minimum(distance, squared_distances(z, z[row : row + 1])[:, 0])
    return chosen


def thinned(
    view: View,
    sampler: str,
    ids: Sequence[SampleId],
    score: np.ndarray,
    n: int,
    diversity: int,
    rng: np.random.Generator,
) -> list[int]:
    """Rows of the ``n`` highest scores; with ``diversity`` above 1 that many times ``n`` of them are clustered in
    latent space, and the highest of each cluster come first.

    Raises CapabilityError when there is no latent space to cluster in.
    """
    order = np.argsort(-score, kind="stable")[: n * diversity]
    if diversity > 1 and len(order) > n > 0:
        z = latent_table(view, sampler).of([ids[row] for row in order])
        _, cluster = kmeans(z, n, rng)
        order = order[_first_of_each(cluster)]
    return [int(row) for row in order[:n]]


def _first_of_each(cluster: np.ndarray) -> np.ndarray:
    """Positions: the first of each cluster in order of appearance, then all others in order."""
    _, first = np.unique(cluster, return_index=True)
    rest = np.setdiff1d(np.arange(len(cluster)), first)
    return np.concatenate([np.sort(first), rest])
