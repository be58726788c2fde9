"""What samplers and trainers may see of a campaign, and nothing else: no test label ever enters a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.generators.protocol import Generator
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import Learner
from dataeff_al.priors.protocol import Prior
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import Sample, SampleId, TargetSpec


@dataclass(frozen=True)
class Labelled:
    """A sample with its label, the round that bought it, and whether it was synthesised."""

    sample: Sample
    label: Label
    round: int = 0
    synthesised: bool = False


@dataclass(frozen=True)
class Latents:
    """Latent means of pool samples: ``z`` ``(n, latent_dim)`` float32, one row for each of ``ids``."""

    ids: Sequence[SampleId]
    z: np.ndarray


@dataclass(frozen=True)
class View:
    """One moment of a campaign. Lists stand in query order, which makes training deterministic.

    ``unlabelled``: pool ids that may still be queried. ``pending``: samples asked for and not yet answered.
    ``learner``: the current model, or None before the first fit. ``new_learner(seed)`` makes an untrained one.
    """

    pool: Pool
    codec: Codec
    target: TargetSpec
    generator: Generator | None
    latents: Latents | None
    learner: Learner | None
    new_learner: Callable[[int], Learner]
    priors: Sequence[Prior]
    labelled: Sequence[Labelled]
    validation: Sequence[Labelled]
    unlabelled: Sequence[SampleId]
    pending: Sequence[Sample]
    round: int
