"""The unlabelled sample nearest to where a walk up the loss ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates
from dataeff_al.samplers.diversity import spread
from dataeff_al.samplers.expedition import expeditions
from dataeff_al.samplers.latent import LatentTable, latent_table, squared_distances
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import SnnParams, snn_needs
from dataeff_al.samplers.walk import Walks
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View


class Snn:
    """Selects nearest neighbours (SNN of Mo et al., 2020).

    The ends of the walks are put in an order of high loss and mutual distance; each in turn takes the nearest real
    sample that is still free, again and again until there are ``n``.
    """

    def __init__(self, params: SnnParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``latent``, ``decoder``, ``gradient``; ``probabilities`` to start from uncertain samples."""
        return snn_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids. Raises DataError when no candidate or no labelled start is left."""
        ids, table = candidates(view), latent_table(view, "snn")
        if n < 1:
            return []
        return nearest_free(next(expeditions(view, self._params, "snn", rng)), ids, table, n)


def nearest_free(walks: Walks, ids: Sequence[SampleId], table: LatentTable, n: int) -> list[Proposal]:
    """For the ends of walks, in an order of high score and mutual distance, the nearest candidate that is still free;
    again and again until there are ``n``."""
    order, z = spread(walks.latent, walks.score, n), table.of(ids)
    free, found = np.ones(len(ids), bool), []
    for turn in range(min(n, len(ids))):
        walker = order[turn % len(order)]
        distance = squared_distances(walks.latent[walker : walker + 1], z)[0]
        row = int(np.where(free, distance, np.inf).argmin())
        free[row] = False
        found.append(_proposal(ids[row], walks, walker))
    return found


def _proposal(sample_id: SampleId, walks: Walks, walker: int) -> Proposal:
    return Proposal(
        sample_id,
        score=float(walks.score[walker]),
        parent=walks.parents[walker],
        latent=walks.latent[walker],
        path=walks.path[walker],
        step=int(walks.end[walker]),
    )


def build(params: SnnParams, context: SamplerContext) -> Snn:  # noqa: ARG001
    """The sampler of a campaign."""
    return Snn(params)
