"""Whether a frame shows a vessel at all: borders found in half of its sectors must predict the other half.

Any search finds strong edges in noise: it looks at thousands of places and takes the best. So edges where a border was
looked for prove nothing. Here every second sector is hidden, in all frames at once; the cheapest closed pair of borders
through the others bridges them, and the contrast across the bridge is measured in the hidden sectors. Then the halves
change places. In a frame without a vessel these contrasts scatter about zero, for what was found elsewhere knows
nothing of them, and their mean over its standard error is Student's t; where there is a vessel they have one sign.
"""

import numpy as np
from scipy import ndimage

from labelers.ivus.coarse import COARSE_ANGLES, DEAR, CoarseCosts, coarse
from labelers.ivus.stack import ANGLES, STEP_MM, PolarStack

SECTORS = 12
MIDDLE = (0.25, 0.75)
"""Part of a hidden sector that is looked at: speckle that reaches over from its neighbours is left out."""
LEAST_ANGLES, LEAST_SECTORS, LEAST_SAMPLES = 3, 4, 4
LUMEN_MM, EEM_MM = ((-0.50, -0.08), (0.05, 0.35)), ((-0.20, -0.02), (0.03, 0.36))
"""Windows inside and outside a border: blood and intima, media and adventitia."""
CHANCE, BEYOND_CHANCE = 2.5, 4.5
"""t up to which a border counts as found by chance, and from which it does not."""
MOST_T, MOST_NEIGHBOURS_T = 12.0, 3.5
"""Neighbours alone never show a border: less than sqrt(2) CHANCE, so that a frame's own must be above nothing."""
ALONG_MM, USUAL_SPACING_MM = 1.0, 0.5
LEAST_NEIGHBOURS = 0.3
"""Weight of the neighbours that tell of a sector."""


def predicted(stack: PolarStack, costs: CoarseCosts, calcified: np.ndarray, spacing_mm: float | None) -> np.ndarray:
    """How far lumen and EEM of each frame ``(n, 2)`` are beyond chance: 0 what noise shows, 1 clearly a border.

    A border counts by its own contrast or by that of both: a frame of which one border alone is seen shows a vessel.
    What the frames beside it show speaks for a frame, too. The EEM is not looked for behind calcium, ``calcified``
    ``(n, ANGLES)``.
    """
    contrasts = _contrasts(stack, costs, calcified, spacing_mm)
    own, beside = _either(contrasts), _either(_beside(contrasts, spacing_mm or USUAL_SPACING_MM))
    together = (own + np.clip(beside, -MOST_NEIGHBOURS_T, MOST_NEIGHBOURS_T)) / np.sqrt(2.0)
    return np.clip((np.maximum(own, together) - CHANCE) / (BEYOND_CHANCE - CHANCE), 0.0, 1.0)


def _either(contrasts: np.ndarray) -> np.ndarray:
    """t ``(n, 2)`` of each border or of both together, whichever is greater."""
    t = np.stack([_student(frame) for frame in contrasts])
    return np.maximum(t, t.sum(axis=1, keepdims=True) / np.sqrt(2.0))


def _beside(contrasts: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Mean contrasts of the frames beside each frame, the nearer the weightier, never its own; NaN: too few tell."""
    reach = min(int(3 * ALONG_MM / spacing_mm), len(contrasts) - 1)
    apart = np.abs(np.arange(-reach, reach + 1)) * spacing_mm
    weight = np.where(apart > 0, np.exp(-apart / ALONG_MM), 0.0)
    known = np.isfinite(contrasts)
    counts, sums = (
        ndimage.convolve1d(part, weight, axis=0, mode="constant")
        for part in (known.astype(float), np.where(known, contrasts, 0.0))
    )
    return np.where(counts > LEAST_NEIGHBOURS, sums / np.maximum(counts, 1e-9), np.nan)


def _contrasts(stack: PolarStack, costs: CoarseCosts, calcified: np.ndarray, spacing_mm: float | None) -> np.ndarray:
    """Contrasts ``(n, 2, SECTORS)`` across both borders in each sector, as the other half predicts them; NaN: none."""
    found = np.full((len(stack.grey), 2, SECTORS), np.nan)
    sector = np.arange(COARSE_ANGLES) * SECTORS // COARSE_ANGLES
    for half in (0, 1):
        shown = (sector % 2 != half)[None, :, None]
        lumen, eem = (np.where(shown | (c >= DEAR), c, 0.0) for c in (costs.lumen, costs.eem))
        radii = coarse(CoarseCosts(lumen, eem, costs.step_mm), spacing_mm)
        for f, grey in enumerate(stack.grey):
            total = np.cumsum(np.pad(grey, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
            first, clear = stack.catheter.ring, ~stack.wire[f]
            borders = ((radii.lumen[f], LUMEN_MM, clear), (radii.eem[f], EEM_MM, clear & ~calcified[f]))
            for border, (r, windows, free) in enumerate(borders):
                across = _mean(total, r, windows[1], first) - _mean(total, r, windows[0], first)
                found[f, border, half::2] = _by_sector(across, free)[half::2]
    return found


def _mean(total: np.ndarray, radii: np.ndarray, window_mm: tuple[float, float], first: int) -> np.ndarray:
    """Mean grey ``(angles,)`` in a window about a border; NaN where too little of it lies beyond the catheter."""
    last = total.shape[1] - 1
    low, high = (np.clip(np.rint((radii + mm) / STEP_MM).astype(np.intp), first, last) for mm in window_mm)
    rows = np.arange(len(total))
    mean = (total[rows, high] - total[rows, low]) / np.maximum(high - low, 1)
    return np.where(high - low >= LEAST_SAMPLES, mean, np.nan)


def _by_sector(contrast: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Means ``(SECTORS,)`` over the middle of each sector."""
    per = ANGLES // SECTORS
    place = (np.arange(ANGLES) % per + 0.5) / per
    use = free & (place > MIDDLE[0]) & (place < MIDDLE[1]) & np.isfinite(contrast)
    counts = use.reshape(SECTORS, per).sum(axis=1)
    sums = np.where(use, contrast, 0.0).reshape(SECTORS, per).sum(axis=1)
    return np.where(counts >= LEAST_ANGLES, sums / np.maximum(counts, 1), np.nan)


def _student(contrasts: np.ndarray) -> np.ndarray:
    """t ``(2,)`` of each border's contrasts ``(2, SECTORS)``; 0 where too few sectors tell."""
    found = np.zeros(2)
    for border, row in enumerate(contrasts):
        known = row[np.isfinite(row)]
        if len(known) >= LEAST_SECTORS:
            error = known.std(ddof=1) / np.sqrt(len(known))
            found[border] = known.mean() / max(error, 1e-6)
    return np.clip(found, -MOST_T, MOST_T)
