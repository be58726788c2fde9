"""Stress maps on a mask's own grid."""

import numpy as np

from labelers.fem_stress.compiled import kernel


@kernel
def tissue_points(mask: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices ``(n,)`` of the tissue pixels of a mask ``(h, w)`` and their centres ``(n, 2)`` mm."""
    h, w = mask.shape
    count = 0
    for i in range(h):
        for j in range(w):
            count += mask[i, j] > 1
    flat, points = np.empty(count, dtype=np.int64), np.empty((count, 2))
    n = 0
    for i in range(h):
        for j in range(w):
            if mask[i, j] > 1:
                flat[n] = i * w + j
                points[n, 0], points[n, 1] = (j - (w - 1) / 2) * pixel, (i - (h - 1) / 2) * pixel
                n += 1
    return flat, points


@kernel
def draw_channels(
    stress: np.ndarray, points: np.ndarray, centre: np.ndarray, flat: np.ndarray, rows: np.ndarray, image: np.ndarray
) -> bool:
    """Draw channels of stresses ``(4, n)`` into ``image`` ``(channels, pixels)``; whether all are finite.

    ``rows`` ``(3,)``: the channel of the image that gets first principal, von Mises and circumferential stress, or -1.
    """
    total = 0.0
    for n in range(len(points)):
        xx, yy, xy, zz = stress[0, n], stress[1, n], stress[2, n], stress[3, n]
        half = (xx - yy) / 2
        first = max((xx + yy) / 2 + np.sqrt(half * half + xy * xy), zz)
        mises = np.sqrt(((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) / 2 + 3 * xy * xy)
        x, y = points[n, 0] - centre[0], points[n, 1] - centre[1]
        hoop = (xx * y * y - 2 * xy * x * y + yy * x * x) / (x * x + y * y)
        if rows[0] >= 0:
            image[rows[0], flat[n]] = first
        if rows[1] >= 0:
            image[rows[1], flat[n]] = mises
        if rows[2] >= 0:
            image[rows[2], flat[n]] = hoop
        total += (first + mises + hoop) * 0.0
    return total == 0.0
