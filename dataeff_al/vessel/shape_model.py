"""A shape model of real sections: principal components of log lumen radius and log wall thickness over the angle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.vessel.contours import Contour, clean_points
from dataeff_al.vessel.ivus_contours import Frame
from dataeff_al.vessel.polar import ANGLES, angles

LEAST_WALL_MM = 0.03
KEPT = 0.99
"""Share of the variance that the kept components explain."""
MOST_DEVIATIONS = 2.0
"""Scores are drawn within this many standard deviations: the fit has few frames, its tails are guesses."""


def polar_frame(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Lumen radius and wall thickness ``(ANGLES,)`` mm about the lumen's centroid.

    Raises:
        DataError: a border is not star-shaped about the centroid, or the wall is thinner than 0.03 mm.
    """
    name = f"frame {frame.number} ({frame.phase})"
    lumen, membrane = (Contour(clean_points(c[::4], name)) for c in (frame.lumen, frame.membrane))
    centre = lumen.centroid
    if not (lumen.is_star(centre) and membrane.is_star(centre)):
        raise DataError(f"borders must be star-shaped about the lumen's centroid, but got {name}.")
    radius = lumen.radius(angles(), centre)
    wall = membrane.radius(angles(), centre) - radius
    if wall.min() < LEAST_WALL_MM:
        raise DataError(f"a wall must be at least {LEAST_WALL_MM} mm thick, but got {wall.min():.3f} mm in {name}.")
    return radius, wall


@dataclass(frozen=True)
class ShapeModel:
    """``mean`` ``(2 * ANGLES,)`` and ``components`` ``(k, 2 * ANGLES)`` of the logs, ``scales`` ``(k,)`` of the scores.

    ``low`` and ``high`` ``(2,)`` mm: the extremes of lumen radius and wall thickness among the fitted frames.
    """

    mean: np.ndarray
    components: np.ndarray
    scales: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __call__(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw a lumen radius and a wall thickness, ``(ANGLES,)`` mm each, turned by a random angle."""
        scores = np.clip(rng.normal(size=len(self.scales)), -MOST_DEVIATIONS, MOST_DEVIATIONS) * self.scales
        logs = (self.mean + scores @ self.components).reshape(2, ANGLES)
        logs = np.roll(logs, int(rng.integers(ANGLES)), axis=1)
        lumen, wall = np.exp(logs)
        return np.clip(lumen, self.low[0], self.high[0]), np.clip(wall, self.low[1], self.high[1])


def fit_shape(frames: Sequence[Frame]) -> ShapeModel:
    """Fit to frames. Raises DataError for fewer than four frames, or a frame that :func:`polar_frame` refuses."""
    if len(frames) < 4:
        raise DataError(f"a shape model must be fitted to at least 4 frames, but got {len(frames)}.")
    radii = np.array([polar_frame(frame) for frame in frames])
    logs = np.log(radii).reshape(len(frames), -1)
    mean = logs.mean(axis=0)
    _, singular, components = np.linalg.svd(logs - mean, full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    k = int(np.searchsorted(share, KEPT)) + 1
    signs = np.sign(components[:k, np.argmax(np.abs(components[:k]), axis=1)].diagonal())
    scales = singular[:k] / np.sqrt(len(frames) - 1)
    return ShapeModel(mean, components[:k] * signs[:, None], scales, radii.min(axis=(0, 2)), radii.max(axis=(0, 2)))
