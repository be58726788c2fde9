"""How well two borders agree: the measures of the 2011 challenge (Balocco et al., 2014)."""

import numpy as np
from scipy.spatial.distance import cdist
from skimage.draw import polygon2mask

GRID_MM = 0.015


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of the areas within two closed borders ``(k, 2)`` mm, on a grid of 15 micrometres."""
    low, high = np.minimum(a.min(axis=0), b.min(axis=0)) - GRID_MM, np.maximum(a.max(axis=0), b.max(axis=0)) + GRID_MM
    shape = tuple(np.ceil((high - low) / GRID_MM).astype(int) + 1)
    first, second = (polygon2mask(shape, (points - low) / GRID_MM) for points in (a, b))
    return float((first & second).sum() / (first | second).sum())


def hausdorff_mm(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest distance from a point of one border to the other, either way."""
    apart = cdist(dense(a), dense(b))
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def dense(points: np.ndarray, parts: int = 4) -> np.ndarray:
    """A closed polyline with ``parts`` points an edge."""
    share = np.arange(parts)[None, :, None] / parts
    return np.asarray(points[:, None] * (1 - share) + np.roll(points, -1, axis=0)[:, None] * share).reshape(-1, 2)


def area_difference(found: np.ndarray, truth: np.ndarray) -> float:
    """Difference of the areas, as a share of the true one."""
    x, y = found.T
    u, v = truth.T
    sizes = [abs(np.sum(p * np.roll(q, -1) - np.roll(p, -1) * q)) for p, q in ((x, y), (u, v))]
    return float(abs(sizes[0] - sizes[1]) / sizes[1])
