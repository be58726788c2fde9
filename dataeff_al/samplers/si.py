"""The sample that is decoded where a walk up the loss ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch

from dataeff_al.samplers.candidates import generator_of, taken_ids
from dataeff_al.samplers.diversity import spread
from dataeff_al.samplers.expedition import expeditions
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import SiParams, si_needs
from dataeff_al.samplers.walk import Walks
from dataeff_al.samples.types import Invalid, Sample, SampleId
from dataeff_al.view import View


class Si:
    """Synthesises informative samples (SI of Mo et al., 2020), each checked by the codec's validity gate.

    A walk whose end the gate refuses offers its earlier places, back to half-way; when all walks together yield too
    few, they start again from scattered places, ``attempts`` times in all.
    """

    def __init__(self, params: SiParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """Those of ``snn``, and ``synthesised``."""
        return si_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` synthesised samples; fewer when the gate refuses too many.

        Raises DataError when no labelled start is left.
        """
        found: dict[SampleId, Proposal] = {}
        if n < 1:
            return []
        taken = taken_ids(view) | set(view.unlabelled)
        for walks in islice(expeditions(view, self._params, "si", rng), self._params.attempts):
            self._gather(view, walks, n, taken, found)
            if len(found) == n:
                break
        return list(found.values())

    def _gather(self, view: View, walks: Walks, n: int, taken: set[SampleId], found: dict[SampleId, Proposal]) -> None:
        """Add valid samples to ``found``, ends first, then the places before them."""
        waiting = spread(walks.latent, walks.score, len(walks.end))
        for back in range(self._params.steps // 2 + 1):
            waiting = [walker for walker in waiting if back == 0 or walks.end[walker] - back >= 1]
            refused = []
            while waiting and len(found) < n:
                part, waiting = waiting[: n - len(found)], waiting[n - len(found) :]
                for walker, sample in zip(part, self._hardened(view, walks, part, back), strict=True):
                    if isinstance(sample, Invalid):
                        refused.append(walker)
                    elif sample.id not in taken and sample.id not in found:
                        found[sample.id] = _proposal(sample, walks, walker, int(walks.end[walker]) - back)
            waiting = refused

    def _hardened(self, view: View, walks: Walks, walkers: list[int], back: int) -> Sequence[Sample | Invalid]:
        places = torch.from_numpy(walks.path[walkers, walks.end[walkers] - back])
        with torch.no_grad():
            return view.codec.harden(generator_of(view, "si").decode(places))


def _proposal(sample: Sample, walks: Walks, walker: int, step: int) -> Proposal:
    return Proposal(
        sample,
        score=float(walks.loss[walker, step]),
        parent=walks.parents[walker],
        latent=walks.path[walker, step],
        path=walks.path[walker],
        step=step,
    )


def build(params: SiParams, context: SamplerContext) -> Si:  # noqa: ARG001
    """The sampler of a campaign."""
    return Si(params)
