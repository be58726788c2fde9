"""Cauchy stress from the displacement gradient and the pressure, over lanes."""

from typing import Any

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.lane_functions import exponential, root_of_volume
from labelers.fem_stress.simd import load, splat, sqrt, store


@kernel
def linear_lanes(
    ux: Any, uy: Any, vx: Any, vy: Any, p: Any, nx: Any, ny: Any, work: np.ndarray, moduli: int, out: int
) -> None:
    """sigma = 2 mu dev(eps) + p I in plane strain: xx, yy, xy, zz at ``out``, from shear and bulk at ``moduli``.

    The element knows its volume change twice: from the displacement, and better from the pressure, p / kappa. Nearly
    all of the difference is the error of the strain across the ring lines, along (nx, ny), where the field changes
    fastest, so that is where it is taken out.
    """
    shear = load(work, moduli)
    volume, twice = p / load(work, moduli + 1), shear + shear
    excess = volume - ux - vy
    mean = p - twice * volume * splat(1.0 / 3.0)
    store(work, out, mean + twice * (ux + excess * nx * nx))
    store(work, out + 1, mean + twice * (vy + excess * ny * ny))
    store(work, out + 2, twice * ((uy + vx) * splat(0.5) + excess * nx * ny))
    store(work, out + 3, mean)


@kernel
def hyperelastic_lanes(
    ux: Any, uy: Any, vx: Any, vy: Any, p: Any, nx: Any, ny: Any, work: np.ndarray, moduli: int, out: int
) -> None:
    """sigma = W1 / J (2 a b - 2/3 I 1) + p 1, b = F F^T, a = J^(-2/3), I = a tr b, from c1, d1, d2, kappa.

    As in :func:`linear_lanes` the volume change is the pressure's, J = 1 + p / kappa, and the difference is taken out
    of the stretch across the ring lines, m: b' = P b P with P = 1 + s m m.
    """
    one = splat(1.0)
    c1, d1, d2, bulk = load(work, moduli), load(work, moduli + 1), load(work, moduli + 2), load(work, moduli + 3)
    f0, f1, f2, f3 = one + ux, uy, vx, one + vy
    tx, ty = f1 * nx - f0 * ny, f3 * nx - f2 * ny
    length = one / sqrt(tx * tx + ty * ty)
    mx, my = ty * length, splat(0.0) - tx * length
    volume = one + p / bulk
    s = volume / (f0 * f3 - f1 * f2) - one
    g, h = s * (mx * f0 + my * f2), s * (mx * f1 + my * f3)
    f0, f1, f2, f3 = f0 + mx * g, f1 + mx * h, f2 + my * g, f3 + my * h
    xx, yy, xy = f0 * f0 + f1 * f1, f2 * f2 + f3 * f3, f0 * f2 + f1 * f3
    a = root_of_volume(volume)
    a = a * a
    invariant = a * (xx + yy + one)
    first = (c1 + d1 * d2 * exponential(d2 * (invariant - 3.0))) / volume
    mean, twice = p - splat(2.0 / 3.0) * first * invariant, (first + first) * a
    store(work, out, mean + twice * xx)
    store(work, out + 1, mean + twice * yy)
    store(work, out + 2, twice * xy)
    store(work, out + 3, mean + twice)
