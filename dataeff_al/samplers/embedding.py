"""The space in which a sampler compares samples: the generator's latents, or the current model's features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from dataeff_al.samplers.candidates import generator_of, inputs, learner_of
from dataeff_al.samplers.latent import LatentTable, latent_table
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.view import View

_ROWS_AT_ONCE = 256


class Embedding(Protocol):
    """Places ``(n, d)`` float32 of candidates by id, and of samples at hand (labelled, pending, synthesised)."""

    def of_ids(self, ids: Sequence[SampleId]) -> np.ndarray:
        """Places of pool samples."""

    def of_samples(self, samples: Sequence[Sample]) -> np.ndarray:
        """Places of samples themselves."""


class LatentSpace:
    """The generator's latents; of a sample that is not in the pool, its encoding."""

    def __init__(self, view: View, sampler: str) -> None:
        self._view, self._sampler = view, sampler
        self._table: LatentTable = latent_table(view, sampler)

    def of_ids(self, ids: Sequence[SampleId]) -> np.ndarray:
        """Latents of pool samples."""
        return self._table.of(ids)

    def of_samples(self, samples: Sequence[Sample]) -> np.ndarray:
        """Latents of samples, known ones from the table."""
        known = [sample.id in self._table.row for sample in samples]
        found = np.zeros((len(samples), self._table.z.shape[1]), np.float32)
        found[known] = self._table.of([sample.id for sample, here in zip(samples, known, strict=True) if here])
        strange = [sample for sample, here in zip(samples, known, strict=True) if not here]
        if strange:
            with torch.no_grad():
                encoded = generator_of(self._view, self._sampler).encode(self._view.codec.soften(strange))
            found[~np.asarray(known)] = encoded.numpy()
        return found


class FeatureSpace:
    """The current model's last hidden representation."""

    def __init__(self, view: View, sampler: str) -> None:
        self._view, self._learner = view, learner_of(view, sampler)

    def of_ids(self, ids: Sequence[SampleId]) -> np.ndarray:
        """Features of pool samples."""
        return np.concatenate([self._learner.features(x).float().numpy() for x in inputs(self._view, ids)])

    def of_samples(self, samples: Sequence[Sample]) -> np.ndarray:
        """Features of samples."""
        blocks = [samples[at : at + _ROWS_AT_ONCE] for at in range(0, len(samples), _ROWS_AT_ONCE)]
        return np.concatenate([self._learner.features(self._view.codec.soften(b)).float().numpy() for b in blocks])


SPACES: Mapping[str, Callable[[View, str], Embedding]] = {"latent": LatentSpace, "features": FeatureSpace}
"""Spaces by name."""


def held(view: View) -> list[Sample]:
    """Samples that are labelled or pending: what new ones should differ from."""
    return [*(labelled.sample for labelled in view.labelled), *view.pending]
