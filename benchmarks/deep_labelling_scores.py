"""Scores of masks and contours, and intervals over patients."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

from benchmarks.harness import Json

DRAWS = 2000


def overlap(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Dice ``(n,)`` of masks ``(n, h, w)``; an empty answer to a region scores 0."""
    both = (found & truth).sum(axis=(1, 2))
    return np.asarray(2 * both / np.maximum(found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)), 1))


def recall(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The share of each region that was found, ``(n,)``."""
    return np.asarray((found & truth).sum(axis=(1, 2)) / np.maximum(truth.sum(axis=(1, 2)), 1))


def contour_gap_px(found: np.ndarray, truth: np.ndarray) -> float | None:
    """The mean distance between two regions' edges, both ways, px; None without an answer."""
    if not found.any():
        return None
    edges = [mask & ~binary_erosion(mask) for mask in (found, truth)]
    ways = [distance_transform_edt(~other)[one] for one, other in (edges, edges[::-1])]
    return float(np.mean([way.mean() for way in ways]))


def paired_interval(ours: Sequence[Json], other: Sequence[Json]) -> tuple[float, float, float]:
    """The mean difference in Dice over slices, and its 95 % interval by bootstrap over patients (seeds averaged)."""
    rng = np.random.default_rng(0)
    gaps = np.mean([np.array(a["dice"]) - np.array(b["dice"]) for a, b in zip(ours, other, strict=True)], axis=0)
    names = np.array(ours[0]["patients"])
    members = [gaps[names == name] for name in np.unique(names)]
    means = []
    for _ in range(DRAWS):
        drawn = rng.integers(0, len(members), len(members))
        means.append(np.concatenate([members[one] for one in drawn]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return float(gaps.mean()), float(low), float(high)
