"""Whether an answer is in equilibrium: inner forces of its stress against the loads, node by node, over lanes.

This does not look at how the answer was found: displacements and pressures are put back into the elements, and what is
left over at any node, supports included, must be small against the lumen pressure on one element's side. Loads on a
closed border balance, so supports that only stop rigid motion must carry nothing either.
"""

from typing import Any, Final

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.deformed_loads import U, push_deformed, rest_deformed
from labelers.fem_stress.hyperelastic import gather_moved
from labelers.fem_stress.lane_functions import exponential, root_of_volume
from labelers.fem_stress.linear import GRAD, X, gradients, push_lumen
from labelers.fem_stress.reference import ANGULAR, RADIAL, SHAPE, WEIGHT
from labelers.fem_stress.ring import KE, clear
from labelers.fem_stress.simd import greatest, least, load, splat, store

D: Final = 440
P: Final = 444
Q: Final = 445
EXCESS: Final = 448
"""Entries of the scratch array: displacement gradient (4,), pressure at the point, the element's coefficients (3,), the
element's volume change in excess of what its pressure stands for."""


@kernel
def point_gradient(work: np.ndarray, g: int) -> None:
    """Displacement gradient and pressure at Gauss point ``g``."""
    a = b = c = d = splat(0.0)
    px, py = splat(0.0) - load(work, X), splat(0.0) - load(work, X + 1)
    for n in range(9):
        x, y = load(work, GRAD + (g * 9 + n) * 2), load(work, GRAD + (g * 9 + n) * 2 + 1)
        p, q = load(work, U + 2 * n), load(work, U + 2 * n + 1)
        a, b, c, d = a + p * x, b + p * y, c + q * x, d + q * y
        shape = splat(SHAPE[g, n])
        px, py = px + load(work, X + 2 * n) * shape, py + load(work, X + 2 * n + 1) * shape
    store(work, D, a)
    store(work, D + 1, b)
    store(work, D + 2, c)
    store(work, D + 3, d)
    store(work, P, load(work, Q) + load(work, Q + 1) * px + load(work, Q + 2) * py)


@kernel
def small_strain(work: np.ndarray, moduli: np.ndarray, at: int) -> None:
    """Replace the gradient by the stress 2 mu dev(eps) + p I."""
    a, b, c, d = load(work, D), load(work, D + 1), load(work, D + 2), load(work, D + 3)
    shear = load(moduli, at)
    twice = shear + shear
    mean = load(work, P) - twice * (a + d) * splat(1.0 / 3.0)
    store(work, D, mean + twice * a)
    store(work, D + 1, shear * (b + c))
    store(work, D + 2, shear * (b + c))
    store(work, D + 3, mean + twice * d)


@kernel
def finite_strain(work: np.ndarray, moduli: np.ndarray, at: int) -> None:
    """Replace the gradient by the first Piola-Kirchhoff stress W1 S + p cof F."""
    a, b, c, d = load(work, D) + 1.0, load(work, D + 1), load(work, D + 2), load(work, D + 3) + 1.0
    volume = a * d - b * c
    inverse = splat(1.0) / volume
    root = root_of_volume(volume)
    root = root * root
    invariant = root * (a * a + b * b + c * c + d * d + 1.0)
    c1, d1, d2 = load(moduli, at), load(moduli, at + 9), load(moduli, at + 18)
    first = c1 + d1 * d2 * exponential(d2 * (invariant - 3.0))
    stretch = first * (root + root)
    # what is along F^-T: the isochoric part's share and the pressure's
    normal = (load(work, P) * volume - first * invariant * splat(2.0 / 3.0)) * inverse
    store(work, D, stretch * a + normal * d)
    store(work, D + 1, stretch * b - normal * c)
    store(work, D + 2, stretch * c - normal * b)
    store(work, D + 3, stretch * d + normal * a)


@kernel
def subtract_inner(work: np.ndarray, moduli: np.ndarray, at: int, linear: bool, ke: np.ndarray) -> Any:
    """Subtract the element's inner forces from the load column; the least Jacobian of mesh and deformation."""
    smallest = splat(1e300)
    area = excess = splat(0.0)
    for g in range(9):
        determinant = gradients(work, g)
        weight = determinant * splat(WEIGHT[g])
        point_gradient(work, g)
        growth = load(work, D) + load(work, D + 3)
        if linear:
            small_strain(work, moduli, at + g)
            pressed = load(work, P) / load(moduli, at + 9 + g)
        else:
            growth = growth + (load(work, D) * load(work, D + 3) - load(work, D + 1) * load(work, D + 2))
            smallest = least(smallest, growth + 1.0)
            finite_strain(work, moduli, at + g)
            pressed = load(work, P) / load(moduli, at + 27 + g)
        smallest = least(smallest, determinant)
        area, excess = area + weight, excess + weight * (growth - pressed)
        a, b = weight * load(work, D), weight * load(work, D + 1)
        c, d = weight * load(work, D + 2), weight * load(work, D + 3)
        for n in range(9):
            x, y = load(work, GRAD + (g * 9 + n) * 2), load(work, GRAD + (g * 9 + n) * 2 + 1)
            here = 2 * n * KE + 18
            store(ke, here, load(ke, here) - (a * x + b * y))
            store(ke, here + KE, load(ke, here + KE) - (c * x + d * y))
    store(work, EXCESS, excess / area)
    return smallest


@kernel
def add_forces(ke: np.ndarray, e: int, k: int, columns: int, radial: int, forces: np.ndarray) -> None:
    """Add the element's load column to the nodes' forces."""
    for a in range(9):
        here = (((2 * e + ANGULAR[a]) % (2 * columns)) * (2 * radial + 1) + 2 * k + RADIAL[a]) * 2
        store(forces, here, load(forces, here) + load(ke, 2 * a * KE + 18))
        store(forces, here + 1, load(forces, here + 1) + load(ke, (2 * a + 1) * KE + 18))


@kernel
def out_of_balance(
    nodes: np.ndarray, u: np.ndarray, pressures: np.ndarray, moduli: np.ndarray, linear: bool, pressure: float,
    foundation: float, columns: int, radial: int, work: np.ndarray, ke: np.ndarray, forces: np.ndarray,
    report: np.ndarray,
) -> None:  # fmt: skip
    """Judge answers to eight sections; ``report`` ``(3,)``: greatest force left over at a node in kPa mm (NaN where an
    answer is not finite), least Jacobian, greatest difference between an element's volume change and its pressure's.

    ``moduli`` ``(columns, radial, 2 or 4, 9)``; ``pressures`` ``(columns, radial, 3)``; ``forces`` like ``u``.
    """
    smallest, loose = splat(1e300), splat(0.0)
    clear(forces, 0, 4 * columns * (2 * radial + 1))
    for e in range(columns):
        for k in range(radial):
            gather_moved(nodes, u, e, k, columns, radial, work)
            for q in range(3):
                store(work, Q + q, load(pressures, (e * radial + k) * 3 + q))
            for i in range(18):
                store(ke, i * KE + 18, splat(0.0))
            at = (e * radial + k) * (18 if linear else 36)
            smallest = least(smallest, subtract_inner(work, moduli, at, linear, ke))
            excess = load(work, EXCESS)
            loose = greatest(loose, greatest(excess, splat(0.0) - excess))
            if k == 0 and linear:
                push_lumen(work, pressure, ke)
            elif k == 0:
                push_deformed(work, pressure, 0.0, ke)
            if k == radial - 1 and foundation > 0.0:
                rest_deformed(work, foundation, ke)
            add_forces(ke, e, k, columns, radial, forces)
    worst, poison = splat(0.0), splat(0.0)
    for i in range(4 * columns * (2 * radial + 1)):
        force = load(forces, i)
        worst = greatest(worst, greatest(force, splat(0.0) - force))
        poison = poison + force * 0.0
    store(report, 0, worst + poison)
    store(report, 1, smallest)
    store(report, 2, loose)
