"""What the validity gate measures on a mask."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dataeff_al.vessel.tissues import CALCIUM, FIBROUS, LIPID, LUMEN, OUTSIDE, TISSUES

RAYS = 96
INCLUSIONS = (FIBROUS, LIPID, CALCIUM)
SAMPLES_PER_PIXEL = 3


@dataclass(frozen=True)
class Measures:
    """Sizes of one mask: areas and depths mm, counts by tissue code.

    ``cap_mm``: least depth of lipid below the lumen, infinite without lipid. ``shares`` ``(7,)``: part of the vessel's
    solid area that is each tissue.
    """

    lumen_mm2: float
    vessel_mm2: float
    least_wall_mm: float
    shares: np.ndarray
    counts: np.ndarray
    cap_mm: float


def components(region: np.ndarray, diagonal: bool = False) -> int:
    """Number of connected parts of a bool mask, by edges or also by corners."""
    return int(ndimage.label(region, structure=np.ones((3, 3)) if diagonal else None)[1])


def rays(mask: np.ndarray) -> np.ndarray:
    """Mask values ``(RAYS, samples)`` along rays from the lumen's centroid, three samples a pixel."""
    rows, columns = np.nonzero(mask == LUMEN)
    reach = int(np.hypot(*mask.shape) / 2 * SAMPLES_PER_PIXEL) + 1
    theta = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)[:, None]
    r = np.arange(reach) / SAMPLES_PER_PIXEL
    i = np.rint(rows.mean() + r * np.sin(theta)).astype(int)
    j = np.rint(columns.mean() + r * np.cos(theta)).astype(int)
    inside = (i >= 0) & (i < mask.shape[0]) & (j >= 0) & (j < mask.shape[1])
    h, w = mask.shape
    return np.where(inside, mask[i.clip(0, h - 1), j.clip(0, w - 1)], OUTSIDE)


def measure(mask: np.ndarray, pixel_size_mm: float) -> Measures:
    """Measure a mask ``(h, w)`` uint8 that has a lumen and solid tissue."""
    counts_px = np.bincount(mask.ravel(), minlength=len(TISSUES))
    solid = counts_px[2:].sum()
    along = rays(mask)
    wall = (along >= 2).sum(axis=1) / SAMPLES_PER_PIXEL * pixel_size_mm
    counts = np.array([components(mask == c, diagonal=True) if c in INCLUSIONS else 0 for c in range(len(TISSUES))])
    return Measures(
        lumen_mm2=float(counts_px[LUMEN] * pixel_size_mm**2),
        vessel_mm2=float(counts_px[1:].sum() * pixel_size_mm**2),
        least_wall_mm=float(wall.min()),
        shares=np.where(np.arange(len(TISSUES)) >= 2, counts_px / max(solid, 1), 0.0),
        counts=counts,
        cap_mm=_cap(mask, pixel_size_mm),
    )


def _cap(mask: np.ndarray, pixel_size_mm: float) -> float:
    if not np.any(mask == LIPID):
        return float("inf")
    depth = ndimage.distance_transform_edt(mask != LUMEN)
    return float((depth[mask == LIPID].min() - 1) * pixel_size_mm)
