"""Inflated incompressible tubes of layers against quadrature; energy at finite strain."""

import itertools

import numpy as np
import pytest

from labelers.fem_stress import MooneyRivlin, NeoHookean, StressSettings, VesselSection, solve
from labelers.fem_stress.exact.finite_tube import FiniteTube
from labelers.fem_stress.locate import fields_at
from labelers.fem_stress.polar_mesh import element_nodes
from labelers.fem_stress.reference import EDGE_PRODUCT, ETA, SLOPE, WEIGHT, XI

P = 14.665463
NAMES = ["wall", "adventitia"]
SOFT, STIFF, WALL = NeoHookean(20.0), NeoHookean(80.0), MooneyRivlin(36.8, 14.4, 2.0)


def circle(radius: float, x: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return radius * np.column_stack([np.cos(t), np.sin(t)]) + [x, 0.0]


CASES = {
    "neo-Hookean": ([1.0, 1.5], [NeoHookean(40.0)], 0.0),
    "Mooney-Rivlin": ([1.0, 1.5], [WALL], 0.0),
    "soft inside": ([1.0, 1.3, 1.6], [SOFT, STIFF], 0.0),
    "stiff inside": ([1.0, 1.3, 1.6], [WALL, SOFT], 0.0),
    "foundation": ([1.0, 1.4], [SOFT], 100.0),
}


@pytest.mark.parametrize("name", CASES)
def test_an_inflated_tube_of_layers_has_its_exact_stress_and_radii(name):
    radii, laws, foundation = CASES[name]
    tissues = dict(zip(NAMES, laws, strict=False))
    outer = {"outer": "elastic_foundation", "foundation_kpa_per_mm": foundation} if foundation else {}
    section = VesselSection([circle(r) for r in radii], NAMES[: len(laws)])
    field = solve(section, StressSettings(lumen_pressure_kpa=P, tissues=tissues, **outer))
    exact = FiniteTube(radii, laws, P, foundation)
    largest = max(exact.stress(i, np.array([r])).max() for i, r in enumerate(radii[:-1]))
    for layer, (low, high) in enumerate(itertools.pairwise(radii)):
        R = np.linspace(low + 1e-6, high - 1e-6, 9)
        points = np.column_stack([R, 0 * R])
        stress = field.stress_at(points)
        assert np.abs(stress[:, [0, 1], [0, 1]].T - exact.stress(layer, R)).max() < 1e-3 * largest
        assert np.abs((R + field.displacement_at(points)[:, 0]) / exact.place(R) - 1).max() < 2e-4


def eccentric():
    tissues = {"wall": WALL}
    section = VesselSection([circle(1.0), circle(1.6, 0.15)], ["wall"])
    return solve(section, StressSettings(lumen_pressure_kpa=P, mesh=(6, 48), tissues=tissues))


def energy_density(field) -> tuple[np.ndarray, np.ndarray]:
    """Stored energy at all Gauss points and their area weights."""
    e, k, g = (index.ravel() for index in np.indices((*field.mesh.law_of.shape[:2], 9)))
    slopes = np.einsum("gnj,eknc->ekgcj", SLOPE, element_nodes(field.mesh.nodes))
    found, where = np.column_stack([e, k]), np.column_stack([XI, ETA])[g]
    _, gradient, pressure, _ = fields_at(field.mesh.nodes, field.answer.u, field.answer.pressure, found, where)
    F = gradient + np.eye(2)
    invariant = np.linalg.det(F) ** (-2 / 3) * ((F**2).sum(axis=(1, 2)) + 1)
    shape = WALL.c1_kpa * (invariant - 3) + WALL.d1_kpa * (np.exp(WALL.d2 * (invariant - 3)) - 1)
    return shape + pressure**2 / (2 * WALL.bulk_kpa), (WEIGHT * np.linalg.det(slopes)).ravel()


def lumen_area(nodes: np.ndarray) -> float:
    sides = np.stack([np.roll(nodes, -i, axis=0)[::2] for i in range(3)], axis=1)
    x, y = sides[..., 0], sides[..., 1]
    return float(np.einsum("ei,ij,ej->", x, EDGE_PRODUCT, y) - np.einsum("ei,ij,ej->", y, EDGE_PRODUCT, x)) / 2


def test_the_energy_stored_between_two_pressures_is_the_work_of_the_pressure():
    """dW = p dA: over a small step of pressure the mean pressure times the area swept is the energy gained."""
    tissues, section = {"wall": WALL}, VesselSection([circle(1.0), circle(1.6, 0.15)], ["wall"])
    low, high = (
        solve(section, StressSettings(lumen_pressure_kpa=p, mesh=(6, 48), tissues=tissues)) for p in (14.0, 14.4)
    )
    stored = [np.sum(np.prod(energy_density(field), axis=0)) for field in (low, high)]
    areas = [lumen_area(field.mesh.nodes[:, 0] + field.answer.u[:, 0]) for field in (low, high)]
    assert abs((stored[1] - stored[0]) / (14.2 * (areas[1] - areas[0])) - 1) < 2e-4
