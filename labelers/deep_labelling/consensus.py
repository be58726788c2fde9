"""From an image's orbits to one contour, and to what says how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from skimage.draw import polygon as filled

from labelers.deep_labelling.tracing import Orbit

FEATURES = ("agreement", "sharpness", "residual", "closed", "log_radius", "found")

ONE_GREY_LEVEL = 1e-3
"""Grey levels of so small a range show nothing: less than a quarter of a step of eight bits."""


@dataclass(frozen=True)
class Traced:
    """One image's answer. ``contour`` ``(k, 2)`` px, None when no orbit closed, and then ``reason`` says why.

    ``features``: by :data:`FEATURES`, what confidence is made from. ``orbits``: all agents' walks. ``start``: x, y and
    radius px of the place that they began at.
    """

    contour: np.ndarray | None
    mask: np.ndarray
    features: np.ndarray
    reason: str
    orbits: tuple[Orbit, ...]
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)


def region_of(contour: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels ``(h, w)`` bool whose centres lie within a closed contour ``(k, 2)`` px."""
    mask = np.zeros(shape, bool)
    rows, columns = filled(contour[:, 1], contour[:, 0], shape)
    mask[rows, columns] = True
    return mask


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """``2 |A and B| / (|A| + |B|)``; 1 for two empty regions."""
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def agreed(
    orbits: Sequence[Orbit], shape: tuple[int, int], answering: int | None, sharpness: float, found: float
) -> Traced:
    """One contour from the orbits of an image's agents."""
    regions = [None if orbit.contour is None else region_of(orbit.contour, shape) for orbit in orbits]
    overlaps = np.array([[_overlap(a, b) for b in regions] for a in regions])
    np.fill_diagonal(overlaps, 0.0)
    likeness = overlaps.sum(axis=1) / max(len(orbits) - 1, 1)
    chosen = answering if answering is not None else int(likeness.argmax())
    orbit, region = orbits[chosen], regions[chosen]
    if region is None or not region.any():
        reason = orbit.reason or "its contour holds no pixel"
        return _without_contour(shape, reason, orbits)
    features = np.array(
        [
            likeness[chosen],
            sharpness,
            1 / (1 + orbit.residual_px),
            np.mean([other is not None for other in regions]),
            np.log(np.sqrt(region.sum() / np.pi)) / 4,
            found,
        ]
    )
    return Traced(orbit.contour, region, features, "", tuple(orbits))


def seen(answer: Traced, image: np.ndarray) -> Traced:
    """The answer, or none where the image ``(h, w)`` shows one grey level about its contour, half as far again."""
    if answer.contour is None:
        return answer
    low, high = answer.contour.min(axis=0), answer.contour.max(axis=0)
    (left, top), (right, bottom) = low - (high - low) / 2, high + (high - low) / 2
    about = image[max(int(top), 0) : int(bottom) + 2, max(int(left), 0) : int(right) + 2]
    if float(about.max()) - float(about.min()) > ONE_GREY_LEVEL:
        return answer
    reason = "there is one grey level about its contour"
    return replace(_without_contour(answer.mask.shape, reason, answer.orbits), start=answer.start)


def _without_contour(shape: tuple[int, int], reason: str, orbits: Sequence[Orbit]) -> Traced:
    return Traced(None, np.zeros(shape, bool), np.zeros(len(FEATURES)), reason, tuple(orbits))


def _overlap(one: np.ndarray | None, other: np.ndarray | None) -> float:
    return 0.0 if one is None or other is None else dice(one, other)
