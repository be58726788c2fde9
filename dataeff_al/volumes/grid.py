"""From patient axes to the pool's grid: one spacing, one shape, and where in the head each voxel lies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from dataeff_al.errors import DataError

Plane = Literal["axial", "coronal", "sagittal"]
REACH_SD = 4.0
"""Places run from 0 to 1 over this many standard deviations on each side of the head's centre."""

_AXES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
)
# Rows run from the top of a picture: the front, or the top of the head, comes first.
_FLIPPED = 1


def axes_of(plane: Plane) -> tuple[int, int, int]:
    """Which of right, anterior and superior are depth, rows and columns of a volume in that plane."""
    return _AXES[plane]


def laid_in(plane: Plane, array: np.ndarray) -> np.ndarray:
    """``(..., right, anterior, superior)`` as ``(..., d, h, w)``."""
    first = array.ndim - 3
    order = [*range(first), *(first + axis for axis in axes_of(plane))]
    return np.ascontiguousarray(np.flip(array.transpose(order), first + _FLIPPED))


def resampled(array: np.ndarray, spacing_mm: np.ndarray, wanted_mm: float, *, codes: bool) -> np.ndarray:
    """The array at ``wanted_mm``: images smoothed and interpolated linearly, codes by the nearest voxel."""
    from scipy import ndimage

    factor = np.asarray(spacing_mm) / wanted_mm
    if np.allclose(factor, 1.0, rtol=1e-3):
        return array
    shape = np.maximum(np.round(np.array(array.shape) * factor), 1)
    if not codes:
        # What a coarser grid cannot hold would come back as a pattern.
        array = ndimage.gaussian_filter(array, 0.5 * np.maximum(1.0 / factor - 1.0, 0.0), mode="nearest")
    zoom = shape / np.array(array.shape)
    return ndimage.zoom(array, zoom, order=0 if codes else 1, mode="nearest", grid_mode=True)


def box_of(head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First voxel and size ``(3,)`` of the smallest box around what is set. Raises DataError when nothing is."""
    found = [np.flatnonzero(head.any(axis=tuple(set(range(3)) - {axis}))) for axis in range(3)]
    if not all(len(each) for each in found):
        raise DataError("a scan must show a head, but got none.")
    start = np.array([each[0] for each in found])
    return start, np.array([each[-1] for each in found]) - start + 1


def fitted(array: np.ndarray, start: np.ndarray, size: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The box at ``start`` of that ``size`` in the middle of a grid ``(..., *shape)``, 0 around the array's ends."""
    first = start - (shape - size) // 2
    out = np.zeros((*array.shape[:-3], *shape), array.dtype)
    there = [slice(max(0, f), min(n, f + s)) for f, n, s in zip(first, array.shape[-3:], shape, strict=True)]
    here = [slice(t.start - f, t.stop - f) for t, f in zip(there, first, strict=True)]
    out[..., here[0], here[1], here[2]] = array[..., there[0], there[1], there[2]]
    return out


def places(head: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along each axis of ``head`` ``(x, y, z)``: where its voxels lie, 0.5 in the head's centre, ``(size,)`` float32.

    Distances are in standard deviations of the head's own voxels, so that heads of other sizes and positions compare.
    """
    found = []
    for axis in range(3):
        weight = head.sum(axis=tuple(set(range(3)) - {axis})).astype(np.float64)
        at = np.arange(len(weight))
        centre = (at * weight).sum() / weight.sum()
        spread = np.sqrt(((at - centre) ** 2 * weight).sum() / weight.sum())
        steps = (at - centre) / max(spread, 0.5)
        found.append(np.clip(0.5 + steps / (2 * REACH_SD), 0.0, 1.0).astype(np.float32))
    return found[0], found[1], found[2]


def normalised(image: np.ndarray, head: np.ndarray, how: str) -> np.ndarray:
    """Intensities in [0, 1] by the head's own: 0.5 to 99.5 percentiles, or +-5 deviations; 0 outside it."""
    inside = image[head]
    low, high = np.percentile(inside, [0.5, 99.5])
    if how == "zscore":
        mean, deviation = float(inside.mean()), max(float(inside.std()), 1e-6)
        low, high = mean - 5 * deviation, mean + 5 * deviation
    scaled = np.clip((image - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    return np.where(head, scaled, 0.0).astype(np.float32)


def default_head(image: np.ndarray) -> np.ndarray:
    """Where the image differs from its corner, with the holes in it filled."""
    from scipy import ndimage

    span = float(image.max() - image.min())
    return ndimage.binary_fill_holes(np.abs(image - image[0, 0, 0]) > 1e-4 * span)
