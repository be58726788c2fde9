"""Guide-wire sectors: a bright spot beside the catheter and nothing but dark behind it."""

import numpy as np
from scipy import ndimage

from labelers.ivus.catheter import Catheter

NEAR_MM, BEHIND_MM = 0.6, 2.6
DARK_SHARE = 0.45
SPOT = 0.2
"""A wire is so much brighter than the other angles at its depth, averaged over three angles and samples."""
WIDEST = 0.14
"""Share of the circle that a wire's shadow takes at most; wider shadows belong to calcium."""


def wire_sectors(grey: np.ndarray, catheter: Catheter, step_mm: float) -> np.ndarray:
    """Which angles ``(n, angles)`` bool of polar frames ``(n, angles, radii)`` a guide-wire hides."""
    first, near, behind = catheter.ring, int(NEAR_MM / step_mm), int(BEHIND_MM / step_mm)
    # beside the other angles at the same depth: neither ring-down nor a bright wall near the catheter hides the spot
    close = grey[:, :, catheter.radius : first + near]
    close = close - np.median(close, axis=1, keepdims=True)
    far = grey[:, :, first + near : first + behind].mean(axis=2)
    far = ndimage.uniform_filter1d(far, 5, axis=1, mode="wrap")
    usual = np.median(far, axis=1, keepdims=True)
    lit = ndimage.uniform_filter(close, (1, 3, 3), mode=("nearest", "wrap", "nearest")).max(axis=2) > SPOT
    dark = far < DARK_SHARE * usual
    found = np.zeros(dark.shape, dtype=bool)
    for frame in range(len(grey)):
        found[frame] = _narrow_with_spot(dark[frame], lit[frame])
    return _widened(found)


def _narrow_with_spot(dark: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Dark sectors, closed in angle, that are narrow and hold a bright spot."""
    angles = len(dark)
    if dark.all() or not dark.any():
        return np.zeros(angles, dtype=bool)
    start = int(np.flatnonzero(~dark)[0])
    labels, count = ndimage.label(np.roll(dark, -start))
    spots = np.roll(ndimage.maximum_filter1d(lit, 5, mode="wrap"), -start)
    kept = np.zeros(angles, dtype=bool)
    for label in range(1, count + 1):
        sector = labels == label
        if 2 <= sector.sum() <= WIDEST * angles and spots[sector].any():
            kept |= sector
    return np.roll(kept, start)


def _widened(found: np.ndarray) -> np.ndarray:
    """Three angles more at both sides, across the last angle, too."""
    return sum((np.roll(found, shift, axis=1) for shift in range(-3, 4)), np.zeros(found.shape, dtype=bool))
