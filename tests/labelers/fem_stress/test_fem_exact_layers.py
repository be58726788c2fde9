"""Layered linear tubes through the public contract, with points on borders and interfaces."""

import itertools

import numpy as np
import pytest

from labelers.fem_stress import LinearElastic, StressSettings, VesselSection, solve
from labelers.fem_stress.exact.layered_tube import LayeredTube

P = 14.665463
NAMES = ["wall", "fibrous", "adventitia"]
OUTWARD = np.array([np.cos(0.3), np.sin(0.3)])
AROUND = np.array([-OUTWARD[1], OUTWARD[0]])


def circle(radius: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return radius * np.column_stack([np.cos(t), np.sin(t)])


def laws(*constants: tuple[float, float]) -> list[LinearElastic]:
    return [LinearElastic(young, nu) for young, nu in constants]


def solved(radii, materials, **settings):
    names = NAMES[: len(materials)]
    section = VesselSection([circle(r) for r in radii], names)
    tissues = dict(zip(names, materials, strict=True))
    return solve(section, StressSettings(lumen_pressure_kpa=P, tissues=tissues, **settings))


def components(field, r: np.ndarray) -> np.ndarray:
    """Radial, hoop and axial stress along one ray."""
    stress = field.stress_at(r[:, None] * OUTWARD)
    plane = stress[:, :2, :2]
    return np.stack([OUTWARD @ plane @ OUTWARD, AROUND @ plane @ AROUND, stress[:, 2, 2]])


CASES = {
    "nu 0.3": ([1.0, 1.6], laws((300.0, 0.3)), 0.0),
    "nu 0.45": ([1.0, 1.6], laws((300.0, 0.45)), 0.0),
    "nu 0.4999": ([1.0, 1.6], laws((300.0, 0.4999)), 0.0),
    "negative nu": ([1.0, 1.6], laws((300.0, -0.5)), 0.0),
    "thin": ([1.0, 1.08], laws((300.0, 0.49)), 0.0),
    "thick": ([0.7, 1.6], laws((300.0, 0.49)), 0.0),
    "stiff inside": ([1.0, 1.3, 1.7], laws((3000.0, 0.49), (300.0, 0.3)), 0.0),
    "soft inside": ([1.0, 1.3, 1.7], laws((30.0, 0.4999), (300.0, 0.49)), 0.0),
    "three layers": ([1.0, 1.15, 1.5, 1.7], laws((30.0, 0.499), (600.0, 0.3), (100.0, 0.49)), 0.0),
    "foundation": ([1.0, 1.5], laws((300.0, 0.4999)), 200.0),
    "layers on a foundation": ([1.0, 1.3, 1.7], laws((300.0, 0.49), (60.0, 0.45)), 50.0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layered_tube_has_its_exact_stress_and_widening(name):
    radii, materials, foundation = CASES[name]
    outer = {"outer": "elastic_foundation", "foundation_kpa_per_mm": foundation} if foundation else {}
    field, exact = solved(radii, materials, **outer), LayeredTube(radii, materials, P, foundation)
    largest = max(np.abs(exact.stress(i, np.array([r]))).max() for i, r in enumerate(radii[:-1]))
    for i, (low, high) in enumerate(itertools.pairwise(radii)):
        r = np.linspace(low + 1e-6, high - 1e-6, 33)
        assert np.abs(components(field, r) - exact.stress(i, r)).max() < 1e-4 * largest
        widened = field.displacement_at(r[:, None] * OUTWARD) @ OUTWARD
        assert np.abs(widened - exact.displacement(i, r)).max() < 1e-4 * exact.displacement(i, r).max()


@pytest.mark.parametrize("outer", ["free", "elastic_foundation"])
def test_the_adventitia_that_settings_lay_around_is_an_exact_layer(outer):
    materials = laws((300.0, 0.49), (600.0, 0.49))
    laid = solve(
        VesselSection([circle(1.0), circle(1.4)], ["wall"]),
        StressSettings(
            lumen_pressure_kpa=P,
            tissues={"wall": materials[0], "adventitia": materials[1]},
            outer="adventitia",
            adventitia_mm=0.3,
        ),
    )
    exact, r = LayeredTube([1.0, 1.4, 1.7], materials, P), np.linspace(1.0, 1.399999, 20)
    assert np.abs(components(laid, r) - exact.stress(0, r)).max() < 1e-4 * exact.stress(0, r).max()
    r = np.linspace(1.400001, 1.7, 20)
    assert np.abs(components(laid, r) - exact.stress(1, r)).max() < 1e-4 * exact.stress(0, r).max()


def test_on_an_interface_the_stress_is_that_of_one_side_and_never_a_mean():
    radii, materials = [1.0, 1.3, 1.7], laws((3000.0, 0.49), (300.0, 0.49))
    field, exact = solved(radii, materials), LayeredTube(radii, materials, P)
    t = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    points = 1.3 * np.column_stack([np.cos(t), np.sin(t)])
    along = np.column_stack([-np.sin(t), np.cos(t)])
    hoop = np.einsum("ni,nij,nj->n", along, field.stress_at(points)[:, :2, :2], along)
    sides = np.array([exact.stress(i, np.array([1.3]))[1, 0] for i in range(2)])
    distance = np.abs(hoop[:, None] - sides).min(axis=1)
    assert distance.max() < 1e-3 * sides.max()


def test_borders_belong_to_the_tissue_and_what_is_beyond_has_no_stress():
    field = solved([1.0, 1.3, 1.7], laws((3000.0, 0.49), (300.0, 0.49)))
    t = np.linspace(0, 2 * np.pi, 77, endpoint=False)
    ring = np.column_stack([np.cos(t), np.sin(t)])
    for r in (1.0, 1.7):
        assert np.isfinite(field.stress_at(r * ring)[:, 2, 2]).all()
        assert np.isfinite(field.displacement_at(r * ring)).all()
    for r in (0.0, 0.5, 0.995, 1.705, 4.0):
        assert np.isnan(field.stress_at(r * ring)).all()
        assert np.isnan(field.displacement_at(r * ring)).all()


def test_a_raster_shows_exact_principal_von_mises_and_circumferential_stress():
    a, b, nu = 1.0, 1.6, 0.3
    raster = solved([a, b], laws((300.0, nu))).raster(0.05, (70, 70))
    y, x = (np.mgrid[:70, :70] - 34.5) * 0.05
    r = np.hypot(x, y)
    inside = (r > a) & (r < b)
    radial, hoop, axial = LayeredTube([a, b], laws((300.0, nu)), P).stress(0, r[inside])
    mises = np.sqrt(((radial - hoop) ** 2 + (hoop - axial) ** 2 + (axial - radial) ** 2) / 2)
    assert np.isnan(raster[:, r < a - 1e-3]).all()
    assert np.isnan(raster[:, r > b + 1e-3]).all()
    for channel, exact in zip(raster, (np.maximum(hoop, axial), mises, hoop), strict=True):
        assert np.abs(channel[inside] - exact).max() < 1e-4 * exact.max()
