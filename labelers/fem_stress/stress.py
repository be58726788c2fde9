"""Stress tensors and what is read from them."""

from typing import Final

import numpy as np

CHANNELS: Final = ("first_principal", "von_mises", "circumferential")


def linear_stress(
    gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, shear: np.ndarray, bulk: np.ndarray
) -> np.ndarray:
    """sigma = 2 mu dev(eps) + p I in plane strain, as components xx, yy, xy, zz ``(4, n)`` kPa.

    ``gradient`` ``(n, 2, 2)``, ``normal`` ``(n, 2)``, the others ``(n,)``. The element knows its volume change twice:
    from the displacement, and better from the pressure, p / kappa. Nearly all of the difference is the error of the
    strain across the ring lines, where the field changes fastest, so that is where it is taken out.
    """
    volume, twice = pressure / bulk, 2 * shear
    excess = volume - gradient[:, 0, 0] - gradient[:, 1, 1]
    nx, ny = normal[:, 0], normal[:, 1]
    mean = pressure - twice * volume / 3
    return np.stack(
        [
            mean + twice * (gradient[:, 0, 0] + excess * nx * nx),
            mean + twice * (gradient[:, 1, 1] + excess * ny * ny),
            twice * ((gradient[:, 0, 1] + gradient[:, 1, 0]) / 2 + excess * nx * ny),
            mean,
        ]
    )


def hyperelastic_stress(
    gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, moduli: np.ndarray
) -> np.ndarray:
    """sigma = W1 / J (2 a b - 2/3 I 1) + p 1, b = F F^T, a = J^(-2/3), I = a tr b: components ``(4, n)`` kPa.

    ``moduli`` ``(4, n)``: c1, d1, d2, kappa. As in :func:`linear_stress` the volume change is the pressure's,
    J = 1 + p / kappa, and the difference is taken out of the stretch across the ring lines, m: b' = P b P with
    P = 1 + s m m.
    """
    c1, d1, d2, bulk = moduli
    f0, f1, f2, f3 = 1 + gradient[:, 0, 0], gradient[:, 0, 1], gradient[:, 1, 0], 1 + gradient[:, 1, 1]
    tx, ty = f1 * normal[:, 0] - f0 * normal[:, 1], f3 * normal[:, 0] - f2 * normal[:, 1]
    length = np.hypot(tx, ty)
    mx, my = ty / length, -tx / length
    volume = 1 + pressure / bulk
    s = volume / (f0 * f3 - f1 * f2) - 1
    # rows of P F
    g, h = mx * f0 + my * f2, mx * f1 + my * f3
    f0, f1, f2, f3 = f0 + s * mx * g, f1 + s * mx * h, f2 + s * my * g, f3 + s * my * h
    xx, yy, xy = f0 * f0 + f1 * f1, f2 * f2 + f3 * f3, f0 * f2 + f1 * f3
    a = volume ** (-2 / 3)
    invariant = a * (xx + yy + 1)
    first = (c1 + d1 * d2 * np.exp(d2 * (invariant - 3))) / volume
    mean, twice = pressure - 2 / 3 * first * invariant, 2 * first * a
    return np.stack([mean + twice * xx, mean + twice * yy, twice * xy, mean + twice])


def cauchy_stress(gradient: np.ndarray, pressure: np.ndarray, normal: np.ndarray, moduli: np.ndarray) -> np.ndarray:
    """Cauchy stress, components ``(4, n)`` kPa, by the theory that the moduli ``(2 or 4, n)`` belong to."""
    if len(moduli) == 2:
        return linear_stress(gradient, pressure, normal, moduli[0], moduli[1])
    return hyperelastic_stress(gradient, pressure, normal, moduli)


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
