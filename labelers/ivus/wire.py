"""Guide-wire sectors: a small bright spot in the blood beside the catheter and nothing but dark behind it.

Calcium close to the catheter is bright with dark behind, too. What tells them apart: a wire's spot is narrow, however
wide the shadow in which it lies, and it lies in the lumen.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from labelers.ivus.catheter import Catheter

NEAR_MM, BEHIND_MM = 0.6, 2.6
DARK_SHARE, USUAL_PERCENTILE = 0.45, 65.0
BESIDE_SPOT = 25
"""Pairs of angles around a spot with which it is compared."""
SPOT = 0.3
"""A wire is so much brighter than the angles around at its depth, averaged over three angles and samples."""
WIDEST = 0.085
"""Share of the circle that a wire's spot takes at most; wider ones belong to calcium."""
BESIDE, MORE = 4, 3
"""Angles beside the spot to which its shadow reaches, and that are hidden beside the shadow."""
BEYOND_LUMEN_MM = 0.06
"""So far beyond the lumen's border a wire's spot may seem to lie: borders are not exact."""


@dataclass(frozen=True)
class Wires:
    """Which angles ``(n, angles)`` a wire may hide, and how deep its spot lies there, mm (0 elsewhere)."""

    hidden: np.ndarray
    spot_mm: np.ndarray

    def within(self, lumen_mm: np.ndarray) -> "Wires":
        """Those whose spot lies within the lumen ``(n, angles)`` mm: others are bright wall, mostly calcium."""
        kept = np.zeros_like(self.hidden)
        for frame, hidden in enumerate(self.hidden):
            for sector in sectors(hidden):
                beyond = self.spot_mm[frame, sector] - lumen_mm[frame, sector]
                kept[frame, sector] = np.median(beyond) < BEYOND_LUMEN_MM
        return Wires(kept, np.where(kept, self.spot_mm, 0.0))


def find_wires(grey: np.ndarray, catheter: Catheter, step_mm: float) -> Wires:
    """Wires in polar frames ``(n, angles, radii)`` of grey levels."""
    first, near, behind = catheter.ring, int(NEAR_MM / step_mm), int(BEHIND_MM / step_mm)
    excess = _excess(grey[:, :, catheter.radius : first + near])
    far = grey[:, :, first + near : first + behind].mean(axis=2)
    far = ndimage.uniform_filter1d(far, 5, axis=1, mode="wrap")
    # Beside the whole recording: in a frame full of calcium, dark is usual.
    dark = far < DARK_SHARE * np.percentile(far, USUAL_PERCENTILE)
    hidden, spot_mm = np.zeros(dark.shape, dtype=bool), np.zeros(dark.shape)
    for frame, bright in enumerate(excess):
        spots = sectors(dark[frame] & (bright.max(axis=1) > SPOT))
        for spot in (s for s in spots if len(s) <= WIDEST * dark.shape[1]):
            shadow = _around(dark[frame], spot)
            hidden[frame, shadow] = True
            spot_mm[frame, shadow] = (catheter.radius + bright[spot].max(axis=0).argmax() + 0.5) * step_mm
    return Wires(hidden, spot_mm)


def _excess(close: np.ndarray) -> np.ndarray:
    """How much brighter ``(n, angles, radii)`` each place is than the angles around at the same depth.

    So neither ring-down nor a bright wall near the catheter hides a spot.
    """
    close = ndimage.uniform_filter(close, (1, 3, 3), mode=("nearest", "wrap", "nearest"))
    around = ndimage.median_filter(close[:, ::2, ::2], (1, BESIDE_SPOT, 1), mode="wrap")
    finer = around.repeat(2, axis=1).repeat(2, axis=2)
    return np.asarray(close - finer[:, : close.shape[1], : close.shape[2]])


def _around(dark: np.ndarray, spot: np.ndarray) -> np.ndarray:
    """The angles of a spot's shadow, and some more at both sides."""
    reach = BESIDE + MORE
    wide = np.arange(spot[0] - reach, spot[0] + len(spot) + reach)
    shadow = ndimage.binary_dilation(dark[wide % len(dark)], iterations=MORE)
    return wide[shadow] % len(dark)


def sectors(marked: np.ndarray) -> list[np.ndarray]:
    """Runs of marked angles ``(angles,)`` bool, closed in angle: their indices in order."""
    angles = len(marked)
    if marked.all():
        return [np.arange(angles)]
    if not marked.any():
        return []
    start = int(np.flatnonzero(~marked)[0])
    labels, count = ndimage.label(np.roll(marked, -start))
    return [(np.flatnonzero(labels == label) + start) % angles for label in range(1, count + 1)]
