"""Borders as masks of tissue codes on the frames' own grid."""

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.section import VesselSection
from labelers.ivus.borders import Borders
from labelers.ivus.pullback import Pullback
from labelers.ivus.spec import IvusParams


def section_masks(borders: Borders, pullback: Pullback, layers: IvusParams) -> tuple[np.ndarray, dict[int, str]]:
    """Masks ``(n, h, w)`` uint8, all outside for a frame that makes no section; and the reasons by frame."""
    shape = pullback.frames.shape[1:]
    masks = np.zeros(pullback.frames.shape, np.uint8)
    reasons: dict[int, str] = {}
    for frame in range(len(borders)):
        try:
            section = borders.section(frame, layers.adventitia_mm)
        except GeometryError as error:
            reasons[frame] = str(error)
            continue
        if not layers.calcium:
            section = VesselSection(section.contours_mm, section.layers)
        masks[frame] = section_mask(section, (shape[0], shape[1]), pullback.pixel_size_mm)
    return masks, reasons


def section_mask(section: VesselSection, shape: tuple[int, int], pixel_size_mm: float) -> np.ndarray:
    """The section at the pixel centres ``(h, w)`` uint8, looked at only where the vessel is."""
    x, y = pixel_centres(shape, pixel_size_mm)
    low, high = section.outer.dense.min(axis=0), section.outer.dense.max(axis=0)
    columns, rows = np.flatnonzero((x >= low[0]) & (x <= high[0])), np.flatnonzero((y >= low[1]) & (y <= high[1]))
    mask = np.zeros(shape, np.uint8)
    if not rows.size or not columns.size:
        return mask
    grid = np.stack(np.meshgrid(x[columns], y[rows]), axis=-1).reshape(-1, 2)
    codes = section.codes()[section.tissue_at(grid)].reshape(len(rows), len(columns))
    mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = codes
    return mask
