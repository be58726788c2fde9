"""Stress at many points of one section: the points are sorted by element, then taken eight at a time in lanes.

A point's element is guessed from its angle and radius about the centre; the guess is sharpened by Newton's method on
the element's own mapping, so that it decides nothing but the work. A point that leaves the guessed element on the way
is handed to the search of :mod:`labelers.fem_stress.locate`. Each point is answered by one element: at an interface it
has the stress of one side.
"""

from typing import Any, Final

import numpy as np

from labelers.fem_stress.compiled import inlined, kernel
from labelers.fem_stress.locate import locate
from labelers.fem_stress.point_search import guess, radius_table, sorted_by
from labelers.fem_stress.point_stress import hyperelastic_lanes, linear_lanes
from labelers.fem_stress.simd import LANES, greatest, least, load, splat, sqrt, store

OVERSHOOT: Final = 0.02
"""How far beyond an element, in its reference coordinates, a point counts as inside: curved borders meet polygons."""
SLACK: Final = 1e-9
SHARP: Final = 1e-7
"""A Newton step below this is the last: the next would be below 1e-13."""

PX: Final = 0
PY: Final = 1
XI: Final = 2
ETA: Final = 3
SIZE: Final = 4
MODULI: Final = 5
STRESS: Final = 9
PLACE: Final = 13
BASE: Final = PLACE + 18
MOVE: Final = BASE + 18
SCRATCH: Final = MOVE + 18
"""Entries of the scratch array: the points, their reference coordinates, the last step, moduli (4), stress (4), and
the element's polynomials in xi and eta, (2 components, 9) each: where it lies, where it lies unloaded, how it moves."""


@kernel
def coefficients(field: np.ndarray, e: int, k: int, work: np.ndarray, at: int) -> None:
    """The element's two components as polynomials: entries ``at`` + 9 * component + 3 * power of eta + power of xi."""
    lines = field.shape[0]
    for i in range(2):
        for power in range(3):
            a, b = field[2 * e, 2 * k + power, i], field[2 * e + 1, 2 * k + power, i]
            c = field[(2 * e + 2) % lines, 2 * k + power, i]
            store(work, at + 9 * i + power, splat(b))
            store(work, at + 9 * i + 3 + power, splat((c - a) / 2))
            store(work, at + 9 * i + 6 + power, splat((a + c) / 2 - b))
        for power in range(3):
            here = at + 9 * i + 3 * power
            a, b, c = load(work, here), load(work, here + 1), load(work, here + 2)
            store(work, here, b)
            store(work, here + 1, (c - a) * splat(0.5))
            store(work, here + 2, (a + c) * splat(0.5) - b)


@inlined
def polynomial(work: np.ndarray, at: int, xi: Any, eta: Any) -> Any:
    """Value of one component and its derivatives by xi and eta."""
    a0, a1, a2 = load(work, at), load(work, at + 1), load(work, at + 2)
    b0, b1, b2 = load(work, at + 3), load(work, at + 4), load(work, at + 5)
    c0, c1, c2 = load(work, at + 6), load(work, at + 7), load(work, at + 8)
    twice_xi, twice_eta = xi + xi, eta + eta
    a, b, c = a0 + xi * (a1 + xi * a2), b0 + xi * (b1 + xi * b2), c0 + xi * (c1 + xi * c2)
    along = a1 + twice_xi * a2 + eta * (b1 + twice_xi * b2 + eta * (c1 + twice_xi * c2))
    return a + eta * (b + eta * c), along, b + twice_eta * c


@kernel
def sharpen(work: np.ndarray) -> None:
    """One Newton step towards the points' reference coordinates; SIZE gets its size."""
    xi, eta = load(work, XI), load(work, ETA)
    x, a, b = polynomial(work, PLACE, xi, eta)
    y, c, d = polynomial(work, PLACE + 9, xi, eta)
    dx, dy = load(work, PX) - x, load(work, PY) - y
    inverse = splat(1.0) / (a * d - b * c)
    step_xi, step_eta = (d * dx - b * dy) * inverse, (a * dy - c * dx) * inverse
    low, high, zero = splat(-2.5), splat(2.5), splat(0.0)
    store(work, XI, least(greatest(xi + step_xi, low), high))
    store(work, ETA, least(greatest(eta + step_eta, low), high))
    store(work, SIZE, greatest(greatest(step_xi, zero - step_xi), greatest(step_eta, zero - step_eta)))


@inlined
def blunt(work: np.ndarray) -> bool:
    """Whether some point's last step was too large to be the last."""
    worst = 0.0
    for i in range(LANES):
        worst = max(worst, work[SIZE * LANES + i])
    return worst > SHARP


@kernel
def stress_here(work: np.ndarray, pressure: np.ndarray, base: np.ndarray, e: int, k: int, linear: bool) -> None:
    """Stress at the points' reference coordinates in element (e, k) into STRESS."""
    one = splat(1.0)
    xi = least(greatest(load(work, XI), splat(-1.0)), one)
    eta = least(greatest(load(work, ETA), splat(-1.0)), one)
    x, a, b = polynomial(work, BASE, xi, eta)
    y, c, d = polynomial(work, BASE + 9, xi, eta)
    _, u_xi, u_eta = polynomial(work, MOVE, xi, eta)
    _, v_xi, v_eta = polynomial(work, MOVE + 9, xi, eta)
    inverse = one / (a * d - b * c)
    ux, uy = (u_xi * d - u_eta * c) * inverse, (u_eta * a - u_xi * b) * inverse
    vx, vy = (v_xi * d - v_eta * c) * inverse, (v_eta * a - v_xi * b) * inverse
    length = one / sqrt(b * b + d * d)
    nx, ny = d * length, splat(0.0) - b * length
    px, py = x - splat(base[2 * e + 1, 2 * k + 1, 0]), y - splat(base[2 * e + 1, 2 * k + 1, 1])
    p = splat(pressure[e, k, 0]) + splat(pressure[e, k, 1]) * px + splat(pressure[e, k, 2]) * py
    if linear:
        linear_lanes(ux, uy, vx, vy, p, nx, ny, work, MODULI, STRESS)
    else:
        hyperelastic_lanes(ux, uy, vx, vy, p, nx, ny, work, MODULI, STRESS)


@kernel
def take(order: np.ndarray, first: int, last: int, points: np.ndarray, where: np.ndarray, work: np.ndarray) -> None:
    """Up to eight points into the lanes; empty lanes repeat the first."""
    for i in range(LANES):
        n = order[first + i] if first + i < last else order[first]
        work[PX * LANES + i], work[PY * LANES + i] = points[n, 0], points[n, 1]
        work[XI * LANES + i], work[ETA * LANES + i] = where[n, 0], where[n, 1]


@kernel
def take_moduli(
    order: np.ndarray, first: int, last: int, row: np.ndarray, law_of: np.ndarray, table: np.ndarray, work: np.ndarray
) -> None:
    """Moduli of up to eight points: their ``row`` of the table, or (-1) that of the nearest Gauss point, ``law_of``."""
    half = np.sqrt(0.6) / 2
    for i in range(LANES):
        at = row[order[first + i] if first + i < last else order[first]]
        if at < 0:
            xi, eta = work[XI * LANES + i], work[ETA * LANES + i]
            at = law_of[3 * ((xi >= -half) + (xi > half)) + (eta >= -half) + (eta > half)]
        for j in range(table.shape[1]):
            work[(MODULI + j) * LANES + i] = table[at, j]


@kernel
def strays(
    order: np.ndarray,
    first: int,
    last: int,
    k: int,
    radial: int,
    clamp: bool,
    work: np.ndarray,
    where: np.ndarray,
    element: np.ndarray,
) -> None:
    """Note the reference coordinates; -2 as the element of points that left it, -1 of those beyond the borders."""
    for i in range(min(LANES, last - first)):
        n = order[first + i]
        xi, eta = work[XI * LANES + i], work[ETA * LANES + i]
        where[n, 0], where[n, 1] = xi, eta
        inner, outer = xi < -1 - SLACK, xi > 1 + SLACK
        left = not abs(eta) <= 1 + SLACK or (inner and k > 0) or (outer and k < radial - 1)
        if left or work[SIZE * LANES + i] > SHARP:
            element[n] = -2
        elif not clamp and abs(xi) > 1 + OVERSHOOT:
            element[n] = -1


@kernel
def put(order: np.ndarray, first: int, last: int, element: np.ndarray, work: np.ndarray, stress: np.ndarray) -> None:
    """Store the stress of up to eight points; not of those that are not in the element after all."""
    for i in range(min(LANES, last - first)):
        n = order[first + i]
        if element[n] >= 0:
            for j in range(4):
                stress[j, n] = work[(STRESS + j) * LANES + i]


@kernel
def fill(
    nodes: np.ndarray, base: np.ndarray, u: np.ndarray, pressure: np.ndarray, points: np.ndarray, row: np.ndarray,
    law_of: np.ndarray, table: np.ndarray, element: np.ndarray, where: np.ndarray, sharp: bool, clamp: bool,
    stress: np.ndarray,
) -> None:  # fmt: skip
    """Stress of all points by their elements; ``sharp``: ``element`` and ``where`` are final and not to be judged."""
    columns, radial = pressure.shape[:2]
    work = np.zeros(SCRATCH * LANES)
    order, start = sorted_by(element, columns * radial)
    linear = table.shape[1] == 2
    for e in range(columns):
        for k in range(radial):
            low, high = start[e * radial + k], start[e * radial + k + 1]
            if low < high:
                coefficients(nodes, e, k, work, PLACE)
                coefficients(base, e, k, work, BASE)
                coefficients(u, e, k, work, MOVE)
            for first in range(low, high, LANES):
                take(order, first, high, points, where, work)
                if not sharp:
                    sharpen(work)
                    for _ in range(5):
                        sharpen(work)
                        if not blunt(work):
                            break
                    strays(order, first, high, k, radial, clamp, work, where, element)
                take_moduli(order, first, high, row, law_of[e % len(law_of), k % law_of.shape[1]], table, work)
                stress_here(work, pressure, base, e, k, linear)
                put(order, first, high, element, work, stress)


@kernel
def components_at(
    nodes: np.ndarray, base: np.ndarray, centre: np.ndarray, u: np.ndarray, pressure: np.ndarray, points: np.ndarray,
    row: np.ndarray, law_of: np.ndarray, table: np.ndarray, clamp: bool,
) -> np.ndarray:  # fmt: skip
    """Cauchy stress xx, yy, xy, zz ``(4, n)`` kPa at points ``(n, 2)``; NaN outside tissue.

    ``nodes`` ``(2 columns, 2 radial + 1, 2)`` mm: where the points lie; ``base``: the nodes without pressure.
    ``table`` ``(rows, k)`` holds moduli; ``row`` ``(n,)`` is the points' row, or -1 for that of the nearest Gauss
    point, ``law_of`` ``(columns, radial, 9)``. ``clamp``: points beyond a border are taken to the border.
    """
    radial = pressure.shape[1]
    count = len(points)
    stress = np.full((4, count), np.nan)
    element, where = np.empty(count, dtype=np.int64), np.empty((count, 2))
    angles, radii = radius_table(nodes, centre)
    guess(points, centre, angles, radii, clamp, element, where)
    fill(nodes, base, u, pressure, points, row, law_of, table, element, where, False, clamp, stress)
    lost = np.flatnonzero(element == -2)
    if len(lost):
        found, there = locate(nodes, centre, points[lost], clamp)
        element[:] = -1
        for i in range(len(lost)):
            if found[i, 0] >= 0:
                element[lost[i]] = found[i, 0] * radial + found[i, 1]
                where[lost[i]] = there[i]
        fill(nodes, base, u, pressure, points, row, law_of, table, element, where, True, clamp, stress)
    return stress
