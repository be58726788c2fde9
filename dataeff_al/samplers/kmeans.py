"""Lloyd's k-means with k-means++ seeding (Arthur and Vassilvitskii, 2007): small, and the same on every machine."""

import numpy as np

from dataeff_al.samplers.latent import squared_distances

_PASSES = 30
_ROWS_AT_ONCE = 4096


def kmeans(z: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres ``(k, d)`` and the cluster of each row of ``z`` ``(n, d)``, ``(n,)`` int64; ``k`` at most ``n``."""
    centres = _seeds(z.astype(np.float64), k, rng)
    cluster = nearest(z, centres)
    for _ in range(_PASSES):
        centres = _means(z, cluster, centres)
        moved = nearest(z, centres)
        if np.array_equal(moved, cluster):
            break
        cluster = moved
    return centres, cluster


def nearest(z: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the centre nearest to each row, ``(n,)`` int64."""
    starts = range(0, len(z), _ROWS_AT_ONCE)
    parts = [squared_distances(z[start : start + _ROWS_AT_ONCE], centres).argmin(1) for start in starts]
    return np.concatenate(parts)


def nearest_squared(z: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distance of each row to the centre nearest to it, ``(n,)`` float64."""
    starts = range(0, len(z), _ROWS_AT_ONCE)
    return np.concatenate([squared_distances(z[start : start + _ROWS_AT_ONCE], centres).min(1) for start in starts])


def _seeds(z: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    chosen = [int(rng.integers(len(z)))]
    distance = ((z - z[chosen[0]]) ** 2).sum(1)
    while len(chosen) < k:
        total = distance.sum()
        # Only copies of chosen rows are left when the total is zero: any of the others will do.
        weight = distance / total if total > 0 else _others(len(z), chosen)
        chosen.append(int(rng.choice(len(z), p=weight)))
        distance = np.minimum(distance, ((z - z[chosen[-1]]) ** 2).sum(1))
    return z[chosen]


def _others(n: int, chosen: list[int]) -> np.ndarray:
    weight = np.ones(n)
    weight[chosen] = 0.0
    return weight / weight.sum()


def _means(z: np.ndarray, cluster: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Mean of each cluster's rows; an empty cluster keeps its centre."""
    sums = np.zeros_like(centres)
    np.add.at(sums, cluster, z)
    count = np.bincount(cluster, minlength=len(centres))[:, None]
    return np.where(count > 0, sums / np.maximum(count, 1), centres)
