"""What a sampler must offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.view import View


@dataclass(frozen=True)
class Proposal:
    """One sample worth a label: a pool id, or a synthesised sample; with where it came from.

    ``parent``: the labelled or pool sample that a walk started from. ``path``: latent trajectory ``(steps + 1, d)``.
    ``regime``: which of several strategies chose it, where a sampler has several.
    """

    sample: SampleId | Sample
    score: float = 0.0
    parent: SampleId | None = None
    latent: np.ndarray | None = None
    path: np.ndarray | None = None
    step: int = 0
    regime: str = ""


@dataclass(frozen=True)
class SamplerContext:
    """What a sampler may use when it is built: nothing beyond its parameters yet."""


@runtime_checkable
class Sampler(Protocol):
    """A query strategy. ``needs`` are checked against what the campaign's parts offer before anything is bought."""

    @property
    def needs(self) -> frozenset[str]:
        """Of ``latent``, ``decoder``, ``gradient``, ``probabilities``, ``features``, ``synthesised``."""

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` distinct proposals, never a labelled or pending sample; fewer only when fewer exist."""
