"""The pool in latent space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View


@dataclass(frozen=True)
class LatentTable:
    """Latents ``z`` ``(n, d)`` float32 by sample id."""

    row: Mapping[SampleId, int]
    z: np.ndarray

    def of(self, ids: Sequence[SampleId]) -> np.ndarray:
        """Latents ``(len(ids), d)``. Raises :class:`DataError` for an id without one."""
        missing = [sample_id for sample_id in ids if sample_id not in self.row]
        if missing:
            raise DataError(f"every sample must have a latent, but got none for {missing[0]!r}.")
        return self.z[[self.row[sample_id] for sample_id in ids]]

    @property
    def scale(self) -> float:
        """Root mean square distance of the pool from its mean: the unit of steps and radii."""
        return float(np.sqrt(((self.z - self.z.mean(0)) ** 2).sum(1).mean()))


def latent_table(view: View, sampler: str) -> LatentTable:
    """The view's latents. Raises :class:`CapabilityError` when it has none."""
    if view.latents is None:
        raise CapabilityError(f"sampler {sampler} must have latents of the pool, but got none.")
    z = np.asarray(view.latents.z, np.float32)
    return LatentTable({sample_id: row for row, sample_id in enumerate(view.latents.ids)}, z)


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between all rows of ``a`` ``(n, d)`` and ``b`` ``(m, d)``: ``(n, m)`` float64, never negative."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    found = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * a @ b.T
    return np.maximum(found, 0.0)
