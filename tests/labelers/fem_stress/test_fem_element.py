"""The linear element outside the ring: the solver's own element matrices in an assembly of scipy."""

import numba
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from labelers.fem_stress import LinearElastic, StressSettings, VesselSection
from labelers.fem_stress.from_section import mesh_section
from labelers.fem_stress.linear import OUTER, SCRATCH, element, keep_pressure
from labelers.fem_stress.locate import fields_at
from labelers.fem_stress.point_stress import linear_lanes
from labelers.fem_stress.polar_mesh import ring_nodes
from labelers.fem_stress.reference import ANGULAR, EDGE_SHAPE, EDGE_SLOPE, GAUSS_WEIGHT, RADIAL
from labelers.fem_stress.ring import KE
from labelers.fem_stress.simd import LANES, splat, store
from labelers.fem_stress.workspace import aligned

LAW = LinearElastic(300.0, 0.4999)


@numba.njit
def element_matrices(points, moduli, kept):
    """Stiffness ``(n, 18, 18)``, upper triangles, and pressures ``(n, 3, 18)`` from elements ``(n, 18)``."""
    work, ke = np.zeros(SCRATCH * LANES), np.zeros(18 * KE * LANES)
    least = np.zeros(LANES)
    stiffness, pressures = np.zeros((len(points), 18, 18)), np.zeros((len(points), 3, 18))
    for n in range(len(points)):
        for i in range(18):
            work[i * LANES : (i + 1) * LANES] = points[n, i]
        store(least, 0, element(moduli, 0, work, ke))
        keep_pressure(work, kept, 0)
        for i in range(18):
            for j in range(18):
                stiffness[n, i, j] = ke[(i * KE + j) * LANES]
            for q in range(3):
                pressures[n, q, i] = kept[(q * 18 + i) * LANES]
    return stiffness, pressures


def numbering(lines: int, rings: int, columns: int) -> np.ndarray:
    """Node numbers ``(columns, radial, 9)`` in the element's order; lines wrap where there are as many as columns."""
    line = (2 * np.arange(columns)[:, None, None] + ANGULAR) % lines
    ring = 2 * np.arange(rings // 2)[None, :, None] + RADIAL
    return line * rings + ring


def assembled(nodes: np.ndarray, columns: int):
    """Stiffness of a strip of elements on ``nodes`` ``(lines, rings, 2)``, and each element's pressures."""
    lines, rings = nodes.shape[:2]
    number = numbering(lines, rings, columns).reshape(-1, 9)
    points = nodes.reshape(-1, 2)[number].reshape(len(number), 18)
    upper, pressures = element_matrices(points, np.repeat(LAW.moduli, 9 * LANES), aligned(54))
    full = np.triu(upper) + np.swapaxes(np.triu(upper, 1), 1, 2)
    unknown = (2 * number[:, :, None] + [0, 1]).reshape(-1, 18)
    rows, cols = np.repeat(unknown, 18, axis=1).ravel(), np.tile(unknown, 18).ravel()
    size = 2 * lines * rings
    return coo_array((full.ravel(), (rows, cols)), shape=(size, size)).tocsc(), pressures


def solved(matrix, load: np.ndarray, held: np.ndarray, value: np.ndarray) -> np.ndarray:
    free = np.setdiff1d(np.arange(len(load)), held)
    u = np.zeros(len(load))
    u[held] = value
    u[free] = spsolve(matrix[free][:, free], load[free] - matrix[free][:, held] @ value)
    return u


def stress(nodes, u, pressures, e, k, where) -> np.ndarray:
    radial = nodes.shape[1] // 2
    number = numbering(*nodes.shape[:2], len(pressures) // radial)
    moved = u.reshape(-1, 2)[number].reshape(-1, 18)
    kept = np.einsum("nqi,ni->nq", pressures, moved).reshape(-1, radial, 3)
    _, gradient, pressure, normal = fields_at(nodes, u, kept, np.column_stack([e, k]), where)
    return linear_stress(gradient, pressure, normal, *LAW.moduli)


@numba.njit
def linear_stress(gradient, pressure, normal, shear, bulk):
    """Stress components ``(4, n)`` as the labeler makes them."""
    work, out = np.zeros(6 * LANES), np.zeros((4, len(pressure)))
    store(work, 0, splat(shear))
    store(work, 1, splat(bulk))
    for n in range(len(pressure)):
        a, b, c, d = gradient[n, 0, 0], gradient[n, 0, 1], gradient[n, 1, 0], gradient[n, 1, 1]
        p, x, y = splat(pressure[n]), splat(normal[n, 0]), splat(normal[n, 1])
        linear_lanes(splat(a), splat(b), splat(c), splat(d), p, x, y, work, 0, 2)
        for i in range(4):
            out[i, n] = work[(2 + i) * LANES]
    return out


def distorted() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    lumen = np.column_stack([(1 + 0.1 * np.cos(2 * t)) * np.cos(t), (1 + 0.08 * np.sin(3 * t)) * np.sin(t)])
    outer = 1.7 * np.column_stack([np.cos(t), np.sin(t)]) + [0.15, 0.1]
    core = np.column_stack([1.4 + 0.2 * np.cos(t), 0.3 * np.sin(t)])
    section = VesselSection([lumen, outer], ["wall"], [("lipid", core)])
    nodes = mesh_section(section, StressSettings(mesh=(6, 24))).nodes.copy()
    nodes[:, 1:-1] += np.random.default_rng(3).uniform(-0.01, 0.01, nodes[:, 1:-1].shape)
    return nodes


def test_a_linear_displacement_is_reproduced_on_a_distorted_mesh_to_rounding():
    nodes = distorted()
    lines, rings = nodes.shape[:2]
    slope = np.array([[0.01, -0.004], [0.007, -0.006]])
    exact = nodes @ slope.T
    matrix, pressures = assembled(nodes, lines // 2)
    number = np.arange(lines * rings).reshape(lines, rings)[:, [0, -1]].ravel()
    held = (2 * number[:, None] + [0, 1]).ravel()
    u = solved(matrix, np.zeros(2 * lines * rings), held, exact.reshape(-1)[held]).reshape(nodes.shape)
    assert np.abs(u - exact).max() < 1e-11
    e, k = (index.ravel() for index in np.indices((lines // 2, rings // 2)))
    xx, yy, xy, zz = stress(nodes, u, pressures, e, k, np.full((len(e), 2), 0.37))
    strain, trace = (slope + slope.T) / 2, np.trace(slope)
    want = 2 * LAW.shear_kpa * strain + (LAW.bulk_kpa - 2 / 3 * LAW.shear_kpa) * trace * np.eye(2)
    for got, exactly in ((xx, want[0, 0]), (yy, want[1, 1]), (xy, want[0, 1])):
        assert np.abs(got - exactly).max() < 1e-8 * np.abs(want).max()
    assert np.abs(zz - (LAW.bulk_kpa - 2 / 3 * LAW.shear_kpa) * trace).max() < 1e-8 * np.abs(want).max()


def golovin(a: float, b: float, moment: float, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radial and hoop stress of a curved beam in pure bending (Timoshenko and Goodier, article 29)."""
    n = (b**2 - a**2) ** 2 - 4 * a**2 * b**2 * np.log(b / a) ** 2
    both = b**2 * np.log(r / b) + a**2 * np.log(a / r)
    swing = a**2 * b**2 / r**2 * np.log(b / a)
    return -4 * moment / n * (swing + both), -4 * moment / n * (-swing + both + b**2 - a**2)


def bent(radial: int, columns: int, a: float = 1.0, b: float = 1.5) -> float:
    """Worst error of the hoop stress across the middle of a quarter ring bent at both ends, over the largest."""
    theta, r = np.linspace(0, np.pi / 2, 2 * columns + 1), np.linspace(a, b, 2 * radial + 1)
    nodes = ring_nodes(np.tile(r, (len(theta), 1)), np.zeros(2), theta)
    matrix, pressures = assembled(nodes, columns)
    load = np.zeros(nodes.shape)
    for line, outward in ((0, np.array([0.0, -1.0])), (-1, np.array([-1.0, 0.0]))):
        for k in range(radial):
            side = r[2 * k : 2 * k + 3]
            places, lengths = EDGE_SHAPE @ side, EDGE_SLOPE @ side * GAUSS_WEIGHT
            pull = EDGE_SHAPE.T @ (lengths * golovin(a, b, 1.0, places)[1])
            load[line, 2 * k : 2 * k + 3] += pull[:, None] * outward
    assert np.abs(load.sum(axis=(0, 1))).max() < 1e-3 * np.abs(load).max()
    inner, outer = 0, 2 * radial
    held = np.array([2 * inner, 2 * inner + 1, 2 * outer + 1])
    u = solved(matrix, load.reshape(-1), held, np.zeros(3)).reshape(nodes.shape)
    k = np.arange(radial)
    e = np.full(radial, columns // 2)
    xx, yy, xy, _ = stress(nodes, u, pressures, e, k, np.column_stack([np.full(radial, -1.0), np.full(radial, -1.0)]))
    c, s = np.cos(theta[columns]), np.sin(theta[columns])
    hoop = xx * s * s - 2 * xy * s * c + yy * c * c
    exact = golovin(a, b, 1.0, r[:-1:2])[1]
    return float(np.abs(hoop - exact).max() / np.abs(exact).max())


def test_a_curved_beam_in_pure_bending_converges_to_its_exact_stress_near_incompressibility():
    errors = [bent(n, 4 * n) for n in (2, 4, 8)]
    assert errors[-1] < 2e-3
    assert (-np.diff(np.log2(errors))).min() > 1.8


def test_the_element_knows_its_outer_side():
    assert list(RADIAL[OUTER]) == [2, 2, 2]
