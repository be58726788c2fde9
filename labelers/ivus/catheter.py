"""Where the catheter is: its axis, the radius within which there is no image, and how far its ring-down reaches."""

from dataclasses import dataclass

import numpy as np

from labelers.ivus.polar import middle, to_polar

LARGEST_RADIUS_MM, RING_REACH_MM = 0.75, 0.45
SEARCH_MM = 0.6
LARGEST_MARK_MM, LEAST_BLACK = 0.2, 3
BEAMS = 64


@dataclass(frozen=True)
class Catheter:
    """Samples from the axis: within ``radius`` there is no tissue, within ``ring`` ring-down may hide it."""

    radius: int
    ring: int


def find_centre(frames: np.ndarray, pixel_size_mm: float) -> tuple[float, float]:
    """Column and row of the catheter's axis.

    What stays the same in all frames (the dead zone and its rings) is round about the axis: the place near the raster's
    centre about which the mean frame varies least around and most across. Without such a pattern, the raster's centre.
    """
    start = middle(frames.shape)
    mean = frames[:: max(1, len(frames) // 32)].mean(axis=0)
    best, at = _roundness(mean, start, pixel_size_mm), start
    floor = best
    for step_mm in (0.2, 0.06, 0.02):
        step = step_mm / pixel_size_mm
        while True:
            around = [(at[0] + i * step, at[1] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
            near = [c for c in around if np.hypot(c[0] - start[0], c[1] - start[1]) * pixel_size_mm <= SEARCH_MM]
            scores = [_roundness(mean, c, pixel_size_mm) for c in near]
            if not scores or max(scores) <= best:
                break
            best, at = max(scores), near[int(np.argmax(scores))]
    return at if best > 1.15 * floor + 0.05 else start


def _roundness(mean: np.ndarray, centre: tuple[float, float], pixel_size_mm: float) -> float:
    """Variance across radii of the mean around, over the mean variance around, within a millimetre of the axis."""
    polar = to_polar(mean, pixel_size_mm, BEAMS, 30, 0.03, centre, smooth=False)
    return float(polar.mean(axis=0).var() / (polar.var(axis=0).mean() + 1e-9 + 1e-3 * mean.var()))


def find_catheter(grey: np.ndarray, step_mm: float) -> Catheter:
    """The catheter in polar frames ``(n, angles, radii)`` of grey levels 0 to 1.

    The profile is the median around of what stays in most frames: dark inside the catheter, then bright rings that
    fall off to the level of blood.
    """
    sample = grey[:: max(1, len(grey) // 24), :, : int(1.4 / step_mm)]
    profile = np.median(np.percentile(sample, 30, axis=0), axis=0)
    inside = int(LARGEST_RADIUS_MM / step_mm)
    radius = _dead_zone(profile, inside, round(LARGEST_MARK_MM / step_mm))
    reach = int(RING_REACH_MM / step_mm)
    after = profile[radius : radius + reach + 1]
    peak = int(after[: max(1, reach // 2)].argmax())
    floor = float(after[peak:].min())
    if after[peak] - floor < 0.12:
        return Catheter(radius, radius + 1)
    fallen = np.flatnonzero(after[peak:] < floor + 0.15 * (after[peak] - floor))
    return Catheter(radius, radius + peak + int(fallen[0]) + 1)


def _dead_zone(profile: np.ndarray, inside: int, most_mark: int) -> int:
    """Samples before the first echo: the run of black at the axis, however it ends.

    Displays may mark the axis by a bright spot or cross, ``most_mark`` samples wide at most: black begins behind it.
    """
    black = profile[:inside] < 0.06
    begun = np.flatnonzero(np.convolve(black, np.ones(LEAST_BLACK), "valid") == LEAST_BLACK)
    if not begun.size or begun[0] > most_mark:
        return inside // 3
    lit = np.flatnonzero(~black[begun[0] :])
    return int(begun[0] + lit[0]) if lit.size else inside // 2
