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
from dataeff_al.vessel.tissues import LUMEN, OUTSIDE, TISSUES
from dataeff_al.vessel.validity import unsound
from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.laws import Law

LEVEL = 0.5
SHORTEST_WAVE_PX = 14.0
PASSES = 2
PASS_VARIANCE = 0.5
"""The 1-2-1 kernel is run twice over each indicator; one run has this variance in pixels squared."""
LEAST_WALL_PX = 0.75


@kernel
def _blur(image: np.ndarray) -> np.ndarray:
    h, w = image.shape
    half = np.zeros((h, w))
    for i in range(1, h - 1):
        for j in range(w):
            half[i, j] = 0.25 * (image[i - 1, j] + image[i + 1, j]) + 0.5 * image[i, j]
    full = np.zeros((h, w))
    for i in range(h):
        for j in range(1, w - 1):
            full[i, j] = 0.25 * (half[i, j - 1] + half[i, j + 1]) + 0.5 * half[i, j]
    return full


@kernel
def bilinear(image: np.ndarray, row: float, column: float) -> float:
    """Value between pixel centres; constant beyond the border."""
    h, w = image.shape
    row, column = min(max(row, 0.0), h - 1.0), min(max(column, 0.0), w - 1.0)
    i, j = min(int(row), h - 2), min(int(column), w - 2)
    a, b = row - i, column - j
    top = image[i, j] * (1 - b) + image[i, j + 1] * b
    return top * (1 - a) + (image[i + 1, j] * (1 - b) + image[i + 1, j + 1] * b) * a


@kernel
def _border(image: np.ndarray, row: float, column: float, angles: np.ndarray) -> np.ndarray:
    """Radius in pixels, along each ray, at which the image falls below LEVEL for the last time."""
    reach = np.hypot(image.shape[0], image.shape[1]) / 2
    radii = np.zeros(len(angles))
    for n in range(len(angles)):
        s, c = np.sin(angles[n]), np.cos(angles[n])
        r, before = reach, 0.0
        while r > 0.5:
            r -= 0.5
            value = bilinear(image, row + r * s, column + r * c)
            if value >= LEVEL:
                radii[n] = r + 0.5 * (value - LEVEL) / (value - before)
                break
            before = value
    return radii


def _smooth(radii: np.ndarray) -> np.ndarray:
    modes = np.fft.rfft(radii)
    cutoff = max(2 * np.pi * radii.mean() / SHORTEST_WAVE_PX, 4.0)
    return np.fft.irfft(modes * np.exp(-((np.arange(len(modes)) / cutoff) ** 4)), len(radii))


def check_mask(mask: np.ndarray, tissues: Mapping[str, Law]) -> None:
    """Raises GeometryError with the rule that the mask ``(h, w)`` breaks."""
    if mask.ndim != 2 or min(mask.shape) < 8 or not np.issubdtype(mask.dtype, np.integer):
        raise GeometryError(f"a mask must be an (h, w) array of integers, but got {mask.shape!r} {mask.dtype}.")
    rule = unsound(mask)
    if rule:
        raise GeometryError(f"{rule}, but got a mask that breaks this.")
    for code in np.unique(mask[mask > LUMEN]):
        if TISSUES[code] not in tissues:
            raise GeometryError(f"every tissue of a mask must have a law, but got none for {TISSUES[code]!r}.")


class MaskGeometry:
    """Borders of a mask about its lumen's centroid.

    ``inner``, ``outer`` ``(around,)`` mm at equally spaced angles from 0; ``centre`` ``(2,)`` mm (x, y).
    """

    def __init__(self, mask: np.ndarray, pixel_size_mm: float, around: int) -> None:
        rows, columns = np.nonzero(mask == LUMEN)
        self.row, self.column = float(rows.mean()), float(columns.mean())
        self.pixel_size_mm = pixel_size_mm
        half = (np.array(mask.shape[::-1]) - 1) / 2
        self.centre = (np.array([self.column, self.row]) - half) * pixel_size_mm
        angles = np.linspace(0, 2 * np.pi, around, endpoint=False)
        lumen, vessel = ((mask == LUMEN).astype(np.float64), (mask != OUTSIDE).astype(np.float64))
        inner, outer = (_smooth(self._border(image, angles)) for image in (lumen, vessel))
        if np.min(outer - inner) < LEAST_WALL_PX:
            raise GeometryError(
                f"a wall must be at least {LEAST_WALL_PX} pixels thick, but got {np.min(outer - inner):.2f}."
            )
        self.inner, self.outer = inner * pixel_size_mm, outer * pixel_size_mm

    def _border(self, image: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """Radii in pixels; a blur of variance v moves the border of a disk inwards by v / (2 R), which is put back."""
        for _ in range(PASSES):
            image = _blur(image)
        radii = _border(image, self.row, self.column, angles)
        return radii + PASSES * PASS_VARIANCE / (2 * radii)


def blended(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``values`` ``(7,)`` by tissue code as an image ``(h, w)``, blended over about a pixel; tissue pixels only count.

    The image is carried on two pixels beyond the tissue, so that it can be sampled up to the smoothed borders.
    """
    image, known = values[mask], mask > LUMEN
    for extend in (False, True, True):
        weight = _blur(known.astype(np.float64))
        near = np.divide(_blur(np.where(known, image, 0.0)), weight, out=np.zeros(mask.shape), where=weight > 0)
        image = np.where(known, image, near) if extend else near
        known = weight > 0
    return np.where(known, image, image[known].mean())


@kernel
def sample_image(
    image: np.ndarray, row: float, column: float, pixel: float, centre: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Bilinear values ``(n,)`` at points ``(n, 2)`` mm; ``(row, column)`` is the pixel position of ``centre``."""
    out = np.empty(len(points))
    for n in range(len(points)):
        y, x = (points[n, 1] - centre[1]) / pixel, (points[n, 0] - centre[0]) / pixel
        out[n] = bilinear(image, row + y, column + x)
    return out
