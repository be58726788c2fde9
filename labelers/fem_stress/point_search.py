"""Points by element: a guess from angle and radius about the centre, and the order by element."""

import numpy as np

from labelers.fem_stress.compiled import inlined, kernel


@kernel
def radius_table(nodes: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles ``(columns + 1,)`` of the lines, rising, and radii ``(columns, radial + 1, 3)`` as quadratics in eta."""
    columns, radial = nodes.shape[0] // 2, nodes.shape[1] // 2
    angles, radii = np.zeros(columns + 1), np.zeros((columns, radial + 1, 3))
    for e in range(columns):
        x, y = nodes[2 * e, 2 * radial, 0] - centre[0], nodes[2 * e, 2 * radial, 1] - centre[1]
        angles[e] = np.arctan2(y, x)
        while e > 0 and angles[e] < angles[e - 1]:
            angles[e] += 2 * np.pi
        for k in range(radial + 1):
            for i in range(3):
                line = (2 * e + i) % (2 * columns)
                x, y = nodes[line, 2 * k, 0] - centre[0], nodes[line, 2 * k, 1] - centre[1]
                radii[e, k, i] = np.sqrt(x * x + y * y)
            a, b, c = radii[e, k, 0], radii[e, k, 1], radii[e, k, 2]
            radii[e, k, 0], radii[e, k, 1], radii[e, k, 2] = b, (c - a) / 2, (a + c) / 2 - b
    angles[columns] = angles[0] + 2 * np.pi
    return angles, radii


@inlined
def _angle(y: float, x: float) -> float:
    """arctan2 to 2e-6 in (-pi, pi] (Abramowitz and Stegun 4.4.49): good enough to guess with."""
    ax, ay = abs(x), abs(y)
    low, high = min(ax, ay), max(ax, ay)
    t = low / high if high > 0 else 0.0
    s = t * t
    a = t * (0.9998660 + s * (-0.3302995 + s * (0.1801410 + s * (-0.0851330 + s * 0.0208351))))
    if ay > ax:
        a = np.pi / 2 - a
    if x < 0:
        a = np.pi - a
    return -a if y < 0 else a


@kernel
def guess(
    points: np.ndarray,
    centre: np.ndarray,
    angles: np.ndarray,
    radii: np.ndarray,
    clamp: bool,
    element: np.ndarray,
    where: np.ndarray,
) -> None:
    """Guess ``element`` ``(n,)`` = column * radial + ring, -1 well outside, and ``where`` ``(n, 2)``."""
    columns, radial = radii.shape[0], radii.shape[1] - 1
    even = columns / (2 * np.pi)
    for n in range(len(points)):
        x, y = points[n, 0] - centre[0], points[n, 1] - centre[1]
        angle = _angle(y, x) - angles[0]
        angle += 2 * np.pi if angle < 0 else 0.0
        e = min(int(angle * even), columns - 1)
        angle += angles[0]
        while e > 0 and angle < angles[e]:
            e -= 1
        while e < columns - 1 and angle >= angles[e + 1]:
            e += 1
        eta = min(max(2 * (angle - angles[e]) / (angles[e + 1] - angles[e]) - 1, -1.0), 1.0)
        r = np.sqrt(x * x + y * y)
        low, high = _ring(radii, e, 0, eta), _ring(radii, e, radial, eta)
        k = min(max(int((r - low) / (high - low) * radial), 0), radial - 1)
        low, high = _ring(radii, e, k, eta), _ring(radii, e, k + 1, eta)
        while r >= high and k < radial - 1:
            k += 1
            low, high = high, _ring(radii, e, k + 1, eta)
        while r < low and k > 0:
            k -= 1
            low, high = _ring(radii, e, k, eta), low
        xi = 2 * (r - low) / (high - low) - 1
        element[n] = e * radial + k if clamp or -1.2 < xi < 1.2 else -1
        where[n, 0], where[n, 1] = min(max(xi, -2.5), 2.5), eta


@inlined
def _ring(radii: np.ndarray, e: int, k: int, eta: float) -> float:
    return radii[e, k, 0] + eta * (radii[e, k, 1] + eta * radii[e, k, 2])


@kernel
def sorted_by(element: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in the order of their elements, and where each element's begin ``(count + 1,)``; those at -1 left out."""
    start = np.zeros(count + 2, dtype=np.int64)
    for n in range(len(element)):
        start[element[n] + 2] += 1
    start[1] = 0
    for i in range(1, count + 2):
        start[i] += start[i - 1]
    order = np.empty(start[count + 1], dtype=np.int64)
    for n in range(len(element)):
        if element[n] >= 0:
            order[start[element[n] + 1]] = n
            start[element[n] + 1] += 1
    return order, start[:-1]
