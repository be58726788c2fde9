"""Stress tensors and what is read from them."""

from typing import Final

import numpy as np

CHANNELS: Final = ("first_principal", "von_mises", "circumferential")


def linear_stress(gradient: np.ndarray, pressure: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """sigma = 2 mu dev(eps) + p I in plane strain: ``(n, 3, 3)`` kPa from ``(n, 2, 2)``, ``(n,)`` and ``(n,)``."""
    strain = np.zeros((len(gradient), 3, 3))
    strain[:, :2, :2] = (gradient + gradient.transpose(0, 2, 1)) / 2
    trace = np.trace(strain, axis1=1, axis2=2)
    eye = np.eye(3)
    deviator = strain - trace[:, None, None] / 3 * eye
    return 2 * shear[:, None, None] * deviator + pressure[:, None, None] * eye


def first_principal(stress: np.ndarray) -> np.ndarray:
    """Largest eigenvalue ``(n,)`` of plane-strain stress ``(n, 3, 3)``."""
    xx, yy, xy, zz = stress[:, 0, 0], stress[:, 1, 1], stress[:, 0, 1], stress[:, 2, 2]
    in_plane = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
    return np.maximum(in_plane, zz)


def von_mises(stress: np.ndarray) -> np.ndarray:
    """Equivalent stress ``(n,)``: the square root of 3/2 s : s."""
    mean = np.trace(stress, axis1=1, axis2=2) / 3
    deviator = stress - mean[:, None, None] * np.eye(3)
    return np.sqrt(1.5 * np.einsum("nij,nij->n", deviator, deviator))


def circumferential(stress: np.ndarray, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Stress ``(n,)`` along the circle about the centre through each point ``(n, 2)``."""
    d = points - centre
    r = np.hypot(d[:, 0], d[:, 1])
    t = np.stack([-d[:, 1] / r, d[:, 0] / r], axis=-1)
    return np.einsum("ni,nij,nj->n", t, stress[:, :2, :2], t)


def channels_of(stress: np.ndarray, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """All channels ``(3, n)`` in the order of CHANNELS, kPa."""
    return np.stack([first_principal(stress), von_mises(stress), circumferential(stress, points, centre)])
