"""Where the model is least decided: by the two most probable classes, or by the whole distribution."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates, learner_of
from dataeff_al.samplers.crowding import crowding
from dataeff_al.samplers.diversity import thinned
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import MarginParams, margin_needs
from dataeff_al.samplers.uncertainty import MEASURES
from dataeff_al.view import View


class Undecided:
    """The least decided first; with ``diversity`` the least decided of each latent cluster of them."""

    def __init__(self, params: MarginParams, measure: str) -> None:
        self._params, self._measure = params, measure

    @property
    def needs(self) -> frozenset[str]:
        """``probabilities``, and ``latent`` for diversity and density."""
        return margin_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the measure. Raises DataError when none is left."""
        ids = candidates(view)
        score = MEASURES[self._measure](view, learner_of(view, self._measure), ids)
        score = score * crowding(view, self._measure, ids, self._params.density)
        order = thinned(view, self._measure, ids, score, n, self._params.diversity, rng)
        return [Proposal(ids[row], score=float(score[row])) for row in order]


def build(params: MarginParams, context: SamplerContext) -> Undecided:  # noqa: ARG001
    """The ``margin`` sampler of a campaign."""
    return Undecided(params, "margin")


def build_entropy(params: MarginParams, context: SamplerContext) -> Undecided:  # noqa: ARG001
    """The ``entropy`` sampler of a campaign."""
    return Undecided(params, "entropy")
