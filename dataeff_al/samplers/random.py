"""Uniformly random unlabelled samples."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.candidates import candidates
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import RandomParams
from dataeff_al.view import View


class Random:
    """The reference that every other sampler must beat."""

    @property
    def needs(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """``n`` ids drawn without replacement. Raises DataError when none is left."""
        ids = candidates(view)
        return [Proposal(ids[row]) for row in rng.permutation(len(ids))[:n]]


def build(params: RandomParams, context: SamplerContext) -> Random:  # noqa: ARG001
    """The sampler of a campaign."""
    return Random()
