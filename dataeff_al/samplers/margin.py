"""Where the two most probable classes are closest."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates, learner_of
from dataeff_al.samplers.kmeans import kmeans
from dataeff_al.samplers.latent import latent_table
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import MarginParams, margin_needs
from dataeff_al.samplers.uncertainty import margins
from dataeff_al.view import View


class Margin:
    """Smallest margins first; with ``diversity`` the smallest of each latent cluster of the smallest margins."""

    def __init__(self, params: MarginParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``probabilities``, and ``latent`` for diversity."""
        return margin_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is one minus the margin. Raises DataError when none is left."""
        ids, learner = candidates(view), learner_of(view, "margin")
        margin = margins(view, learner, ids)
        order = np.argsort(margin, kind="stable")[: n * self._params.diversity]
        if self._params.diversity > 1 and len(order) > n > 0:
            z = latent_table(view, "margin").of([ids[row] for row in order])
            _, cluster = kmeans(z, n, rng)
            order = order[_first_of_each(cluster)]
        return [Proposal(ids[row], score=1.0 - float(margin[row])) for row in order[:n]]


def _first_of_each(cluster: np.ndarray) -> np.ndarray:
    """Positions: the first of each cluster in order of appearance, then all others in order."""
    _, first = np.unique(cluster, return_index=True)
    rest = np.setdiff1d(np.arange(len(cluster)), first)
    return np.concatenate([np.sort(first), rest])


def build(params: MarginParams, context: SamplerContext) -> Margin:  # noqa: ARG001
    """The sampler of a campaign."""
    return Margin(params)
