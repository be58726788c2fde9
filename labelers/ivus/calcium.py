"""Calcium: a front much brighter than the tissue around, with next to nothing behind it.

Grey levels cannot tell fibrous, fibro-fatty and necrotic tissue apart reliably, and this module does not try: what is
no calcium is wall.
"""

import numpy as np
from scipy import ndimage

from labelers.ivus.borders import CalciumArc
from labelers.ivus.polar import contour_mm
from labelers.ivus.segmenting import Found
from labelers.ivus.stack import ANGLES, STEP_MM, PolarStack, smoothed

BRIGHT_SHARE = 1.05
"""Least brightness of the front, as a share of the contrast between blood and tissue."""
SHADOW_SHARE = 0.55
SHADOW_FROM_MM, SHADOW_TO_MM = 0.35, 1.4
LEAST_ARC_DEG, BRIDGED_DEG = 15.0, 10.0
LEAST_DEPTH_MM, MARGIN_MM = 0.15, 0.04
BACK_GUESS_MM = 0.3
"""Depth to which calcium is drawn behind its front at most: it hides its own back."""


def calcium_arcs(stack: PolarStack, found: Found, frame: int) -> list[CalciumArc]:
    """The arcs of one frame."""
    grey = smoothed(stack.grey[frame], 1.5, 0.03)
    lumen, eem = found.radii.lumen[frame], found.radii.eem[frame]
    level = found.levels[frame]
    front = _brightest(grey, lumen, eem)
    rows = np.arange(ANGLES)
    bright = grey[rows, front] > level.blood + BRIGHT_SHARE * level.contrast
    shadow = _behind(grey, front)
    usual = np.median(shadow)
    calcified = bright & (shadow < SHADOW_SHARE * usual) & ~stack.wire[frame]
    sectors = _sectors(calcified)
    return [_arc(sector, front, lumen, eem, stack.centre_mm) for sector in sectors]


def _brightest(grey: np.ndarray, lumen: np.ndarray, eem: np.ndarray) -> np.ndarray:
    """Sample ``(ANGLES,)`` of the brightest place between the borders."""
    samples = np.arange(grey.shape[1])[None] * STEP_MM
    within = (samples >= lumen[:, None]) & (samples <= np.maximum(eem, lumen + 2 * STEP_MM)[:, None])
    return np.where(within, grey, -1.0).argmax(axis=1)


def _behind(grey: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Mean grey ``(ANGLES,)`` behind the front."""
    offsets = np.arange(int(SHADOW_FROM_MM / STEP_MM), int(SHADOW_TO_MM / STEP_MM))
    columns = np.minimum(front[:, None] + offsets, grey.shape[1] - 1)
    return np.take_along_axis(grey, columns, axis=1).mean(axis=1)


def _sectors(calcified: np.ndarray) -> list[np.ndarray]:
    """Runs of angles, closed in angle, gaps of a few degrees bridged, short ones dropped; indices in order."""
    per = 360 / ANGLES
    bridge = int(BRIDGED_DEG / per)
    padded = np.concatenate([calcified] * 3)
    joined = ndimage.binary_closing(padded, np.ones(bridge + 1, dtype=bool))[ANGLES : 2 * ANGLES]
    if joined.all():
        return [np.arange(ANGLES)]
    if not joined.any():
        return []
    start = int(np.flatnonzero(~joined)[0])
    labels, count = ndimage.label(np.roll(joined, -start))
    runs = [np.flatnonzero(labels == label) + start for label in range(1, count + 1)]
    return [run for run in runs if len(run) * per >= LEAST_ARC_DEG]


def _arc(
    sector: np.ndarray, front: np.ndarray, lumen: np.ndarray, eem: np.ndarray, centre_mm: np.ndarray
) -> CalciumArc:
    """The arc over a run of angles; drawn in the wall, clear of both borders."""
    at = sector % ANGLES
    low, high = lumen[at] + MARGIN_MM, eem[at] - MARGIN_MM
    inner = np.clip(front[at] * STEP_MM - LEAST_DEPTH_MM / 2, low, np.maximum(high - LEAST_DEPTH_MM, low))
    outer = np.clip(inner + BACK_GUESS_MM, inner + 0.02, np.maximum(high, inner + 0.02))
    rims = [contour_mm(np.bincount(at, radii, ANGLES), centre_mm)[at] for radii in (inner, outer)]
    per = 360 / ANGLES
    start = (sector[0] - 0.5) * per
    return CalciumArc(start, start + len(sector) * per, np.vstack([rims[0], rims[1][::-1]]))
