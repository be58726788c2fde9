"""Finite-strain elements over lanes: W = c1 (I - 3) + D1 (exp(D2 (I - 3)) - 1) + pressure, total Lagrangian.

I = J^(-2/3) (tr F^T F) is the isochoric first invariant, in plane strain F_33 = 1. The pressure p solves
int psi (J - 1 - p / kappa) = 0 over each element for psi = 1, x, y. Newton's method runs on u and p together with p
eliminated in each element: K(u, p) + C^T M^-1 C in the displacement alone. Far from the solution the p that u alone
would give is a thousandfold wrong; it may enter the forces, where it is what elimination leaves, but not K.

P = dW/dF = W1 S + p cof F with S = dI/dF = 2 a F - 2/3 I H, a = J^(-2/3), H = F^-T, and
dP/dF = W2 S x S + W1 (2 a 1 - 4/3 a (F x H + H x F) + 4/9 I H x H - 2/3 I dH/dF) + p d(cof F)/dF,
dH_iJ/dF_kL = -H_iL H_kJ (Bonet and Wood, Nonlinear Continuum Mechanics for Finite Element Analysis, chapters 6 and 8).
"""

from typing import Any, Final

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.deformed_loads import U, push_deformed, rest_deformed
from labelers.fem_stress.lane_functions import exponential, root_of_volume
from labelers.fem_stress.linear import (
    GRAD,
    C,
    M,
    X,
    gather,
    gradients,
    keep_pressure,
    reduce_pressure,
)
from labelers.fem_stress.reference import (
    ANGULAR,
    RADIAL,
    SHAPE,
    WEIGHT,
)
from labelers.fem_stress.ring import KE, begin_column, clear, close_column, scatter, solve_ring
from labelers.fem_stress.simd import least, load, splat, sqrt, store

W: Final = 420
F: Final = 429
PSI: Final = 465
G: Final = 483
P: Final = 486
T: Final = 489
STATE: Final = 1137
TENSION: Final = 1140
HYPER_SCRATCH: Final = 1143
"""Entries of the scratch array behind those of the linear element: displacements (9, 2), weights (9,), F (9, 2, 2),
psi (9, 2), int psi (J - 1) (3,), pressure (3,), stiffness times gradient
(9, 9, 2, 2, 2), pressure state (3,), tension and its
direction (3,)."""


@kernel
def kinematics(work: np.ndarray, moduli: np.ndarray, at: int) -> Any:
    """F and weights at the Gauss points, C, M and int psi (J - 1). Returns the least of the two Jacobians."""
    smallest = splat(1e300)
    clear(work, C, 60)
    clear(work, G, 3)
    for g in range(9):
        determinant = gradients(work, g)
        weight = determinant * splat(WEIGHT[g])
        store(work, W + g, weight)
        a = d = splat(1.0)
        b = c = px = py = splat(0.0)
        for n in range(9):
            x, y = load(work, GRAD + (g * 9 + n) * 2), load(work, GRAD + (g * 9 + n) * 2 + 1)
            p, q = load(work, U + 2 * n), load(work, U + 2 * n + 1)
            a, b, c, d = a + p * x, b + p * y, c + q * x, d + q * y
            shape = splat(SHAPE[g, n])
            px, py = px + load(work, X + 2 * n) * shape, py + load(work, X + 2 * n + 1) * shape
        store(work, F + 4 * g, a)
        store(work, F + 4 * g + 1, b)
        store(work, F + 4 * g + 2, c)
        store(work, F + 4 * g + 3, d)
        volume = a * d - b * c
        smallest = least(smallest, least(determinant, volume))
        volume_terms(work, g, weight, volume, px - load(work, X), py - load(work, X + 1))
        compliance_terms(work, g, weight / load(moduli, at + 27 + g))
    return smallest


@kernel
def volume_terms(work: np.ndarray, g: int, weight: Any, volume: Any, px: Any, py: Any) -> None:
    """Add the point's share to C = int psi cof F grad N and to int psi (J - 1)."""
    store(work, PSI + 2 * g, px)
    store(work, PSI + 2 * g + 1, py)
    a, b, c, d = load(work, F + 4 * g), load(work, F + 4 * g + 1), load(work, F + 4 * g + 2), load(work, F + 4 * g + 3)
    for n in range(9):
        x, y = load(work, GRAD + (g * 9 + n) * 2), load(work, GRAD + (g * 9 + n) * 2 + 1)
        first, second = weight * (d * x - c * y), weight * (a * y - b * x)
        here = C + 2 * n
        store(work, here, load(work, here) + first)
        store(work, here + 1, load(work, here + 1) + second)
        store(work, here + 18, load(work, here + 18) + px * first)
        store(work, here + 19, load(work, here + 19) + px * second)
        store(work, here + 36, load(work, here + 36) + py * first)
        store(work, here + 37, load(work, here + 37) + py * second)
    change = weight * (volume - 1.0)
    store(work, G, load(work, G) + change)
    store(work, G + 1, load(work, G + 1) + px * change)
    store(work, G + 2, load(work, G + 2) + py * change)


@kernel
def compliance_terms(work: np.ndarray, g: int, wk: Any) -> None:
    """Add the point's share to M = int psi psi / kappa."""
    px, py = load(work, PSI + 2 * g), load(work, PSI + 2 * g + 1)
    store(work, M, load(work, M) + wk)
    store(work, M + 1, load(work, M + 1) + wk * px)
    store(work, M + 2, load(work, M + 2) + wk * py)
    store(work, M + 3, load(work, M + 3) + wk * px * px)
    store(work, M + 4, load(work, M + 4) + wk * px * py)
    store(work, M + 5, load(work, M + 5) + wk * py * py)


@kernel
def solve_pressure(work: np.ndarray) -> None:
    """p = R^-1 R^-T int psi (J - 1), with R as :func:`reduce_pressure` leaves it."""
    r00, r01, r02 = load(work, M), load(work, M + 1), load(work, M + 2)
    r11, r12, r22 = load(work, M + 3), load(work, M + 4), load(work, M + 5)
    a = load(work, G) / r00
    b = (load(work, G + 1) - r01 * a) / r11
    c = (load(work, G + 2) - r02 * a - r12 * b) / r22
    c = c / r22
    b = (b - r12 * c) / r11
    store(work, P, (a - r01 * b - r02 * c) / r00)
    store(work, P + 1, b)
    store(work, P + 2, c)


@kernel
def material(work: np.ndarray, g: int, moduli: np.ndarray, at: int, ke: np.ndarray) -> None:
    """Subtract the point's inner forces from the load column and leave weight dP/dF grad N in T."""
    f0, f1, f2, f3 = (
        load(work, F + 4 * g),
        load(work, F + 4 * g + 1),
        load(work, F + 4 * g + 2),
        load(work, F + 4 * g + 3),
    )
    weight = load(work, W + g)
    volume = f0 * f3 - f1 * f2
    inverse = splat(1.0) / volume
    h0, h1, h2, h3 = f3 * inverse, splat(0.0) - f2 * inverse, splat(0.0) - f1 * inverse, f0 * inverse
    a = root_of_volume(volume)
    a = a * a
    invariant = a * (f0 * f0 + f1 * f1 + f2 * f2 + f3 * f3 + 1.0)
    c1, d1, d2 = load(moduli, at + g), load(moduli, at + 9 + g), load(moduli, at + 18 + g)
    stiff = d1 * d2 * exponential(d2 * (invariant - 3.0))
    first, second = weight * (c1 + stiff), weight * (stiff * d2)
    third = invariant * splat(2.0 / 3.0)
    twice = a + a
    s0, s1, s2, s3 = twice * f0 - third * h0, twice * f1 - third * h1, twice * f2 - third * h2, twice * f3 - third * h3
    p = weight * (
        load(work, P) + load(work, P + 1) * load(work, PSI + 2 * g) + load(work, P + 2) * load(work, PSI + 2 * g + 1)
    )
    pj = p * volume
    state = load(work, STATE) + load(work, STATE + 1) * load(work, PSI + 2 * g)
    state = (state + load(work, STATE + 2) * load(work, PSI + 2 * g + 1)) * weight * volume
    p0, p1, p2, p3 = first * s0 + pj * h0, first * s1 + pj * h1, first * s2 + pj * h2, first * s3 + pj * h3
    # tangent A = second s x s + hh H x H - fh (F x H + H x F) + diagonal + swap, rows and columns (iJ) = 11, 12, 21, 22
    hh, fh = first * third * splat(2.0 / 3.0) + state, first * twice * splat(2.0 / 3.0)
    swap, diagonal = first * third - state, first * twice
    tension, tx, ty = weight * load(work, TENSION), load(work, TENSION + 1), load(work, TENSION + 2)
    for n in range(9):
        x, y = load(work, GRAD + (g * 9 + n) * 2), load(work, GRAD + (g * 9 + n) * 2 + 1)
        here = 2 * n * KE + 18
        pull = tension * (tx * x + ty * y)
        dx, dy = diagonal * x + pull * tx, diagonal * y + pull * ty
        store(ke, here, load(ke, here) - (p0 * x + p1 * y))
        store(ke, here + KE, load(ke, here + KE) - (p2 * x + p3 * y))
        out = T + (g * 9 + n) * 8
        for k in range(2):
            if k == 0:
                s, h, f, hx, hy = s0 * x + s1 * y, h0 * x + h1 * y, f0 * x + f1 * y, h0, h1
            else:
                s, h, f, hx, hy = s2 * x + s3 * y, h2 * x + h3 * y, f2 * x + f3 * y, h2, h3
            cs, ch, cf = second * s, hh * h - fh * f, fh * h
            # swap term: A_iJkL += swap H_iL H_kJ, contracted with grad N: swap (H_i . grad N) H_kJ
            u0, u1 = swap * (h0 * x + h1 * y), swap * (h2 * x + h3 * y)
            t0 = cs * s0 + ch * h0 - cf * f0 + u0 * hx
            t1 = cs * s1 + ch * h1 - cf * f1 + u0 * hy
            t2 = cs * s2 + ch * h2 - cf * f2 + u1 * hx
            t3 = cs * s3 + ch * h3 - cf * f3 + u1 * hy
            if k == 0:
                t0, t1 = t0 + dx, t1 + dy
            else:
                t2, t3 = t2 + dx, t3 + dy
            store(work, out + k, t0)
            store(work, out + 2 + k, t1)
            store(work, out + 4 + k, t2)
            store(work, out + 6 + k, t3)


@kernel
def tangent(work: np.ndarray, ke: np.ndarray) -> None:
    """K_ab,ik = sum over points of d_J N_a (weight dP_iJ/dF_kL d_L N_b) + (C^T C)_ab,ik."""
    for a in range(9):
        for b in range(a, 9):
            xx = xy = yx = yy = splat(0.0)
            for g in range(9):
                here = T + (g * 9 + b) * 8
                x, y = load(work, GRAD + (g * 9 + a) * 2), load(work, GRAD + (g * 9 + a) * 2 + 1)
                xx = xx + x * load(work, here) + y * load(work, here + 2)
                xy = xy + x * load(work, here + 1) + y * load(work, here + 3)
                yx = yx + x * load(work, here + 4) + y * load(work, here + 6)
                yy = yy + x * load(work, here + 5) + y * load(work, here + 7)
            for q in range(3):
                i, j = C + q * 18 + 2 * a, C + q * 18 + 2 * b
                cx, cy, dx, dy = load(work, i), load(work, i + 1), load(work, j), load(work, j + 1)
                xx, xy, yx, yy = xx + cx * dx, xy + cx * dy, yx + cy * dx, yy + cy * dy
            at = 2 * a * KE + 2 * b
            store(ke, at, xx)
            store(ke, at + 1, xy)
            store(ke, at + KE, yx)
            store(ke, at + KE + 1, yy)


@kernel
def gather_moved(nodes: np.ndarray, u: np.ndarray, e: int, k: int, columns: int, radial: int, work: np.ndarray) -> None:
    """Copy the element's points and displacements."""
    gather(nodes, e, k, columns, radial, work)
    for a in range(9):
        here = (((2 * e + ANGULAR[a]) % (2 * columns)) * (2 * radial + 1) + 2 * k + RADIAL[a]) * 2
        store(work, U + 2 * a, load(u, here))
        store(work, U + 2 * a + 1, load(u, here + 1))


@kernel
def expect_tension(work: np.ndarray, tension: Any) -> None:
    """Set the element's expected tension along the ring."""
    x = load(work, X + 14) - load(work, X + 8)
    y = load(work, X + 15) - load(work, X + 9)
    length = sqrt(x * x + y * y)
    store(work, TENSION, tension)
    store(work, TENSION + 1, x / length)
    store(work, TENSION + 2, y / length)


@kernel
def newton_step(
    nodes: np.ndarray,
    u: np.ndarray,
    moduli: np.ndarray,
    pressure: float,
    follow: float,
    tension: np.ndarray,
    foundation: float,
    columns: int,
    radial: int,
    buffers: tuple[np.ndarray, ...],
    work: np.ndarray,
    ke: np.ndarray,
    state: np.ndarray,
    step: np.ndarray,
    stepped: np.ndarray,
    report: np.ndarray,
) -> None:
    """One Newton step of eight sections, from ``u`` and the pressures ``state`` to ``u + step`` and ``stepped``.

    ``moduli`` ``(columns, radial, 4, 9)``: c1, d1, d2, kappa.

    ``follow``: the pressure whose load stiffness is taken. A pressure that no stress answers yet would make the matrix
    indefinite: so the first step, which knows no stress, is given the ``tension`` ``(columns, radial)`` kPa along the
    ring that is to be expected; it enters the matrix alone, later steps get zeros.
    ``report``: the least Jacobian of mesh and deformation at ``u``.
    """
    ring, middles, centres, kept = buffers
    smallest = splat(1e300)
    for e in range(columns):
        begin_column(e, columns, radial, ring, middles)
        for k in range(radial):
            at = (e * radial + k) * 36
            gather_moved(nodes, u, e, k, columns, radial, work)
            smallest = least(smallest, kinematics(work, moduli, at))
            reduce_pressure(work)
            solve_pressure(work)
            keep_pressure(work, kept, (e * radial + k) * 54)
            for q in range(3):
                store(work, STATE + q, load(state, (e * radial + k) * 3 + q))
                store(stepped, (e * radial + k) * 3 + q, load(work, P + q))
            expect_tension(work, load(tension, e * radial + k))
            clear(ke, 0, 18 * KE)
            for g in range(9):
                material(work, g, moduli, at, ke)
            tangent(work, ke)
            if k == 0:
                push_deformed(work, pressure, follow, ke)
            if k == radial - 1 and foundation > 0.0:
                rest_deformed(work, foundation, ke)
            scatter(ke, e, k, columns, radial, ring, middles, centres)
        close_column(e, columns, radial, ring, middles)
    solve_ring(columns, radial, ring, middles, centres, foundation <= 0.0, step)
    step_pressures(step, kept, columns, radial, work, stepped)
    store(report, 0, smallest)


@kernel
def step_pressures(
    step: np.ndarray, kept: np.ndarray, columns: int, radial: int, work: np.ndarray, stepped: np.ndarray
) -> None:
    """Add M^-1 C step to the pressures."""
    for e in range(columns):
        for k in range(radial):
            gather(step, e, k, columns, radial, work)
            for q in range(3):
                total = load(stepped, (e * radial + k) * 3 + q)
                for i in range(18):
                    total = total + load(kept, (e * radial + k) * 54 + q * 18 + i) * load(work, X + i)
                store(stepped, (e * radial + k) * 3 + q, total)
