"""Smooth closed borders from places that are known to different degrees: what is not seen follows what is.

Minimises ``sum w (x - y)^2 + stiffness * sum (x'' angle^2)^2`` over closed curves: with weight 0 somewhere, the curve
bridges the gap as an elastic ring would.
"""

from functools import cache

import numpy as np
from scipy.linalg import solveh_banded


@cache
def _bending(angles: int, length: int) -> np.ndarray:
    """Upper bands ``(3, length)`` of ``D^T D`` of the second difference over an unrolled ring, angles in radians."""
    second = np.zeros((length - 2, length))
    rows = np.arange(length - 2)
    for shift, value in ((0, 1.0), (1, -2.0), (2, 1.0)):
        second[rows, rows + shift] = value
    full = second.T @ second * (angles / (2 * np.pi)) ** 4 / angles
    return np.stack([np.concatenate([np.zeros(2 - k), np.diagonal(full, 2 - k)]) for k in range(3)])


def smooth_ring(radii: np.ndarray, weights: np.ndarray, stiffness: float) -> np.ndarray:
    """The smooth closed curve ``(angles,)`` through radii with weights ``(angles,)`` at least 0.

    The ring is unrolled with half a turn more at both ends, so that a banded system gives the closed curve.
    """
    angles = len(radii)
    more = angles // 2
    turns = np.arange(-more, angles + more) % angles
    # the least weight keeps the system regular where nothing is seen anywhere
    share = np.maximum(weights, 1e-6)[turns] / angles
    bands = stiffness * _bending(angles, len(turns))
    bands[2] += share
    return np.asarray(solveh_banded(bands, share * radii[turns]))[more : more + angles]


def smooth_rings(radii: np.ndarray, weights: np.ndarray, stiffness: float, neighbours: float) -> np.ndarray:
    """Curves ``(n, angles)`` of a pullback; ``neighbours`` is the weight of the frames on both sides.

    Two passes: first each frame alone, then with the mean of the frames before and behind beside its own radii. Where a
    frame sees nothing, its neighbours, moved to its own size, decide.
    """
    alone = np.stack([smooth_ring(r, w, stiffness) for r, w in zip(radii, weights, strict=True)])
    if len(radii) < 2 or neighbours <= 0:
        return alone
    found = np.empty_like(alone)
    for f in range(len(alone)):
        near = [alone[g] + _offset(alone[f] - alone[g], weights[f]) for g in (f - 1, f + 1) if 0 <= g < len(alone)]
        there = np.mean(near, axis=0)
        joint = weights[f] + neighbours
        found[f] = smooth_ring((weights[f] * radii[f] + neighbours * there) / joint, joint, stiffness)
    return found


def circle_about(lumen_mm: np.ndarray, eem_mm: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Radii ``(angles,)`` mm of the circle about the lumen's centre that fits the EEM where it is ``sure``.

    A gap in the EEM is bridged as a ring about the vessel, and not about a catheter that lies beside its middle.
    """
    theta = 2 * np.pi * np.arange(len(lumen_mm)) / len(lumen_mm)
    ways = np.stack([np.cos(theta), np.sin(theta)])
    centre = (ways * lumen_mm**3).sum(axis=1) / (1.5 * (lumen_mm**2).sum())
    away = np.hypot(*(ways * eem_mm - centre[:, None]))
    size = float(np.average(away, weights=sure**2 + 1e-6))
    along, across = centre @ ways, centre[0] * ways[1] - centre[1] * ways[0]
    return np.asarray(along + np.sqrt(np.maximum(size**2 - across**2, 0.0)))


def _offset(difference: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum())
    return float((difference * weights).sum() / total) if total > 1e-9 else 0.0
