"""Where a point lies in the mesh, and the displacement gradient and pressure there."""

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.reference import ANGULAR, RADIAL

OVERSHOOT = 0.02
"""How far beyond an element, in its reference coordinates, a point counts as inside: curved borders meet polygons."""
STEPS = 40


@kernel
def _shapes(xi: float, eta: float, shape: np.ndarray, slope: np.ndarray) -> None:
    r = (xi * (xi - 1) / 2, 1 - xi * xi, xi * (xi + 1) / 2)
    s = (eta * (eta - 1) / 2, 1 - eta * eta, eta * (eta + 1) / 2)
    dr = (xi - 0.5, -2 * xi, xi + 0.5)
    ds = (eta - 0.5, -2 * eta, eta + 0.5)
    for a in range(9):
        i, j = RADIAL[a], ANGULAR[a]
        shape[a] = r[i] * s[j]
        slope[a, 0] = dr[i] * s[j]
        slope[a, 1] = r[i] * ds[j]


@kernel
def _invert(
    nodes: np.ndarray,
    e: int,
    k: int,
    x: float,
    y: float,
    start_xi: float,
    start_eta: float,
    shape: np.ndarray,
    slope: np.ndarray,
) -> tuple[float, float]:
    """Reference coordinates of a point in element (e, k) by Newton's method, which may leave the element."""
    lines = nodes.shape[0]
    xi, eta = start_xi, start_eta
    for _ in range(12):
        _shapes(xi, eta, shape, slope)
        px = py = a = b = c = d = 0.0
        for n in range(9):
            p, q = nodes[(2 * e + ANGULAR[n]) % lines, 2 * k + RADIAL[n]]
            px, py = px + shape[n] * p, py + shape[n] * q
            a, b = a + p * slope[n, 0], b + p * slope[n, 1]
            c, d = c + q * slope[n, 0], d + q * slope[n, 1]
        det = a * d - b * c
        dx, dy = x - px, y - py
        step_xi, step_eta = (d * dx - b * dy) / det, (a * dy - c * dx) / det
        xi, eta = min(max(xi + step_xi, -2.5), 2.5), min(max(eta + step_eta, -2.5), 2.5)
        if abs(step_xi) + abs(step_eta) < 1e-7:  # the next step would be below 1e-13
            break
    return xi, eta


@kernel
def locate(nodes: np.ndarray, centre: np.ndarray, points: np.ndarray, clamp: bool) -> tuple[np.ndarray, np.ndarray]:
    """Elements ``(n, 2)`` int64 (column, radial; -1 when outside) and reference coordinates ``(n, 2)``.

    ``clamp``: a point beyond the inner or outer border is taken to the border instead of being outside.
    """
    columns, radial = nodes.shape[0] // 2, nodes.shape[1] // 2
    found = np.full((len(points), 2), -1, dtype=np.int64)
    where = np.zeros((len(points), 2))
    shape, slope = np.zeros(9), np.zeros((9, 2))
    for n in range(len(points)):
        x, y = points[n]
        angle = np.arctan2(y - centre[1], x - centre[0]) % (2 * np.pi)
        e = min(int(angle / (2 * np.pi) * columns), columns - 1)
        inner, outer = nodes[2 * e + 1, 0] - centre, nodes[2 * e + 1, 2 * radial] - centre
        r0, r1 = np.hypot(inner[0], inner[1]), np.hypot(outer[0], outer[1])
        r = np.hypot(x - centre[0], y - centre[1])
        across = (r - r0) / (r1 - r0) * radial
        k = min(max(int(across), 0), radial - 1)
        xi = min(max(2 * (across - k) - 1, -1.0), 1.0)
        eta = min(max(2 * (angle / (2 * np.pi) * columns - e) - 1, -1.0), 1.0)
        for _ in range(STEPS):
            xi, eta = _invert(nodes, e, k, x, y, xi, eta, shape, slope)
            moved = False
            if abs(eta) > 1 + 1e-9:
                e = (e + (1 if eta > 0 else -1)) % columns
                moved = True
            elif xi > 1 + 1e-9 and k < radial - 1:
                k, moved = k + 1, True
            elif xi < -1 - 1e-9 and k > 0:
                k, moved = k - 1, True
            if not moved:
                break
            xi = eta = 0.0
        if not moved and (clamp or abs(xi) <= 1 + OVERSHOOT):
            found[n, 0], found[n, 1] = e, k
            where[n, 0], where[n, 1] = min(max(xi, -1.0), 1.0), min(max(eta, -1.0), 1.0)
    return found, where


@kernel
def fields_at(
    nodes: np.ndarray, u: np.ndarray, pressure: np.ndarray, found: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Displacement ``(n, 2)``, gradient ``(n, 2, 2)`` du_i/dX_j, pressure ``(n,)``, normal of ring lines ``(n, 2)``.

    NaN where not found.
    """
    count, lines = len(found), nodes.shape[0]
    move, grad, p = np.full((count, 2), np.nan), np.full((count, 2, 2), np.nan), np.full(count, np.nan)
    normal = np.full((count, 2), np.nan)
    shape, slope = np.zeros(9), np.zeros((9, 2))
    for n in range(count):
        e, k = found[n]
        if e < 0:
            continue
        _shapes(where[n, 0], where[n, 1], shape, slope)
        position, jacobian, local, value = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2)
        for a in range(9):
            line, ring = (2 * e + ANGULAR[a]) % lines, 2 * k + RADIAL[a]
            for i in range(2):
                position[i] += shape[a] * nodes[line, ring, i]
                value[i] += shape[a] * u[line, ring, i]
                for j in range(2):
                    jacobian[i, j] += nodes[line, ring, i] * slope[a, j]
                    local[i, j] += u[line, ring, i] * slope[a, j]
        det = jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0]
        for i in range(2):
            move[n, i] = value[i]
            grad[n, i, 0] = (local[i, 0] * jacobian[1, 1] - local[i, 1] * jacobian[1, 0]) / det
            grad[n, i, 1] = (local[i, 1] * jacobian[0, 0] - local[i, 0] * jacobian[0, 1]) / det
        length = np.hypot(jacobian[0, 1], jacobian[1, 1])
        normal[n, 0], normal[n, 1] = jacobian[1, 1] / length, -jacobian[0, 1] / length
        middle = nodes[(2 * e + 1) % lines, 2 * k + 1]
        q = pressure[e, k]
        p[n] = q[0] + q[1] * (position[0] - middle[0]) + q[2] * (position[1] - middle[1])
    return move, grad, p, normal
