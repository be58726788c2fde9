"""How sure each part of a border is: from the contrast across it, beside what noise alone would show."""

import numpy as np
from scipy import ndimage

from labelers.ivus.evidence import Evidence
from labelers.ivus.stack import ANGLES, STEP_MM

SEEN = 0.35
"""A place whose confidence is below this is interpolated and flagged."""


CLEAR_MM = 0.2
"""Blood that must be seen between ring-down and a lumen: where ring-down ends there is an edge, too."""


def along(edge: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Values ``(angles,)`` of an array ``(angles, samples)`` at radii ``(angles,)`` mm: the best within a sample."""
    place = np.clip(np.rint(radii / STEP_MM - 0.5).astype(np.intp), 1, edge.shape[1] - 2)
    rows = np.arange(len(edge))
    return np.maximum(np.maximum(edge[rows, place - 1], edge[rows, place + 1]), edge[rows, place])


def confidences(evidence: Evidence, lumen: np.ndarray, eem: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence ``(angles,)`` from 0 to 1 of both borders: 1/2 at a contrast that speckle alone rarely shows."""
    return _sure(along(evidence.lumen_edge, lumen), 0.30), _sure(along(evidence.eem_edge, eem), 0.25)


def clear_of_ring(lumen_mm: np.ndarray, ring_mm: float) -> np.ndarray:
    """How much of a lumen at radii ``(..., angles)`` mm ring-down lets be seen: 0 where it touches it, 1 beyond."""
    return np.clip((lumen_mm - ring_mm) / CLEAR_MM, 0.0, 1.0)


def _sure(contrast: np.ndarray, half: float) -> np.ndarray:
    steady = ndimage.gaussian_filter1d(contrast, ANGLES / 96, mode="wrap")
    return np.asarray(1 / (1 + np.exp(-(steady - half) / (0.3 * half))))
