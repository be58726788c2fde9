"""Greedy core-set selection: each new sample is the one farthest from everything chosen so far."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates
from dataeff_al.samplers.crowding import crowding
from dataeff_al.samplers.embedding import SPACES, held
from dataeff_al.samplers.kmeans import nearest_squared
from dataeff_al.samplers.latent import squared_distances
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec_strong import CoreSetParams, core_set_needs
from dataeff_al.view import View


class CoreSet:
    """The greedy solution of the k-centre problem (Sener and Savarese, 2018), labelled and pending samples being
    centres already."""

    def __init__(self, params: CoreSetParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``latent`` or ``features``, and ``latent`` for density."""
        return core_set_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the distance when chosen. Raises DataError when none is left."""
        del rng
        ids, space, known = candidates(view), SPACES[self._params.space](view, "core_set"), held(view)
        z = space.of_ids(ids)
        centres = space.of_samples(known) if known else z.mean(0, keepdims=True)
        # Without a centre, the sample nearest to the mean comes first: as typical as one sample can be.
        distance = nearest_squared(z, centres) if known else -nearest_squared(z, centres)
        weight = crowding(view, "core_set", ids, self._params.density)
        found, started = [], bool(known)
        for _ in range(min(n, len(ids))):
            row = int((distance * weight if started else distance).argmax())
            found.append(Proposal(ids[row], score=float(np.sqrt(max(distance[row], 0.0)))))
            new = squared_distances(z, z[row : row + 1])[:, 0]
            distance = np.minimum(distance, new) if started else new
            distance[row], started = -np.inf, True
        return found


def build(params: CoreSetParams, context: SamplerContext) -> CoreSet:  # noqa: ARG001
    """The sampler of a campaign."""
    return CoreSet(params)
