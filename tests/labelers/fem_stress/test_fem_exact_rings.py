"""Rings of any smooth shape against complex potentials; conservation laws; symmetry."""

import numpy as np
import pytest

from labelers.fem_stress import LinearElastic, MooneyRivlin, StressSettings, VesselSection, solve
from labelers.fem_stress.exact.laurent import LaurentRing

P = 14.665463
T = np.linspace(0, 2 * np.pi, 480, endpoint=False)


def oval(a: float, b: float, x: float = 0.0) -> np.ndarray:
    return np.column_stack([a * np.cos(T) + x, b * np.sin(T)])


def solved(inner, outer, mesh=(8, 96), nu=0.49, **settings):
    section = VesselSection([inner[::2], outer[::2]], ["wall"])
    tissues = {"wall": LinearElastic(300.0, nu)}
    return solve(section, StressSettings(lumen_pressure_kpa=P, mesh=mesh, tissues=tissues, **settings))


def wall_points(inner, outer, depths=(0.0, 0.3, 0.7, 1.0)) -> np.ndarray:
    return np.concatenate([inner[::9] + depth * (outer - inner)[::9] for depth in depths])


def worst(field, exact, points) -> float:
    want = exact.stress(points)
    return float(np.abs(field.stress_at(points)[:, :2, :2] - want).max() / np.abs(want).max())


RINGS = {
    "eccentric": (oval(1.5, 1.5), oval(2.25, 2.25, -0.15), 40, 3e-4),
    "very eccentric": (oval(1.0, 1.0), oval(1.6, 1.6, 0.4), 60, 3e-3),
    "oval lumen": (oval(1.2, 0.95), oval(1.8, 1.8), 60, 1.2e-2),
    "oval tube, bent by pressure": (oval(1.2, 0.95), oval(1.5, 1.25), 60, 8e-3),
}


@pytest.mark.parametrize("nu", [0.3, 0.4999])
@pytest.mark.parametrize("name", RINGS)
def test_a_ring_has_the_stress_of_its_complex_potentials(name, nu):
    inner, outer, terms, tolerance = RINGS[name]
    exact = LaurentRing(inner, outer, P, np.zeros(2), terms)
    assert exact.residual < 1e-6
    assert worst(solved(inner, outer, nu=nu), exact, wall_points(inner, outer)) < tolerance


def test_an_oval_tube_that_pressure_bends_converges_at_second_order():
    inner, outer = oval(1.2, 0.95), oval(1.5, 1.25)
    exact, points = LaurentRing(inner, outer, P, np.zeros(2), 60), wall_points(inner, outer)
    errors = []
    for n in (4, 8, 16):
        stress = solved(inner, outer, (n, 12 * n)).stress_at(points)[:, :2, :2]
        errors.append(np.linalg.norm(stress - exact.stress(points)))
    assert (-np.diff(np.log2(errors))).min() > 1.7


def test_an_oval_tube_moves_as_its_complex_potentials_say():
    inner, outer, law = oval(1.2, 0.95), oval(1.5, 1.25), LinearElastic(300.0, 0.49)
    exact, points = LaurentRing(inner, outer, P, np.zeros(2), 60), wall_points(inner, outer)
    moved = solved(inner, outer).displacement_at(points) - exact.displacement(points, law.shear_kpa, law.poisson_ratio)
    x, y = points.T
    rigid = np.zeros((2 * len(points), 3))
    rigid[0::2, 0], rigid[1::2, 1], rigid[0::2, 2], rigid[1::2, 2] = 1, 1, -y, x
    left = moved.reshape(-1) - rigid @ np.linalg.lstsq(rigid, moved.reshape(-1), rcond=None)[0]
    assert np.abs(left).max() < 1e-3 * np.abs(exact.displacement(points, law.shear_kpa, 0.49)).max()


def inglis(a: float, b: float, eta: np.ndarray) -> np.ndarray:
    """Hoop stress on a pressurised elliptic hole in an unbounded plate (Inglis 1913)."""
    xi = np.arctanh(b / a)
    return P * (2 * np.sinh(2 * xi) / (np.cosh(2 * xi) - np.cos(2 * eta)) - 1)


def plate(layers: int, a: float = 1.0, b: float = 0.6) -> VesselSection:
    """Confocal ellipses from the hole to a plate of 400 times its size, which stands for an unbounded one."""
    focus = np.sqrt(a**2 - b**2)
    xi = np.linspace(np.arctanh(b / a), np.arcsinh(400 / focus), layers + 1)
    return VesselSection([oval(focus * np.cosh(x), focus * np.sinh(x))[::2] for x in xi], ["wall"] * layers)


def test_a_pressurised_elliptic_hole_has_the_stress_of_inglis_and_converges():
    eta = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    points = np.column_stack([np.cos(eta), 0.6 * np.sin(eta)])
    along = np.column_stack([-np.sin(eta), 0.6 * np.cos(eta)])
    along /= np.linalg.norm(along, axis=1)[:, None]
    errors = []
    for n in (8, 16, 32):
        tissues = {"wall": LinearElastic(300.0, 0.3)}
        field = solve(plate(n), StressSettings(lumen_pressure_kpa=P, mesh=(n, 6 * n), tissues=tissues))
        hoop = np.einsum("ni,nij,nj->n", along, field.stress_at(points)[:, :2, :2], along)
        errors.append(np.abs(hoop - inglis(1.0, 0.6, eta)).max() / inglis(1.0, 0.6, eta).max())
    assert errors[-1] < 0.01
    assert (-np.diff(np.log2(errors))).min() > 1.5


def gauss_stress(field):
    """Stress, area weights and displacement gradient at 3 x 3 Gauss points of every element."""
    from labelers.fem_stress.locate import fields_at
    from labelers.fem_stress.polar_mesh import element_nodes
    from labelers.fem_stress.reference import ETA, SLOPE, WEIGHT, XI

    columns, radial = field.mesh.law_of.shape[:2]
    slopes = np.einsum("gnj,eknc->ekgcj", SLOPE, element_nodes(field.mesh.nodes))
    weights = WEIGHT * np.linalg.det(slopes)
    e, k, g = (index.ravel() for index in np.indices((columns, radial, 9)))
    found, where = np.column_stack([e, k]), np.column_stack([XI, ETA])[g]
    _, gradient, pressure, _ = fields_at(field.mesh.nodes, field.answer.u, field.answer.pressure, found, where)
    return gradient, pressure, weights.ravel(), np.moveaxis(field.mesh.moduli, 2, 0).reshape(-1, len(e))


def lumen_work(field, share: float) -> float:
    """Half or all of the pressure's work: p times the area swept by the lumen's boundary, by the exact quadratics."""
    from labelers.fem_stress.reference import EDGE_PRODUCT

    def area(nodes: np.ndarray) -> float:
        sides = np.stack([np.roll(nodes, -i, axis=0)[::2] for i in range(3)], axis=1)
        x, y = sides[..., 0], sides[..., 1]
        return float(np.einsum("ei,ij,ej->", x, EDGE_PRODUCT, y) - np.einsum("ei,ij,ej->", y, EDGE_PRODUCT, x)) / 2

    inner, u = field.mesh.nodes[:, 0], field.answer.u[:, 0]
    if share == 1.0:
        return P * (area(inner + u) - area(inner))
    h = 1e-6
    return share * P * (area(inner + h * u) - area(inner - h * u)) / (2 * h)


def section_with_core() -> VesselSection:
    core = np.column_stack([0.25 * np.cos(T[::12]) + 1.4, 0.35 * np.sin(T[::12])])
    return VesselSection([oval(1.1, 0.95)[::4], oval(1.8, 1.75, 0.1)[::4]], ["wall"], [("lipid", core)])


def test_strain_energy_equals_the_work_of_the_pressure_to_rounding():
    tissues = {"wall": LinearElastic(300.0, 0.49), "lipid": LinearElastic(6.0, 0.3)}
    field = solve(section_with_core(), StressSettings(lumen_pressure_kpa=P, mesh=(6, 48), tissues=tissues))
    gradient, pressure, weights, (shear, bulk) = gauss_stress(field)
    strain = (gradient + gradient.transpose(0, 2, 1)) / 2
    volume = np.trace(strain, axis1=1, axis2=2)
    deviator = (strain**2).sum(axis=(1, 2)) - volume**2 / 3
    energy = np.sum(weights * (shear * deviator + pressure**2 / (2 * bulk)))
    assert abs(energy / lumen_work(field, 0.5) - 1) < 1e-8


@pytest.mark.parametrize("outer", ["free", "adventitia"])
def test_every_label_is_in_equilibrium(outer):
    """int sigma : grad v = p int v . n over the lumen, for linear fields v."""
    tissues = {name: LinearElastic(e, 0.49) for name, e in (("wall", 300.0), ("lipid", 6.0), ("adventitia", 100.0))}
    settings = StressSettings(lumen_pressure_kpa=P, mesh=(8, 64), tissues=tissues, outer=outer)
    field = solve(section_with_core(), settings)
    gradient, pressure, weights, (shear, _) = gauss_stress(field)
    strain = (gradient + gradient.transpose(0, 2, 1)) / 2
    trace = np.trace(strain, axis1=1, axis2=2)
    stress = 2 * shear[:, None, None] * (strain - trace[:, None, None] * np.eye(2) / 3)
    stress += pressure[:, None, None] * np.eye(2)
    inner = np.einsum("n,nij->ij", weights, stress)
    x, y = field.mesh.nodes[:, 0].T
    area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
    # v = x, y and swaps: int sigma dA = p A 1, for the lumen's border runs backwards around the tissue
    assert np.abs(inner - P * area * np.eye(2)).max() < 2e-3 * P * area


def turned(section: VesselSection, turn: np.ndarray) -> VesselSection:
    regions = [(name, polygon @ turn.T) for name, polygon in section.regions]
    return VesselSection([c @ turn.T for c in section.contours_mm], section.layers, regions)


@pytest.mark.parametrize("law", ["linear", "hyperelastic"])
@pytest.mark.parametrize("angle", [0.1234, 2.0, np.pi / 2, 4.4])
@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_stress_turns_and_flips_with_the_section_to_rounding_by_any_angle(law, angle, flip):
    kinds = {
        "linear": {"wall": LinearElastic(300.0, 0.49), "lipid": LinearElastic(6.0, 0.49)},
        "hyperelastic": {"wall": MooneyRivlin(36.8, 14.4, 2.0), "lipid": MooneyRivlin(2.0, 2.0, 1.5)},
    }
    settings = StressSettings(lumen_pressure_kpa=P, mesh=(6, 40), tissues=kinds[law])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, flip])
    points = np.column_stack([1.35 * np.cos(T[::20]) + 0.05, 1.3 * np.sin(T[::20]) + 0.01])
    straight = solve(section_with_core(), settings).stress_at(points)[:, :2, :2]
    other = solve(turned(section_with_core(), turn), settings).stress_at(points @ turn.T)[:, :2, :2]
    assert np.abs(turn.T @ other @ turn - straight).max() < 1e-8 * np.abs(straight).max()
