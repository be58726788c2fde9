"""Polar frames of a pullback on one grey scale, with what the catheter does to them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from labelers.ivus.catheter import Catheter, find_catheter, find_centre
from labelers.ivus.polar import beam_points, middle, sample_beams
from labelers.ivus.pullback import Pullback
from labelers.ivus.wire import Wires, find_wires

ANGLES, OVERSAMPLED = 192, 2
STEP_MM = 0.03
MOST_DEPTH_MM = 7.2
DARK_PERCENTILE, BRIGHT_PERCENTILE = 2.0, 99.0


@dataclass(frozen=True)
class PolarStack:
    """Grey levels ``(n, ANGLES, radii)`` float32, 0 dark to about 1 bright; radius ``(j + 0.5) * STEP_MM``.

    ``wires``: sectors that a guide-wire may hide. ``seen`` ``(ANGLES,)``: samples within the frame.
    """

    grey: np.ndarray
    centre_px: tuple[float, float]
    centre_mm: np.ndarray
    catheter: Catheter
    wires: Wires
    seen: np.ndarray

    @property
    def radii_mm(self) -> np.ndarray:
        """Depths of the samples, mm."""
        return (np.arange(self.grey.shape[2]) + 0.5) * STEP_MM

    @property
    def wire(self) -> np.ndarray:
        """Which angles ``(n, ANGLES)`` bool a guide-wire hides."""
        return self.wires.hidden


def polar_stack(pullback: Pullback) -> PolarStack:
    """Convert, scale and inspect all frames."""
    centre = pullback.centre_px or find_centre(pullback.frames, pullback.pixel_size_mm)
    raw, seen = _beams(pullback, centre)
    grey = _scaled(raw, seen)
    catheter = find_catheter(grey, STEP_MM)
    wires = find_wires(grey, catheter, STEP_MM)
    middle_px = middle(pullback.frames.shape)
    centre_mm = (np.array(centre) - np.array(middle_px)) * pullback.pixel_size_mm
    return PolarStack(grey, centre, centre_mm, catheter, wires, seen)


def _beams(pullback: Pullback, centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Beams ``(n, ANGLES, radii)``, each the mean of OVERSAMPLED finer ones, and their samples within the frame."""
    h, w = pullback.frames.shape[1:]
    size = pullback.pixel_size_mm
    reach = max(centre[0], centre[1], w - 1 - centre[0], h - 1 - centre[1]) * size
    radii = int(min(reach, MOST_DEPTH_MM) / STEP_MM)
    rows, columns = beam_points(ANGLES * OVERSAMPLED, radii, STEP_MM, size, centre)
    # the first of the finer beams stands half a fine step before the coarse one
    turn = np.pi / (ANGLES * OVERSAMPLED)
    dx, dy = columns - centre[0], rows - centre[1]
    columns = centre[0] + dx * np.cos(turn) + dy * np.sin(turn)
    rows = centre[1] - dx * np.sin(turn) + dy * np.cos(turn)
    raw = np.empty((len(pullback), ANGLES, radii), np.float32)
    sample_beams(pullback.frames, rows, columns, OVERSAMPLED, raw)
    within = (rows >= 0) & (rows <= h - 1) & (columns >= 0) & (columns <= w - 1)
    shape = (ANGLES, OVERSAMPLED, radii)
    return raw, within.reshape(shape).all(axis=1).sum(axis=1)


def _scaled(raw: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Grey levels between the dark and the bright of the whole recording; black beyond the imaged disc."""
    reach = int(seen.min()) if seen.min() > 20 else raw.shape[2]
    sample = raw[:: max(1, len(raw) // 24), :, :reach]
    shown = sample[sample > sample.min()]
    dark, bright = np.percentile(shown, [DARK_PERCENTILE, BRIGHT_PERCENTILE]) if shown.size else (0.0, 1.0)
    grey = (raw - np.float32(dark)) * np.float32(1 / max(bright - dark, 1e-6))
    return np.clip(grey, 0.0, 1.25, out=grey)


def smoothed(grey: np.ndarray, angular: float, radial_mm: float) -> np.ndarray:
    """Gaussian smoothing ``(ANGLES, radii)`` by so many angles and mm, closed in angle."""
    around = ndimage.gaussian_filter1d(grey, angular, axis=0, mode="wrap", truncate=2.5)
    return ndimage.gaussian_filter1d(around, radial_mm / STEP_MM, axis=1, mode="nearest", truncate=2.5)
