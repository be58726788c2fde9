"""Stress tensors and what is read from them."""

from typing import Final

import numpy as np

CHANNELS: Final = ("first_principal", "von_mises", "circumferential")


def linear_stress(
    gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, shear: np.ndarray, bulk: np.ndarray
) -> np.ndarray:
    """sigma = 2 mu dev(eps) + p I in plane strain: ``(n, 3, 3)`` kPa.

    ``gradient`` ``(n, 2, 2)``, ``normal`` ``(n, 2)``, the others ``(n,)``. The element knows its volume change twice:
    from the displacement, and better from the pressure, p / kappa. Nearly all of the difference is the error of the
    strain across the ring lines, where the field changes fastest, so that is where it is taken out.
    """
    strain = np.zeros((len(gradient), 3, 3))
    strain[:, :2, :2] = (gradient + gradient.transpose(0, 2, 1)) / 2
    volume = pressure / bulk
    excess = volume - np.trace(strain, axis1=1, axis2=2)
    strain[:, :2, :2] += excess[:, None, None] * normal[:, :, None] * normal[:, None, :]
    stress = 2 * shear[:, None, None] * strain
    mean = pressure - 2 * shear * volume / 3
    for i in range(3):
        stress[:, i, i] += mean
    stress[np.isnan(pressure)] = np.nan
    return stress


def hyperelastic_stress(
    gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, moduli: np.ndarray
) -> np.ndarray:
    """sigma = W1 / J (2 a b - 2/3 I 1) + p 1, b = F F^T, a = J^(-2/3), I = a tr b: ``(n, 3, 3)`` kPa.

    ``moduli`` ``(4, n)``: c1, d1, d2, kappa. As in :func:`linear_stress` the volume change is the pressure's,
    J = 1 + p / kappa, and the difference is taken out of the stretch across the ring lines.
    """
    c1, d1, d2, bulk = moduli
    F = np.zeros((len(gradient), 3, 3))
    F[:, :2, :2] = np.eye(2) + gradient
    F[:, 2, 2] = 1.0
    along = F[:, :2, 0] * -normal[:, 1:] + F[:, :2, 1] * normal[:, :1]
    across = np.stack([along[:, 1], -along[:, 0]], axis=-1) / np.linalg.norm(along, axis=1)[:, None]
    volume = 1 + pressure / bulk
    stretch = volume / np.linalg.det(F) - 1
    push = np.broadcast_to(np.eye(3), F.shape).copy()
    push[:, :2, :2] += stretch[:, None, None] * across[:, :, None] * across[:, None, :]
    F = push @ F
    b = F @ F.transpose(0, 2, 1)
    a = volume ** (-2 / 3)
    invariant = a * np.trace(b, axis1=1, axis2=2)
    first = (c1 + d1 * d2 * np.exp(d2 * (invariant - 3))) / volume
    stress = (2 * first * a)[:, None, None] * b
    mean = pressure - 2 / 3 * first * invariant
    for i in range(3):
        stress[:, i, i] += mean
    stress[np.isnan(pressure)] = np.nan
    return stress


def cauchy_stress(gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, moduli: np.ndarray) -> np.ndarray:
    """Cauchy stress ``(n, 3, 3)`` kPa by the theory that the moduli ``(2 or 4, n)`` belong to."""
    if len(moduli) == 2:
        return linear_stress(gradient, pressure, normal, moduli[0], moduli[1])
    return hyperelastic_stress(gradient, pressure, normal, moduli)


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
