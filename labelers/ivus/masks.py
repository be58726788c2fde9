"""Borders as masks of tissue codes on the frames' own grid."""

from dataclasses import replace

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.section import VesselSection
from labelers.ivus.borders import Borders
from labelers.ivus.pullback import Pullback
from labelers.ivus.spec import IvusParams

LEAST_WALL_PX = 1.5
"""A wall thinner than this leaves gaps in a mask: lumen would touch outside."""


def thickened(borders: Borders, pixel_size_mm: float) -> tuple[Borders, np.ndarray]:
    """The borders with EEMs moved outwards where a mask cannot hold the wall; the share of angles moved ``(n,)``.

    Only where lumen and EEM have their points at the same angles, as :func:`labelers.ivus.segment` gives them.
    """
    least, moved, outer = LEAST_WALL_PX * pixel_size_mm, np.zeros(len(borders)), []
    for frame, (lumen, eem) in enumerate(zip(borders.lumen_mm, borders.eem_mm, strict=True)):
        if len(lumen) != len(eem):
            outer.append(eem)
            continue
        radius, wall = (np.linalg.norm(part, axis=1) for part in (lumen - borders.centre_mm, eem - lumen))
        thin = (wall < least) & (radius > 0)
        moved[frame] = thin.mean()
        out = lumen + (lumen - borders.centre_mm) * (least / np.maximum(radius, 1e-9))[:, None]
        outer.append(np.where(thin[:, None], out, eem))
    return replace(borders, eem_mm=outer), moved


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
