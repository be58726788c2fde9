"""Calcium as arcs: runs of angles with a bright front and a shadow, drawn where the front is.

Grey levels cannot tell fibrous, fibro-fatty and necrotic tissue apart reliably, and this module does not try: what is
no calcium is wall.
"""

import numpy as np
from scipy import ndimage

from labelers.ivus.borders import CalciumArc
from labelers.ivus.polar import contour_mm
from labelers.ivus.segmenting import Found
from labelers.ivus.stack import ANGLES
from labelers.ivus.wire import sectors

LEAST_ARC_DEG, BRIDGED_DEG = 15.0, 10.0
LEAST_DEPTH_MM, MARGIN_MM = 0.15, 0.04
BACK_GUESS_MM = 0.3
"""Depth to which calcium is drawn behind its front at most: it hides its own back."""


def calcium_arcs(found: Found, frame: int, centre_mm: np.ndarray) -> list[CalciumArc]:
    """The arcs of one frame; gaps of a few degrees are bridged, short arcs dropped."""
    bridge = int(BRIDGED_DEG * ANGLES / 360)
    around = np.tile(found.shadows.calcified[frame], 3)
    joined = ndimage.binary_closing(around, np.ones(bridge + 1, dtype=bool))[ANGLES : 2 * ANGLES]
    lumen, eem, front = found.radii.lumen[frame], found.radii.eem[frame], found.shadows.front_mm[frame]
    long = [sector for sector in sectors(joined) if len(sector) * 360 / ANGLES >= LEAST_ARC_DEG]
    return [_arc(sector, front, lumen, eem, centre_mm) for sector in long]


def _arc(
    sector: np.ndarray, front: np.ndarray, lumen: np.ndarray, eem: np.ndarray, centre_mm: np.ndarray
) -> CalciumArc:
    """The arc over a run of angles; drawn in the wall, clear of both borders."""
    at = sector
    low, high = lumen[at] + MARGIN_MM, eem[at] - MARGIN_MM
    inner = np.clip(front[at] - LEAST_DEPTH_MM / 2, low, np.maximum(high - LEAST_DEPTH_MM, low))
    outer = np.clip(inner + BACK_GUESS_MM, inner + 0.02, np.maximum(high, inner + 0.02))
    rims = [contour_mm(np.bincount(at, radii, ANGLES), centre_mm)[at] for radii in (inner, outer)]
    per = 360 / ANGLES
    start = (sector[0] - 0.5) * per
    return CalciumArc(start, start + len(sector) * per, np.vstack([rims[0], rims[1][::-1]]))
