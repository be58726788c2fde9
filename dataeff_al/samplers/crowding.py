"""How typical of the pool a sample's place is: what lies alone, as junk does, is worth less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataeff_al.samplers.latent import latent_table, squared_distances
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_MOST_LANDMARKS = 1024
_NEIGHBOURS = 5
_ROWS_AT_ONCE = 2048
_LEAST = 1e-12


def crowding(view: View, sampler: str, ids: Sequence[SampleId], sharpness: float) -> np.ndarray:
    """Weights ``(n,)`` of the samples ``ids``: 1 where the pool is as dense as usual or denser, less where it is not.

    The usual squared distance to the five nearest of about a thousand landmarks, which are taken evenly from the pool,
    over the sample's own, to the power of ``sharpness`` (the information density of Settles and Craven, 2008, with a
    distance in the place of a likeness). All ones with a sharpness of 0, for which no latents are needed. Raises
    CapabilityError when there are no latents.
    """
    if sharpness == 0.0:
        return np.ones(len(ids), np.float32)
    table = latent_table(view, sampler)
    landmarks = table.z[:: -(-len(table.z) // _MOST_LANDMARKS)]
    usual = float(np.median(_remoteness(landmarks, landmarks)))
    own = _remoteness(table.of(ids), landmarks)
    weight = np.minimum(usual / np.maximum(own, _LEAST), 1.0) if usual > 0 else (own <= 0).astype(np.float64)
    return np.maximum(weight**sharpness, _LEAST)


def _remoteness(z: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Mean squared distance to the nearest landmarks but the very nearest, which may be the sample itself."""
    first = min(1, len(landmarks) - 1)
    blocks = (z[start : start + _ROWS_AT_ONCE] for start in range(0, len(z), _ROWS_AT_ONCE))
    parts = [np.sort(squared_distances(block, landmarks), 1)[:, first : first + _NEIGHBOURS] for block in blocks]
    return np.concatenate(parts).mean(1)
