"""From what networks say of the inside to a signed distance that agents can walk."""

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt, label

BAND_CELLS = 1.5


def redistanced(level: np.ndarray, cell_px: float) -> np.ndarray:
    """A level function ``(s, s)`` px as a signed distance to the boundary of its largest region, holes filled.

    Networks saturate away from the boundary, where agents would lose their way. Near the boundary the level itself is
    kept, which places it between cells; without any region it is returned as it is.
    """
    parts, count = label(level < 0)
    if not count:
        return level
    sizes = np.bincount(parts.ravel())[1:]
    region = binary_fill_holes(parts == sizes.argmax() + 1)
    outside, inside = distance_transform_edt(~region), distance_transform_edt(region)
    distance = np.where(region, 0.5 - inside, outside - 0.5) * cell_px
    # Other regions and filled holes have the other sign in the level: there the distance alone counts.
    near = (np.abs(distance) < BAND_CELLS * cell_px) & ((level < 0) == region)
    kept = np.clip(level, -2 * BAND_CELLS * cell_px, 2 * BAND_CELLS * cell_px)
    return np.where(near, kept, distance).astype(np.float32)
