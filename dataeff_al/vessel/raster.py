"""Sections to class-code masks, with one convention for pixel centres."""

import numpy as np

from dataeff_al.vessel.section import VesselSection


def pixel_centres(shape: tuple[int, int], pixel_size_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """x ``(w,)`` and y ``(h,)`` in mm of the pixel centres; the raster's centre is the origin, y grows with the row."""
    h, w = shape
    return (np.arange(w) - (w - 1) / 2) * pixel_size_mm, (np.arange(h) - (h - 1) / 2) * pixel_size_mm


def rasterise(section: VesselSection, shape: tuple[int, int], pixel_size_mm: float) -> np.ndarray:
    """The section as a mask ``(h, w)`` uint8: each pixel holds the tissue at its centre."""
    x, y = pixel_centres(shape, pixel_size_mm)
    points = np.stack(np.broadcast_arrays(x[None], y[:, None]), axis=-1).reshape(-1, 2)
    return section.codes()[section.tissue_at(points)].reshape(shape)
