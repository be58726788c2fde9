"""The reference element: 9 nodes on [-1, 1]^2, biquadratic shapes, 3 x 3 Gauss points.

Local node order: the centre; the two middles of the radial sides; left line (three nodes from inside out); right line.
xi runs outward along the radius, eta with the angle. The order puts what is eliminated first at the front.
"""

from typing import Final

import numpy as np

RADIAL: Final = np.array([1, 0, 2, 0, 1, 2, 0, 1, 2])
"""Radial position 0, 1, 2 of each local node."""
ANGULAR: Final = np.array([1, 1, 1, 0, 0, 0, 2, 2, 2])
"""Angular position 0, 1, 2 of each local node."""

_G = np.sqrt(0.6)
GAUSS: Final = np.array([-_G, 0.0, _G])
GAUSS_WEIGHT: Final = np.array([5.0, 8.0, 5.0]) / 9.0


def line_shapes(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quadratic shapes at -1, 0, 1 and their slopes, each ``(n, 3)``, at ``s`` ``(n,)``."""
    s = np.asarray(s, dtype=np.float64)
    shapes = np.stack([s * (s - 1) / 2, 1 - s * s, s * (s + 1) / 2], axis=-1)
    return shapes, np.stack([s - 0.5, -2 * s, s + 0.5], axis=-1)


def shapes_at(xi: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shapes ``(n, 9)`` and derivatives ``(n, 9, 2)`` by (xi, eta) in local node order."""
    (radial, radial_slope), (angular, angular_slope) = line_shapes(xi), line_shapes(eta)
    shapes = radial[:, RADIAL] * angular[:, ANGULAR]
    slopes = np.stack(
        [radial_slope[:, RADIAL] * angular[:, ANGULAR], radial[:, RADIAL] * angular_slope[:, ANGULAR]], -1
    )
    return shapes, slopes


XI: Final = np.repeat(GAUSS, 3)
ETA: Final = np.tile(GAUSS, 3)
WEIGHT: Final = np.repeat(GAUSS_WEIGHT, 3) * np.tile(GAUSS_WEIGHT, 3)
SHAPE, SLOPE = (np.ascontiguousarray(table) for table in shapes_at(XI, ETA))
"""Shapes ``(9 points, 9 nodes)`` and derivatives ``(9, 9, 2)`` at the Gauss points."""

EDGE_SHAPE, EDGE_SLOPE = (np.ascontiguousarray(table) for table in line_shapes(GAUSS))
EDGE_PRODUCT: Final = np.einsum("g,ga,gb->ab", GAUSS_WEIGHT, EDGE_SHAPE, EDGE_SLOPE)
"""``(3, 3)``: the integral of ``N_a dN_b/ds`` along a side."""
