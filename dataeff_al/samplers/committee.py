"""Where several answers to the same question disagree most."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates, learner_of
from dataeff_al.samplers.disagreement import disagreements
from dataeff_al.samplers.diversity import thinned
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec_strong import CommitteeParams, committee_needs
from dataeff_al.view import View


class Committee:
    """Query by committee (Seung et al., 1992), over models or over symmetries; see
    :mod:`dataeff_al.samplers.disagreement`."""

    def __init__(self, params: CommitteeParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``committee``, and ``latent`` for diversity."""
        return committee_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the disagreement. Raises DataError when none is left, CapabilityError
        without a committee."""
        ids = candidates(view)
        score = disagreements(view, learner_of(view, "committee"), ids, self._params.relative)
        order = thinned(view, "committee", ids, score, n, self._params.diversity, rng)
        return [Proposal(ids[row], score=float(score[row])) for row in order]


def build(params: CommitteeParams, context: SamplerContext) -> Committee:  # noqa: ARG001
    """The sampler of a campaign."""
    return Committee(params)
