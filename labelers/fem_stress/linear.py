"""Linear elastic elements over lanes: biquadratic displacement, linear discontinuous pressure.

sigma = 2 mu dev(eps) + p I, and p = kappa tr(eps) in the mean over each element against 1, x, y. Eliminating p inside
the element leaves a positive definite matrix in the displacement alone that does not lock as kappa / mu grows
(Q2/P-1, Boffi, Brezzi and Fortin, Mixed Finite Element Methods, section 8.6).
"""

from typing import Any, Final

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.reference import (
    ANGULAR,
    EDGE_PRODUCT,
    EDGE_SHAPE,
    EDGE_SLOPE,
    GAUSS_WEIGHT,
    RADIAL,
    SHAPE,
    SLOPE,
    WEIGHT,
)
from labelers.fem_stress.ring import KE, begin_column, clear, close_column, scatter, solve_ring
from labelers.fem_stress.simd import least, load, splat, sqrt, store, stream

X: Final = 0
GRAD: Final = 18
SCALED: Final = 180
C: Final = 342
M: Final = 396
SCRATCH: Final = 402
"""Entries of the scratch array: points (9, 2), gradients (9, 9, 2), the same times weight and mu, C (3, 18), M (6,)."""

INNER: Final = np.array([3, 1, 6])
OUTER: Final = np.array([5, 2, 8])
"""Local nodes of the inner and the outer side, with the angle."""


@kernel
def gather(nodes: np.ndarray, e: int, k: int, columns: int, radial: int, work: np.ndarray) -> None:
    """Copy the element's nine points from ``nodes`` ``(2 columns, 2 radial + 1, 2)``."""
    for a in range(9):
        here = (((2 * e + ANGULAR[a]) % (2 * columns)) * (2 * radial + 1) + 2 * k + RADIAL[a]) * 2
        store(work, X + 2 * a, load(nodes, here))
        store(work, X + 2 * a + 1, load(nodes, here + 1))


@kernel
def gradients(work: np.ndarray, g: int) -> Any:
    """Shape gradients at Gauss point ``g`` into GRAD; returns the Jacobian determinant."""
    a = b = c = d = splat(0.0)
    for n in range(9):
        x, y = load(work, X + 2 * n), load(work, X + 2 * n + 1)
        s, t = splat(SLOPE[g, n, 0]), splat(SLOPE[g, n, 1])
        a, b, c, d = a + x * s, b + x * t, c + y * s, d + y * t
    determinant = a * d - b * c
    inverse = splat(1.0) / determinant
    a, b, c, d = a * inverse, b * inverse, c * inverse, d * inverse
    for n in range(9):
        s, t = splat(SLOPE[g, n, 0]), splat(SLOPE[g, n, 1])
        store(work, GRAD + (g * 9 + n) * 2, s * d - t * c)
        store(work, GRAD + (g * 9 + n) * 2 + 1, t * a - s * b)
    return determinant


@kernel
def pressure_terms(work: np.ndarray, g: int, weight: Any, kappa: Any) -> None:
    """Add the point's share to C = int psi grad N and M = int psi psi / kappa, psi = 1, x - xc, y - yc."""
    px = py = splat(0.0)
    for n in range(9):
        px = px + load(work, X + 2 * n) * splat(SHAPE[g, n])
        py = py + load(work, X + 2 * n + 1) * splat(SHAPE[g, n])
    px, py = px - load(work, X), py - load(work, X + 1)
    wx, wy, wk = weight * px, weight * py, weight / kappa
    for i in range(18):
        slope = load(work, GRAD + g * 18 + i)
        store(work, C + i, load(work, C + i) + weight * slope)
        store(work, C + 18 + i, load(work, C + 18 + i) + wx * slope)
        store(work, C + 36 + i, load(work, C + 36 + i) + wy * slope)
    store(work, M, load(work, M) + wk)
    store(work, M + 1, load(work, M + 1) + wk * px)
    store(work, M + 2, load(work, M + 2) + wk * py)
    store(work, M + 3, load(work, M + 3) + wk * px * px)
    store(work, M + 4, load(work, M + 4) + wk * px * py)
    store(work, M + 5, load(work, M + 5) + wk * py * py)


@kernel
def reduce_pressure(work: np.ndarray) -> None:
    """M = R^T R, C <- R^-T C, so that C^T C is the pressure's stiffness. R stays in M."""
    r00 = sqrt(load(work, M))
    r01, r02 = load(work, M + 1) / r00, load(work, M + 2) / r00
    r11 = sqrt(load(work, M + 3) - r01 * r01)
    r12 = (load(work, M + 4) - r01 * r02) / r11
    r22 = sqrt(load(work, M + 5) - r02 * r02 - r12 * r12)
    i00, i11, i22 = splat(1.0) / r00, splat(1.0) / r11, splat(1.0) / r22
    for i in range(18):
        a = load(work, C + i) * i00
        b = (load(work, C + 18 + i) - r01 * a) * i11
        store(work, C + i, a)
        store(work, C + 18 + i, b)
        store(work, C + 36 + i, (load(work, C + 36 + i) - r02 * a - r12 * b) * i22)
    store(work, M, r00)
    store(work, M + 1, r01)
    store(work, M + 2, r02)
    store(work, M + 3, r11)
    store(work, M + 4, r12)
    store(work, M + 5, r22)


@kernel
def keep_pressure(work: np.ndarray, pressures: np.ndarray, at: int) -> None:
    """Store R^-1 R^-T C: pressure coefficients ``(3,)`` = this ``(3, 18)`` times the displacements."""
    one, r01, r02, r12 = splat(1.0), load(work, M + 1), load(work, M + 2), load(work, M + 4)
    i00, i11, i22 = one / load(work, M), one / load(work, M + 3), one / load(work, M + 5)
    for i in range(18):
        c = load(work, C + 36 + i) * i22
        b = (load(work, C + 18 + i) - r12 * c) * i11
        stream(pressures, at + 36 + i, c)
        stream(pressures, at + 18 + i, b)
        stream(pressures, at + i, (load(work, C + i) - r01 * b - r02 * c) * i00)


@kernel
def shear_stiffness(work: np.ndarray, ke: np.ndarray) -> None:
    """K_ab,ij = int mu (d_ij grad N_a . grad N_b + d_j N_a d_i N_b - 2/3 d_i N_a d_j N_b) + (C^T C)_ab,ij."""
    for a in range(9):
        for b in range(a, 9):
            xx = xy = yx = yy = splat(0.0)
            for g in range(9):
                left, right = SCALED + (g * 9 + a) * 2, GRAD + (g * 9 + b) * 2
                ax, ay, bx, by = load(work, left), load(work, left + 1), load(work, right), load(work, right + 1)
                xx, xy, yx, yy = xx + ax * bx, xy + ax * by, yx + ay * bx, yy + ay * by
            third = splat(2.0 / 3.0)
            kxx, kyy = xx + yy + xx - third * xx, xx + yy + yy - third * yy
            kxy, kyx = yx - third * xy, xy - third * yx
            for q in range(3):
                i, j = C + q * 18 + 2 * a, C + q * 18 + 2 * b
                cx, cy, dx, dy = load(work, i), load(work, i + 1), load(work, j), load(work, j + 1)
                kxx, kxy, kyx, kyy = kxx + cx * dx, kxy + cx * dy, kyx + cy * dx, kyy + cy * dy
            here = 2 * a * KE + 2 * b
            store(ke, here, kxx)
            store(ke, here + 1, kxy)
            store(ke, here + KE, kyx)
            store(ke, here + KE + 1, kyy)


@kernel
def push_lumen(work: np.ndarray, pressure: float, ke: np.ndarray) -> None:
    """Add the lumen pressure's forces on the inner side: f_a = p int N_a (dy, -dx)."""
    for i in range(3):
        fx = fy = splat(0.0)
        for j in range(3):
            q = splat(pressure * EDGE_PRODUCT[i, j])
            fx, fy = fx + q * load(work, X + 2 * INNER[j] + 1), fy - q * load(work, X + 2 * INNER[j])
        here = 2 * INNER[i] * KE + 18
        store(ke, here, load(ke, here) + fx)
        store(ke, here + KE, load(ke, here + KE) + fy)


@kernel
def rest_on_springs(work: np.ndarray, foundation: float, ke: np.ndarray) -> None:
    """Add an elastic foundation on the outer side: traction = -foundation * displacement."""
    for g in range(3):
        tx = ty = splat(0.0)
        for i in range(3):
            slope = splat(EDGE_SLOPE[g, i])
            tx, ty = tx + slope * load(work, X + 2 * OUTER[i]), ty + slope * load(work, X + 2 * OUTER[i] + 1)
        length = sqrt(tx * tx + ty * ty) * splat(foundation * GAUSS_WEIGHT[g])
        for i in range(3):
            for j in range(3):
                if OUTER[i] <= OUTER[j]:
                    share = length * splat(EDGE_SHAPE[g, i] * EDGE_SHAPE[g, j])
                    here = 2 * OUTER[i] * KE + 2 * OUTER[j]
                    store(ke, here, load(ke, here) + share)
                    store(ke, here + KE + 1, load(ke, here + KE + 1) + share)


@kernel
def element(moduli: np.ndarray, at: int, work: np.ndarray, ke: np.ndarray) -> Any:
    """Stiffness of the gathered element; ``moduli`` of its points from ``at``: shear, then bulk. Least Jacobian."""
    smallest = splat(1e300)
    clear(work, C, 60)
    for g in range(9):
        determinant = gradients(work, g)
        smallest = least(smallest, determinant)
        weight = determinant * splat(WEIGHT[g])
        stiff = weight * load(moduli, at + g)
        for i in range(18):
            store(work, SCALED + g * 18 + i, stiff * load(work, GRAD + g * 18 + i))
        pressure_terms(work, g, weight, load(moduli, at + 9 + g))
    reduce_pressure(work)
    shear_stiffness(work, ke)
    for i in range(18):
        store(ke, i * KE + 18, splat(0.0))
        store(ke, i * KE + 19, splat(0.0))
    return smallest


@kernel
def solve_linear(
    nodes: np.ndarray,
    moduli: np.ndarray,
    pressure: float,
    foundation: float,
    columns: int,
    radial: int,
    store_: tuple[np.ndarray, ...],
    work: np.ndarray,
    ke: np.ndarray,
    u: np.ndarray,
    jacobian: np.ndarray,
) -> None:
    """Displacements ``u`` of eight sections at once; ``jacobian`` gets the least determinant, <= 0 for a folded mesh.

    ``nodes``, ``u`` ``(2 columns, 2 radial + 1, 2)`` mm; ``moduli`` ``(columns, radial, 2, 9)``: shear and bulk in kPa
    at the Gauss points; ``foundation`` kPa/mm, 0 for a free outer boundary.
    """
    ring, middles, centres, pressures = store_
    smallest = splat(1e300)
    for e in range(columns):
        begin_column(e, columns, radial, ring, middles)
        for k in range(radial):
            gather(nodes, e, k, columns, radial, work)
            smallest = least(smallest, element(moduli, (e * radial + k) * 18, work, ke))
            keep_pressure(work, pressures, (e * radial + k) * 54)
            if k == 0:
                push_lumen(work, pressure, ke)
            if k == radial - 1 and foundation > 0.0:
                rest_on_springs(work, foundation, ke)
            scatter(ke, e, k, columns, radial, ring, middles, centres)
        close_column(e, columns, radial, ring, middles)
    solve_ring(columns, radial, ring, middles, centres, foundation <= 0.0, u)
    store(jacobian, 0, smallest)


@kernel
def element_pressures(
    kept: np.ndarray, u: np.ndarray, columns: int, radial: int, work: np.ndarray, pressures: np.ndarray
) -> None:
    """Pressure coefficients ``(columns, radial, 3)`` from what :func:`keep_pressure` kept and the displacements."""
    for e in range(columns):
        for k in range(radial):
            gather(u, e, k, columns, radial, work)
            for q in range(3):
                at = ((e * radial + k) * 3 + q) * 18
                total = splat(0.0)
                for i in range(18):
                    total = total + load(kept, at + i) * load(work, X + i)
                store(pressures, (e * radial + k) * 3 + q, total)
