"""Stress tensors and what is read from them."""

from typing import Final

import numpy as np

CHANNELS: Final = ("first_principal", "von_mises", "circumferential")


def tensors(components: np.ndarray) -> np.ndarray:
    """Components xx, yy, xy, zz ``(4, n)`` as tensors ``(n, 3, 3)``; NaN in full where there is no stress."""
    xx, yy, xy, zz = components
    none = np.where(np.isnan(zz), np.nan, 0.0)
    return np.stack([np.stack([xx, xy, none]), np.stack([xy, yy, none]), np.stack([none, none, zz])]).transpose(2, 0, 1)


def first_principal(components: np.ndarray) -> np.ndarray:
    """Largest eigenvalue ``(n,)``."""
    xx, yy, xy, zz = components
    return np.maximum((xx + yy) / 2 + np.hypot((xx - yy) / 2, xy), zz)


def von_mises(components: np.ndarray) -> np.ndarray:
    """Equivalent stress ``(n,)``: the square root of 3/2 s : s."""
    xx, yy, xy, zz = components
    return np.sqrt(((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) / 2 + 3 * xy**2)


def circumferential(components: np.ndarray, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Stress ``(n,)`` along the circle about the centre through each point ``(n, 2)``."""
    xx, yy, xy, _ = components
    x, y = points[:, 0] - centre[0], points[:, 1] - centre[1]
    with np.errstate(invalid="ignore"):
        return np.asarray((xx * y * y - 2 * xy * x * y + yy * x * x) / (x * x + y * y))


def channels_of(components: np.ndarray, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """All channels ``(3, n)`` in the order of CHANNELS, kPa."""
    return np.stack([first_principal(components), von_mises(components), circumferential(components, points, centre)])
