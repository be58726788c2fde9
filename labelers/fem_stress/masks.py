"""From a mask of tissue codes to a mesh and to material at its Gauss points.

Borders: the 0.5 level of a slightly blurred indicator (1 pixel), followed along rays from the lumen's centroid to
sub-pixel positions, then freed of waves shorter than 14 pixels: stairs of pixels, which are no anatomy but would raise
the stress on a border by a tenth.

Tissues: sharp pixel interfaces converge at first order only. Parameters are blended over about one pixel instead (a
1-2-1 kernel over tissue pixels), which is the resolution at which the mask knows its interfaces.
"""

from collections.abc import Mapping

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.tissues import LUMEN, TISSUES
from dataeff_al.vessel.validity import unsound
from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.laws import Law
from labelers.fem_stress.outline import LUMEN_MOMENTS, REACHES, trace

LEVEL = 0.5
SHORTEST_WAVE_PX = 14.0
PASSES = 2
PASS_VARIANCE = 0.5
"""The 1-2-1 kernel is run twice over each indicator; one run has this variance in pixels squared."""
LEAST_WALL_PX = 0.75


@kernel
def _twice_blurred(mask: np.ndarray, lumen: bool, row: float, column: float, reach: float) -> np.ndarray:
    """The indicator of lumen or vessel after two runs of the 1-2-1 kernel, in 256ths, within ``reach`` of the point."""
    h, w = mask.shape
    top, bottom = max(int(row - reach) - 3, 0), min(int(row + reach) + 5, h)
    left, right = max(int(column - reach) - 3, 0), min(int(column + reach) + 5, w)
    padded = np.zeros((bottom - top + 4, w + 4), dtype=np.uint16)
    for i in range(top, bottom):
        for j in range(left, right):
            code = mask[i, j]
            padded[i - top + 2, j + 2] = code == 1 if lumen else code != 0
    half = np.zeros((bottom - top, w + 4), dtype=np.uint16)
    for i in range(bottom - top):
        for j in range(left, right + 4):
            around, near = padded[i, j] + padded[i + 4, j], padded[i + 1, j] + padded[i + 3, j]
            half[i, j] = around + 4 * near + 6 * padded[i + 2, j]
    full = np.zeros((h, w), dtype=np.uint16)
    for i in range(bottom - top):
        for j in range(left, right):
            around, near = half[i, j] + half[i, j + 4], half[i, j + 1] + half[i, j + 3]
            full[top + i, j] = around + 4 * near + 6 * half[i, j + 2]
    return full


@kernel
def _between(image: np.ndarray, row: float, column: float) -> float:
    """Value between pixel centres; constant beyond the border."""
    h, w = image.shape
    row, column = min(max(row, 0.0), h - 1.0), min(max(column, 0.0), w - 1.0)
    i, j = min(int(row), h - 2), min(int(column), w - 2)
    a, b = row - i, column - j
    top = image[i, j] * (1 - b) + image[i, j + 1] * b
    return top * (1 - a) + (image[i + 1, j] * (1 - b) + image[i + 1, j + 1] * b) * a


@kernel
def _border(mask: np.ndarray, lumen: bool, row: float, column: float, reach: float, around: int) -> np.ndarray:
    """Radius in pixels, along each ray, at which the blurred indicator falls below LEVEL for the last time.

    A blur of variance v moves the border of a disk inwards by v / (2 R), which is put back. ``reach``: the greatest
    distance of a pixel of the region from the centre.
    """
    image = _twice_blurred(mask, lumen, row, column, reach)
    furthest = np.hypot(mask.shape[0], mask.shape[1]) / 2
    furthest -= 0.5 * max(np.floor(2 * (furthest - reach - 4)), 0.0)
    radii = np.zeros(around)
    for n in range(around):
        s, c = np.sin(2 * np.pi * n / around), np.cos(2 * np.pi * n / around)
        r, before = furthest, 0.0
        while r > 0.5:
            r -= 0.5
            value = _between(image, row + r * s, column + r * c) / 256
            if value >= LEVEL:
                radii[n] = r + 0.5 * (value - LEVEL) / (value - before)
                break
            before = value
        radii[n] += PASSES * PASS_VARIANCE / (2 * radii[n])
    return radii


def _smooth(radii: np.ndarray) -> np.ndarray:
    modes = np.fft.rfft(radii)
    cutoff = max(2 * np.pi * radii.mean() / SHORTEST_WAVE_PX, 4.0)
    return np.fft.irfft(modes * np.exp(-((np.arange(len(modes)) / cutoff) ** 4)), len(radii))


def check_mask(mask: np.ndarray, tissues: Mapping[str, Law]) -> np.ndarray:
    """The outline of a mask ``(h, w)``. Raises GeometryError with the rule that the mask breaks."""
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer):
        raise GeometryError(f"a mask must be an (h, w) array of integers, but got {mask.shape!r} {mask.dtype}.")
    if min(mask.shape) < 8:
        raise GeometryError(f"a mask must have at least 8 x 8 pixels, but got {mask.shape[0]} x {mask.shape[1]}.")
    if mask.min() < 0 or mask.max() >= len(TISSUES):
        raise GeometryError("codes must be 0 to 6, but got a mask that breaks this.")
    sound, outline = trace(np.ascontiguousarray(mask, dtype=np.uint8))
    rule = None if sound else unsound(mask)
    if rule:
        raise GeometryError(f"{rule}, but got a mask that breaks this.")
    for code in range(LUMEN + 1, len(TISSUES)):
        if outline[code] and TISSUES[code] not in tissues:
            raise GeometryError(f"every tissue of a mask must have a law, but got none for {TISSUES[code]!r}.")
    return outline


class MaskGeometry:
    """Borders of a sound mask about its lumen's centroid.

    ``inner``, ``outer`` ``(around,)`` mm at equally spaced angles from 0; ``centre`` ``(2,)`` mm (x, y); ``place``
    ``(2,)``: row and column of the point (0, 0) mm. ``outline``: as :func:`labelers.fem_stress.outline.trace` says.
    """

    def __init__(self, mask: np.ndarray, outline: np.ndarray, pixel_size_mm: float, around: int) -> None:
        row, column = outline[LUMEN_MOMENTS : LUMEN_MOMENTS + 2] / outline[LUMEN]
        self.place = (np.array(mask.shape) - 1) / 2
        self.centre = (np.array([column, row]) - self.place[::-1]) * pixel_size_mm
        inner, outer = (
            _smooth(_border(mask, lumen, row, column, outline[reach], around))
            for lumen, reach in ((True, REACHES), (False, REACHES + 1))
        )
        if np.min(outer - inner) < LEAST_WALL_PX:
            raise GeometryError(
                f"a wall must be at least {LEAST_WALL_PX} pixels thick, but got {np.min(outer - inner):.2f}."
            )
        self.inner, self.outer = inner * pixel_size_mm, outer * pixel_size_mm
