"""Batches drawn by uncertainty: chance keeps them diverse."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates, learner_of
from dataeff_al.samplers.crowding import crowding
from dataeff_al.samplers.disagreement import disagreements
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec_strong import StochasticParams, stochastic_needs
from dataeff_al.samplers.uncertainty import MEASURES
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_LEAST = 1e-12


class Stochastic:
    """Power sampling (Kirsch et al., 2023; with a committee the stochastic batches of Musekamp et al., 2025).

    Drawn without replacement with probabilities proportional to ``score ** sharpness``: the ``n`` largest of
    ``sharpness * log(score) + Gumbel noise``.
    """

    def __init__(self, params: StochasticParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``probabilities`` or ``committee``, and ``latent`` for density."""
        return stochastic_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the measure. Raises DataError when none is left."""
        ids = candidates(view)
        score = self._scores(view, ids) * crowding(view, "stochastic", ids, self._params.density)
        noisy = self._params.sharpness * np.log(np.maximum(score, _LEAST)) + rng.gumbel(size=len(ids))
        order = np.argsort(-noisy, kind="stable")[:n]
        return [Proposal(ids[row], score=float(score[row])) for row in order]

    def _scores(self, view: View, ids: Sequence[SampleId]) -> np.ndarray:
        learner = learner_of(view, "stochastic")
        if self._params.measure == "committee":
            return disagreements(view, learner, ids, self._params.relative)
        return MEASURES[self._params.measure](view, learner, ids)


def build(params: StochasticParams, context: SamplerContext) -> Stochastic:  # noqa: ARG001
    """The sampler of a campaign."""
    return Stochastic(params)
