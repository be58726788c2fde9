"""One sampler while labels are few, another once there are enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dataeff_al.samplers.protocol import Proposal, Sampler, SamplerContext
from dataeff_al.samplers.spec_strong import StagedParams, staged_needs
from dataeff_al.view import View


class Staged:
    """Typical samples help a model that knows little, hard ones a model that knows much (Hacohen et al., 2022)."""

    def __init__(self, params: StagedParams, first: Sampler, then: Sampler) -> None:
        self._params, self._first, self._then = params, first, then

    @property
    def needs(self) -> frozenset[str]:
        """What both stages need."""
        return staged_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """The proposals of the stage that the number of labels says, under the stage's name."""
        early = len(view.labelled) < self._params.labels
        part, sampler = (self._params.first, self._first) if early else (self._params.then, self._then)
        return [replace(proposal, regime=part.kind) for proposal in sampler.propose(view, n, rng)]


def build(params: StagedParams, context: SamplerContext) -> Staged:
    """The sampler of a campaign."""
    return Staged(params, params.first.build(context), params.then.build(context))
