"""What speaks for a border at each place of a polar frame: edges, and what lies before them.

Nothing here knows how an image was made. Blood is darker than tissue, the external elastic membrane divides the dark
media from the bright adventitia; windows are wide enough to average speckle, and every level is relative to the
recording's own blood and tissue.
"""

from dataclasses import dataclass, replace

import numpy as np

from labelers.ivus.stack import STEP_MM, smoothed

BLOOD_WINDOW_MM, INTIMA_WINDOW_MM, FLANK_WINDOW_MM = 0.36, 0.27, 0.21
MEDIA_WINDOW_MM, ADVENTITIA_WINDOW_MM = 0.15, 0.33
PASSED_MM = 0.05
"""Tissue of so much depth, at full contrast, ends what can be blood and begins what can lie inside the EEM."""

BEFORE_CALCIUM = 2.0
"""Cost of an EEM before the front of calcium."""
DISPLAY_RANGE, MOST_UNFOLDED = 5.5, 3.0


@dataclass(frozen=True)
class Levels:
    """Grey levels of blood, of the wall next to it, and of tissue beyond, adventitia included, in one frame."""

    blood: float
    wall: float
    tissue: float

    @property
    def contrast(self) -> float:
        """Their difference, never nothing."""
        return max(self.tissue - self.blood, 0.08)


@dataclass(frozen=True)
class Evidence:
    """Costs ``(angles, radii)`` of lumen and EEM, and the contrast across each place that the confidence looks at."""

    lumen: np.ndarray
    lumen_near: np.ndarray
    eem: np.ndarray
    lumen_edge: np.ndarray
    eem_edge: np.ndarray


def gather(grey: np.ndarray, levels: Levels, first: int, hidden: np.ndarray) -> Evidence:
    """Costs of one frame ``(angles, radii)``; ``first``: samples that the catheter hides, ``hidden`` ``(angles,)``."""
    plain = (grey - levels.blood) / levels.contrast
    plain[:, :first] = 0.0
    plain[hidden] = 0.5
    scaled = smoothed(plain, 1.2, 0.03)
    first_tissue = max(levels.wall - levels.blood, 0.06)
    unfolded = smoothed(decompressed(plain * (levels.contrast / first_tissue), first_tissue), 1.2, 0.03)
    wide = smoothed(unfolded, 1.6, 0.03)
    passed = tissue_passed_mm(wide) / PASSED_MM
    still_blood = np.exp(-passed)
    region = passed - np.cumsum(np.maximum(0.5 - wide, 0.0) * still_blood, axis=1) * STEP_MM / 0.25
    tissue_passed = np.cumsum(np.maximum(scaled - 0.5, 0.0), axis=1) * STEP_MM / PASSED_MM
    total = np.cumsum(np.pad(scaled, ((0, 0), (1, 0))), axis=1)
    echo = np.cumsum(np.pad(unfolded, ((0, 0), (1, 0))), axis=1)
    lumen_edge = _outside(echo, INTIMA_WINDOW_MM) - _inside(echo, BLOOD_WINDOW_MM)
    adventitia = _outside(total, ADVENTITIA_WINDOW_MM)
    eem_edge = adventitia - _inside(total, MEDIA_WINDOW_MM)
    lumen = -1.6 * np.tanh(1.5 * lumen_edge) + 1.0 * np.minimum(region, 3.0)
    near = -np.clip(_outside(echo, FLANK_WINDOW_MM) - _inside(echo, FLANK_WINDOW_MM), -1.5, 1.5)
    near += 6.0 * np.cumsum(np.clip(wide - 0.5, -1.0, 1.0), axis=1) * STEP_MM
    eem = -1.4 * np.tanh(1.2 * eem_edge) - 1.4 * np.tanh(adventitia - 1.0) + 1.5 * np.exp(-0.7 * tissue_passed)
    for cost in (lumen, near, eem, lumen_edge, eem_edge):
        cost[hidden] = 0.0
    return Evidence(lumen, near, eem, lumen_edge, eem_edge)


def without_eem(evidence: Evidence, calcified: np.ndarray, front_mm: np.ndarray) -> Evidence:
    """The evidence without any for the EEM at angles ``(angles,)`` that calcium hides.

    What is bright there or ends there is calcium's. The EEM lies behind calcium's front ``(angles,)`` mm, and its
    neighbours in angle and along the pullback decide where.
    """
    if not calcified.any():
        return evidence
    hidden = calcified[:, None]
    place = (np.arange(evidence.eem.shape[1]) + 0.5)[None] * STEP_MM
    unseen = np.where(place < front_mm[:, None], BEFORE_CALCIUM, 0.0)
    edge = np.where(hidden, 0.0, evidence.eem_edge)
    return replace(evidence, eem=np.where(hidden, unseen, evidence.eem), eem_edge=edge)


def decompressed(scaled: np.ndarray, contrast: float) -> np.ndarray:
    """Grey levels relative to blood (0) and tissue (1) on a scale nearer to echo amplitude, 0 and 1 kept.

    A display is logarithmic, so that the pulse's flank before a bright border looks bright, too: half-way in grey lies
    before the border. Half-way in amplitude lies on it. ``contrast`` is that of the display, of whose range 20 / ln 10
    dB are about an eighth.
    """
    k = np.float32(np.clip(DISPLAY_RANGE * contrast, 1.0, MOST_UNFOLDED))
    return np.expm1(k * np.clip(scaled, -0.5, 1.4)) / np.expm1(k)


def tissue_passed_mm(scaled: np.ndarray) -> np.ndarray:
    """Depth of tissue ``(angles, radii)`` that a beam has passed for sure, mm at full contrast.

    Page's cumulative sum (1954) of what is brighter than half-way between blood (0) and tissue (1): the dark of speckle
    takes back what its bright gave, so that bright blood never adds up to tissue. What was once reached stays.
    """
    total = np.cumsum(np.clip(scaled - 0.5, -1.0, 1.0), axis=1) * STEP_MM
    change = total - np.minimum.accumulate(np.minimum(total, 0.0), axis=1)
    return np.asarray(np.maximum.accumulate(change, axis=1))


def _outside(total: np.ndarray, window_mm: float) -> np.ndarray:
    """Mean of the samples from each place outwards, over a window that stops at the end."""
    n = total.shape[1] - 1
    here, there = np.arange(n), np.minimum(np.arange(n) + max(1, round(window_mm / STEP_MM)), n)
    return (total[:, there] - total[:, here]) / np.maximum(there - here, 1)


def _inside(total: np.ndarray, window_mm: float) -> np.ndarray:
    """Mean of the samples from each place inwards, over a window that stops at the axis."""
    here = np.arange(total.shape[1] - 1)
    there = np.maximum(here - max(1, round(window_mm / STEP_MM)), 0)
    return (total[:, here] - total[:, there]) / np.maximum(here - there, 1)
