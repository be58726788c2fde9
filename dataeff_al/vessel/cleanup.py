"""Light repair of decoded masks: what a person with an eraser would do without thinking.

Specks are dropped, holes are closed; nothing is moved and no border is smoothed. A mask that needs more is left for
the validity gate to refuse.
"""

import numpy as np
from scipy import ndimage

from dataeff_al.vessel.measures import INCLUSIONS
from dataeff_al.vessel.tissues import LUMEN, OUTSIDE, WALL

SPECK = 4
"""Inclusions smaller than this many pixels become wall."""


def clean(mask: np.ndarray) -> np.ndarray:
    """A repaired copy of the mask ``(h, w)`` uint8.

    Keeps the largest vessel and the largest lumen, turns specks of inclusions and of lumen into wall, and fills holes.
    """
    mask = mask.copy()
    mask[(mask != OUTSIDE) & ~_largest(mask != OUTSIDE)] = OUTSIDE
    mask[ndimage.binary_fill_holes(mask != OUTSIDE) & (mask == OUTSIDE)] = WALL
    lumen = ndimage.binary_fill_holes(_largest(mask == LUMEN))
    mask[(mask == LUMEN) & ~lumen] = WALL
    mask[lumen] = LUMEN
    for code in INCLUSIONS:
        mask[_specks(mask == code)] = WALL
    return mask


def _largest(region: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(region)
    if count < 2:
        return region
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))


def _specks(region: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(region, structure=np.ones((3, 3)))
    small = np.bincount(labels.ravel(), minlength=count + 1) < SPECK
    small[0] = False
    return np.asarray(small[labels])
