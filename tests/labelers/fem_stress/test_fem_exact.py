import numpy as np
import pytest

from dataeff_al.errors import GeometryError
from labelers.fem_stress import LinearElastic, StressSettings, VesselSection, solve

P = 14.665463
LAW = LinearElastic(300.0, 0.499)


def circle(radius: float, centre: tuple[float, float] = (0.0, 0.0), count: int = 72) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([radius * np.cos(t), radius * np.sin(t)]) + centre


def on_rays(radii: np.ndarray, count: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points on rays, and the unit vectors outward and around at each."""
    theta = np.repeat(np.linspace(0.1, 6.0, count), len(radii))
    outward = np.column_stack([np.cos(theta), np.sin(theta)])
    around = np.column_stack([-np.sin(theta), np.cos(theta)])
    return np.tile(radii, count)[:, None] * outward, outward, around


def along(stress: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return np.einsum("ni,nij,nj->n", direction, stress[:, :2, :2], direction)


def lame(a: float, b: float, p: float, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radial and hoop stress of a thick tube under inner pressure."""
    A = p * a**2 / (b**2 - a**2)
    return A - A * b**2 / r**2, A + A * b**2 / r**2


def worst(value: np.ndarray, exact: np.ndarray) -> float:
    return float(np.abs(value - exact).max() / np.abs(exact).max())


def tube(a: float, b: float, nu: float, mesh: tuple[int, int] = (8, 96), **settings: object):
    tissues = {"wall": LinearElastic(300.0, nu)}
    section = VesselSection([circle(a), circle(b)], ["wall"])
    return solve(section, StressSettings(lumen_pressure_kpa=P, mesh=mesh, tissues=tissues, **settings))


@pytest.mark.parametrize("nu", [0.0, 0.3, 0.49, 0.499, 0.4999])
def test_a_tube_has_the_stress_of_lame(nu):
    a, b = 1.0, 1.6
    points, outward, around = on_rays(np.linspace(a, b, 33))
    r = np.hypot(*points.T)
    stress = tube(a, b, nu).stress_at(points)
    radial, hoop = lame(a, b, P, r)
    assert worst(along(stress, around), hoop) < 1e-4
    assert np.abs(along(stress, outward) - radial).max() < 1e-4 * P
    axial = 2 * nu * P * a**2 / (b**2 - a**2)
    assert np.abs(stress[:, 2, 2] - axial).max() < 1e-4 * P


def test_a_tube_widens_as_lame_says():
    a, b, nu, young = 1.0, 1.6, 0.49, 300.0
    points, outward, around = on_rays(np.linspace(a, b, 9))
    r = np.hypot(*points.T)
    A = P * a**2 / (b**2 - a**2)
    exact = (1 + nu) / young * ((1 - 2 * nu) * A * r + A * b**2 / r)
    u = tube(a, b, nu).displacement_at(points)
    assert worst(np.sum(u * outward, axis=1), exact) < 1e-5
    assert np.abs(np.sum(u * around, axis=1)).max() < 1e-7 * exact.max()


def two_layers(stiff: float, soft: float, nu: float, a: float, m: float, b: float) -> float:
    """Pressure between two layers, from equal displacement there (Lame on each)."""

    def widening(E: float, inner: float, outer: float, p_in: float, p_out: float, r: float) -> float:
        A = (p_in * inner**2 - p_out * outer**2) / (outer**2 - inner**2)
        B = (p_in - p_out) * inner**2 * outer**2 / (outer**2 - inner**2)
        return (1 + nu) / E * ((1 - 2 * nu) * A * r + B / r)

    at0 = widening(stiff, a, m, P, 0.0, m) - widening(soft, m, b, 0.0, 0.0, m)
    at1 = widening(stiff, a, m, P, 1.0, m) - widening(soft, m, b, 1.0, 0.0, m)
    return at0 / (at0 - at1)


@pytest.mark.parametrize("stiff", [3000.0, 30.0])
def test_two_layers_have_their_exact_stress_on_each_side(stiff):
    a, m, b, nu = 1.0, 1.3, 1.7, 0.49
    section = VesselSection([circle(a), circle(m), circle(b)], ["wall", "adventitia"])
    tissues = {"wall": LinearElastic(stiff, nu), "adventitia": LinearElastic(300.0, nu)}
    field = solve(section, StressSettings(lumen_pressure_kpa=P, tissues=tissues))
    q = two_layers(stiff, 300.0, nu, a, m, b)
    for inner, outer, p_in, p_out in ((a, m - 1e-6, P, q), (m + 1e-6, b, q, 0.0)):
        points, _, around = on_rays(np.linspace(inner, outer, 17))
        r = np.hypot(*points.T)
        lo, hi = round(inner, 3), round(outer, 3)
        A = (p_in * lo**2 - p_out * hi**2) / (hi**2 - lo**2)
        B = (p_in - p_out) * lo**2 * hi**2 / (hi**2 - lo**2)
        assert worst(along(field.stress_at(points), around), A + B / r**2) < 2e-3


def jeffery(a: float, b: float, e: float, p: float) -> float:
    """Hoop stress at the thinnest point of the inner circle of an eccentric tube (Jeffery 1921; Roark, table 13.5)."""
    return p * (2 * b**2 * (b**2 + a**2 - 2 * a * e - e**2) / ((a**2 + b**2) * (b**2 - a**2 - 2 * a * e - e**2)) - 1)


@pytest.mark.parametrize("e", [0.15, 0.3])
def test_an_eccentric_tube_has_jefferys_stress_where_it_is_thinnest_and_thickest(e):
    a, b = 1.5, 2.25
    section = VesselSection([circle(a), circle(b, (-e, 0.0))], ["wall"])
    field = solve(section, StressSettings(lumen_pressure_kpa=P, tissues={"wall": LinearElastic(300.0, 0.49)}))
    thin, thick = field.stress_at(np.array([[a, 0.0], [-a, 0.0]]))[:, 1, 1]
    assert abs(thin / jeffery(a, b, e, P) - 1) < 3e-4
    assert abs(thick / jeffery(a, b, -e, P) - 1) < 3e-4


def test_finer_meshes_converge_at_second_order_or_better():
    a, b = 0.7, 1.6
    points, outward, _ = on_rays(np.linspace(a, b, 41))
    radial, _ = lame(a, b, P, np.hypot(*points.T))
    # on 72 points the spline's own distance from the circle would end the convergence
    section, tissues = VesselSection([circle(a, count=288), circle(b, count=288)], ["wall"]), {"wall": LAW}
    fields = [solve(section, StressSettings(mesh=(n, 12 * n), tissues=tissues)) for n in (4, 8, 16)]
    errors = [np.abs(along(field.stress_at(points), outward) - radial).max() for field in fields]
    slopes = -np.diff(np.log2(errors))
    assert slopes.min() > 1.8


def plaque(angle: float = 0.0, mirror: bool = False) -> VesselSection:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    lumen = np.column_stack([(1 + 0.1 * np.cos(2 * t)) * np.cos(t), (1 + 0.08 * np.sin(3 * t)) * np.sin(t)])
    outer = circle(1.7, (0.15, 0.1))
    core = circle(0.2, (1.45, 0.1), 40)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag([1.0, -1.0]) if mirror else np.eye(2)
    return VesselSection([c @ flip @ turn.T for c in (lumen, outer)], ["wall"], [("lipid", core @ flip @ turn.T)])


def test_a_turned_section_has_turned_stress():
    around = 32
    settings = StressSettings(mesh=(6, around))
    points = circle(1.3, (0.05, 0.05), 16)
    angle = 2 * np.pi * 5 / around
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    straight = solve(plaque(), settings).stress_at(points)
    turned = solve(plaque(angle), settings).stress_at(points @ turn.T)
    back = np.einsum("ia,nij,jb->nab", turn, turned[:, :2, :2], turn)
    assert np.abs(back - straight[:, :2, :2]).max() < 1e-9 * np.abs(straight).max()


def test_a_mirrored_section_has_mirrored_stress():
    settings = StressSettings(mesh=(6, 32))
    points = circle(1.3, (0.05, 0.05), 16)
    flip = np.diag([1.0, -1.0])
    straight = solve(plaque(), settings).stress_at(points)
    mirrored = solve(plaque(mirror=True), settings).stress_at(points @ flip)
    back = flip @ mirrored[:, :2, :2] @ flip
    assert np.abs(back - straight[:, :2, :2]).max() < 1e-9 * np.abs(straight).max()


def test_an_elastic_foundation_pushes_back_as_its_exact_tube_says():
    a, b, nu, young, k = 1.0, 1.5, 0.45, 300.0, 200.0
    field = tube(a, b, nu, outer="elastic_foundation", foundation_kpa_per_mm=k)
    # sigma_rr = A - B / r^2, u = (1 + nu) / E ((1 - 2 nu) A r + B / r), sigma_rr(b) = -k u(b), sigma_rr(a) = -p
    c = (1 + nu) / young
    matrix = np.array([[1, -1 / a**2], [1 + k * c * (1 - 2 * nu) * b, -1 / b**2 + k * c / b]])
    A, B = np.linalg.solve(matrix, [-P, 0.0])
    points, _, around = on_rays(np.linspace(a, b, 17))
    assert worst(along(field.stress_at(points), around), A + B / np.hypot(*points.T) ** 2) < 1e-4


def test_an_outer_adventitia_is_a_second_layer():
    section = VesselSection([circle(1.0), circle(1.4)], ["wall"])
    tissues = {"wall": LinearElastic(300.0, 0.49), "adventitia": LinearElastic(600.0, 0.49)}
    laid = solve(section, StressSettings(tissues=tissues, outer="adventitia", adventitia_mm=0.3))
    drawn = solve(
        VesselSection([circle(1.0), circle(1.4), circle(1.7)], ["wall", "adventitia"]), StressSettings(tissues=tissues)
    )
    points, _, _ = on_rays(np.linspace(1.0, 1.6, 10))
    assert np.abs(laid.stress_at(points) - drawn.stress_at(points)).max() < 1e-3 * P


def test_points_outside_tissue_have_no_stress():
    field = tube(1.0, 1.6, 0.49)
    points = np.array([[0.0, 0.0], [0.9, 0.0], [1.7, 0.0], [5.0, 5.0], [1.3, 0.0]])
    assert np.isnan(field.stress_at(points)[:4]).all()
    assert np.isfinite(field.stress_at(points)[4]).all()
    assert np.isnan(field.displacement_at(points)[:4]).all()
    raster = field.raster(0.1, (40, 50))
    assert raster.shape == (3, 40, 50)
    assert np.isnan(raster[:, 20, 25]).all()
    assert np.isfinite(raster[:, 20, 25 + 13]).all()


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"lumen_pressure_kpa": float("nan")}, "lumen_pressure_kpa"),
        ({"lumen_pressure_kpa": 1e5}, "lumen_pressure_kpa"),
        ({"mesh": (0, 96)}, "mesh"),
        ({"tissues": {"bone": LinearElastic(1.0)}}, "tissues"),
        ({"outer": "glued"}, "outer"),
        ({"outer": "adventitia", "tissues": {"wall": LinearElastic(1.0)}}, "adventitia"),
    ],
)
def test_wrong_settings_are_refused_with_the_rule(wrong, rule):
    with pytest.raises(GeometryError, match=rule):
        StressSettings(**wrong)


@pytest.mark.parametrize("law", [(0.0, 0.3), (-5.0, 0.3), (300.0, 0.5), (300.0, float("nan")), (300.0, -1.0)])
def test_impossible_elastic_constants_are_refused(law):
    with pytest.raises(GeometryError, match="must lie between"):
        LinearElastic(*law)


def test_a_tissue_without_a_law_is_refused():
    with pytest.raises(GeometryError, match="must have a law"):
        solve(plaque(), StressSettings(tissues={"wall": LinearElastic(300.0)}))


def test_a_section_that_is_no_star_is_refused():
    a = np.linspace(0, 3.6, 40)
    arc = np.column_stack([np.cos(a), np.sin(a)])
    with pytest.raises(GeometryError, match="star-shaped"):
        solve(VesselSection([np.vstack([2.0 * arc, 1.4 * arc[::-1]]), circle(4.0)], ["wall"]), StressSettings())
