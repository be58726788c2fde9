"""The slices that the deep-labelling benchmark learns from and is judged by, read once in a process."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dataeff_al import registry
from dataeff_al.errors import DataError
from dataeff_al.randomness import rng_for
from dataeff_al.samples.arrays import AnsweredArrayPool
from dataeff_al.samples.protocol import PoolContext


@dataclass(frozen=True)
class Slices:
    """Images ``(n, h, w)`` in [0, 1], regions ``(n, h, w)`` bool, patients ``(n,)``."""

    images: np.ndarray
    masks: np.ndarray
    patients: np.ndarray

    def of(self, patients: np.ndarray) -> "Slices":
        """The slices of some patients."""
        rows = np.isin(self.patients, patients)
        return Slices(self.images[rows], self.masks[rows], self.patients[rows])


@cache
def slices() -> tuple[Slices, Slices]:
    """Training and test slices. Raises DataError without DATAEFF_DATA."""
    root = os.environ.get("DATAEFF_DATA")
    if not root:
        raise DataError("DATAEFF_DATA must name the shared data folder, but got none.")
    plugin = registry.get("pools", "sunnybrook")
    pool: AnsweredArrayPool = plugin.factory()(plugin.params(), PoolContext(Path(), Path(root), 0))
    held_out = set(pool.held_out())
    train = [sample_id for sample_id in pool.ids() if sample_id not in held_out]
    return _slices(pool, train), _slices(pool, list(pool.held_out()))


def _slices(pool: AnsweredArrayPool, ids: list) -> Slices:
    images = np.stack([sample.fields["x"][0] for sample in pool.read(ids)])
    masks = np.stack([answer["mask"] > 0 for answer in pool.answers(ids)])
    return Slices(images, masks, np.array([pool.group(sample_id) for sample_id in ids]))


def training(k: int, seed: int) -> Slices:
    """The slices of the first ``k`` patients of the seed's order."""
    train, _ = slices()
    order = rng_for(seed, "deep labelling", "patients").permutation(np.unique(train.patients))
    return train.of(order[:k])
