"""Largest cluster, maximum distance: batches that are diverse and follow the pool's density."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates, learner_of
from dataeff_al.samplers.disagreement import disagreements
from dataeff_al.samplers.embedding import SPACES, held
from dataeff_al.samplers.kmeans import nearest
from dataeff_al.samplers.latent import squared_distances
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec_strong import LcmdParams, lcmd_needs
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_MOST_STRETCH = 10.0


class Lcmd:
    """LCMD in its train-pool form (Holzmueller et al., 2023).

    Everything labelled, pending or chosen is a centre, every candidate belongs to its nearest one; the next sample is
    the farthest member of the cluster with the largest sum of squared distances. With ``stretch: committee`` places
    are multiplied by the root of their disagreement (in units of its median, at most tenfold), so that diversity is
    sought where the model errs.
    """

    def __init__(self, params: LcmdParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``latent`` or ``features``, and ``committee`` to stretch by disagreement."""
        return lcmd_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the squared distance when chosen. Raises DataError when none is left."""
        del rng
        ids, space, known = candidates(view), SPACES[self._params.space](view, "lcmd"), held(view)
        z = space.of_ids(ids).astype(np.float64) * self._stretch(view, ids)[:, None]
        centres = space.of_samples(known) if known else z.mean(0, keepdims=True)
        cluster = nearest(z, centres)
        distance = _to_own(z, centres, cluster)
        return [Proposal(ids[row], score=score) for row, score in _chosen(z, cluster, distance, len(centres), n)]

    def _stretch(self, view: View, ids: Sequence[SampleId]) -> np.ndarray:
        if self._params.stretch == "none":
            return np.ones(len(ids))
        variance = disagreements(view, learner_of(view, "lcmd"), ids, self._params.relative)
        median = float(np.median(variance))
        return np.minimum(np.sqrt(variance / median), _MOST_STRETCH) if median > 0 else np.ones(len(ids))


def _to_own(z: np.ndarray, centres: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Squared distance of each row to its own centre ``(n,)``."""
    return np.asarray(((z - centres[cluster]) ** 2).sum(1))


def _chosen(z: np.ndarray, cluster: np.ndarray, distance: np.ndarray, centres: int, n: int) -> list[tuple[int, float]]:
    """Rows with their squared distances, in the order of choice."""
    free, found = np.ones(len(z), bool), list[tuple[int, float]]()
    for turn in range(min(n, len(z))):
        size = np.bincount(cluster[free], weights=distance[free], minlength=centres + turn)
        alive = np.bincount(cluster[free], minlength=centres + turn) > 0
        largest = int(np.where(alive, size, -1.0).argmax())
        row = int(np.where(free & (cluster == largest), distance, -1.0).argmax())
        found.append((row, float(distance[row])))
        free[row] = False
        new = squared_distances(z, z[row : row + 1])[:, 0]
        moved = new < distance
        cluster, distance = np.where(moved, centres + turn, cluster), np.where(moved, new, distance)
    return found


def build(params: LcmdParams, context: SamplerContext) -> Lcmd:  # noqa: ARG001
    """The sampler of a campaign."""
    return Lcmd(params)
