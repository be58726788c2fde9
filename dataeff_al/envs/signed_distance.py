"""Sub-pixel signed distance to the boundary of a region: negative inside, positive outside, in pixels."""

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from skimage.measure import find_contours

BAND_PX = 3.0
_SPACING_PX = 0.1


def boundary(mask: np.ndarray) -> np.ndarray:
    """The boundary of the largest part of a region ``(h, w)`` bool as a closed polygon ``(k, 2)``, x before y, px.

    Pixel centres lie at whole numbers; the staircase of the pixels is smoothed along the arc.
    """
    padded = np.pad(mask.astype(np.float64), 1)
    longest = max(find_contours(padded, 0.5), key=len)
    return _smoothed(longest[:-1, ::-1] - 1.0)


def _smoothed(polygon: np.ndarray) -> np.ndarray:
    """A binomial average over neighbours, then grown about its centre so that the area stays the same."""
    before = area(polygon)
    for _ in range(2 if len(polygon) >= 16 else 0):
        polygon = (np.roll(polygon, 1, 0) + 2 * polygon + np.roll(polygon, -1, 0)) / 4
    centre = polygon.mean(axis=0)
    return centre + (polygon - centre) * np.sqrt(before / max(area(polygon), 1e-9))


def area(polygon: np.ndarray) -> float:
    """The area of a polygon ``(k, 2)`` by the shoelace formula, in square pixels."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def densified(polygon: np.ndarray, spacing_px: float = _SPACING_PX) -> np.ndarray:
    """Points along a closed polygon at most ``spacing_px`` apart."""
    ends = np.roll(polygon, -1, axis=0)
    counts = np.maximum(np.ceil(np.linalg.norm(ends - polygon, axis=1) / spacing_px).astype(int), 1)
    edge = np.repeat(np.arange(len(polygon)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    along = (np.arange(counts.sum()) - first) / counts[edge]
    return polygon[edge] + (ends - polygon)[edge] * along[:, None]


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Signed distance ``(h, w)`` float32 of each pixel's centre to the region's boundary, in pixels.

    Near the boundary it is the distance to the sub-pixel polygon; farther off the distance between pixel centres less
    half a pixel, which differs from it by less than that.
    """
    outside, inside = distance_transform_edt(~mask), distance_transform_edt(mask)
    distance = np.where(mask, 0.5 - inside, outside - 0.5)
    near = np.argwhere(np.abs(distance) < BAND_PX)
    exact, _ = cKDTree(densified(boundary(mask))).query(near[:, ::-1])
    sign = np.where(mask[near[:, 0], near[:, 1]], -1.0, 1.0)
    distance[near[:, 0], near[:, 1]] = sign * exact
    return distance.astype(np.float32)
