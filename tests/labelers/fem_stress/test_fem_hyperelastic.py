import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from dataeff_al.errors import GeometryError
from labelers.fem_stress import LinearElastic, MooneyRivlin, NeoHookean, StressSettings, VesselSection, solve

P = 14.665463
LAWS = [NeoHookean(40.0), MooneyRivlin(36.8, 14.4, 2.0)]


def circle(radius: float, centre: tuple[float, float] = (0.0, 0.0), count: int = 72) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([radius * np.cos(t), radius * np.sin(t)]) + centre


class Tube:
    """Inflation of an incompressible tube by quadrature: r^2 = R^2 + k."""

    def __init__(self, law, a: float, b: float) -> None:
        self.law, self.a, self.b = law, a, b
        self.k = brentq(lambda k: self.pressure(a, k) - P, 1e-9, 20.0, xtol=1e-14)

    def difference(self, R: float, k: float) -> float:
        """Hoop minus radial Cauchy stress."""
        stretch = np.sqrt(R**2 + k) / R
        I = stretch**2 + stretch**-2 + 1  # noqa: E741
        first = self.law.c1_kpa + self.law.d1_kpa * self.law.d2 * np.exp(self.law.d2 * (I - 3))
        return 2 * first * (stretch**2 - stretch**-2)

    def pressure(self, R: float, k: float) -> float:
        return quad(lambda s: self.difference(s, k) * s / (s**2 + k), R, self.b, epsabs=1e-12, epsrel=1e-12)[0]

    def radial(self, R: float) -> float:
        return -self.pressure(R, self.k)

    def hoop(self, R: float) -> float:
        return self.radial(R) + self.difference(R, self.k)


def tube(law, mesh=(8, 96), a: float = 1.0, b: float = 1.5):
    section = VesselSection([circle(a), circle(b)], ["wall"])
    return solve(section, StressSettings(lumen_pressure_kpa=P, mesh=mesh, tissues={"wall": law}))


@pytest.mark.parametrize("law", LAWS, ids=["neo_hookean", "mooney_rivlin"])
def test_an_inflated_tube_has_its_exact_radius_and_stress(law):
    field, exact = tube(law), Tube(law, 1.0, 1.5)
    radii = np.linspace(1.0, 1.5, 11)
    points = np.column_stack([radii, 0 * radii])
    widened = radii + field.displacement_at(points)[:, 0]
    assert np.abs(widened / np.sqrt(radii**2 + exact.k) - 1).max() < 2e-4
    stress = field.stress_at(points)
    hoop, radial = (np.array([value(R) for R in radii]) for value in (exact.hoop, exact.radial))
    assert np.abs(stress[:, 1, 1] - hoop).max() < 1e-3 * hoop.max()
    assert np.abs(stress[:, 0, 0] - radial).max() < 2e-3 * P


def test_small_pressure_gives_the_linear_answer():
    law = MooneyRivlin(36.8, 14.4, 2.0)
    young = 3 * law.shear_kpa
    section = plaque_section()
    points = circle(1.25, (0.02, 0.01), 24)
    small = StressSettings(lumen_pressure_kpa=1e-3, mesh=(6, 48), tissues={"wall": law, "lipid": NeoHookean(10.0)})
    linear = StressSettings(
        lumen_pressure_kpa=1e-3,
        mesh=(6, 48),
        tissues={"wall": LinearElastic(young, 0.49995), "lipid": LinearElastic(60.0, 0.49995)},
    )
    a, b = solve(section, small).stress_at(points), solve(section, linear).stress_at(points)
    assert np.abs(a - b).max() < 1e-3 * np.abs(b).max()


def plaque_section(angle: float = 0.0) -> VesselSection:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    core = np.column_stack([(1.3 + 0.12 * np.sin(t)) * np.cos(0.4 * np.cos(t)), 1.3 * np.sin(0.4 * np.cos(t))])
    contours = [circle(1.0), circle(1.7, (0.15, 0.05))]
    return VesselSection([c @ turn.T for c in contours], ["wall"], [("lipid", core @ turn.T)])


def test_a_turned_section_has_turned_stress():
    around = 48
    angle = 2 * np.pi * 7 / around
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    tissues = {"wall": MooneyRivlin(36.8, 14.4, 2.0), "lipid": MooneyRivlin(2.0, 2.0, 1.5)}
    settings = StressSettings(mesh=(6, around), tissues=tissues)
    points = circle(1.2, (0.05, 0.013), 16)
    straight = solve(plaque_section(), settings).stress_at(points)
    turned = solve(plaque_section(angle), settings).stress_at(points @ turn.T)
    back = np.einsum("ia,nij,jb->nab", turn, turned[:, :2, :2], turn)
    assert np.abs(back - straight[:, :2, :2]).max() < 1e-6 * np.abs(straight).max()


def test_inner_forces_balance_the_pressure_on_the_deformed_lumen():
    """Work of a virtual widening: int sigma : grad v over the deformed wall = p int v . n over the deformed lumen."""
    field = tube(NeoHookean(40.0), mesh=(6, 48))
    radii = 1.0 + 0.5 * (np.polynomial.legendre.leggauss(40)[0] + 1) / 2
    weights = np.polynomial.legendre.leggauss(40)[1] * 0.25
    points = np.column_stack([radii, 0 * radii])
    stress, u = field.stress_at(points), field.displacement_at(points)[:, 0]
    r = radii + u
    # v = e_r / r has no volume change: sigma : grad v = (hoop - radial) / r^2, and dr = R / r dR
    work = np.sum(weights * (stress[:, 1, 1] - stress[:, 0, 0]) / r**2 * r * radii / r)
    assert abs(work / P - 1) < 1e-3


def test_mixed_theories_are_refused():
    with pytest.raises(GeometryError, match="all linear or all hyperelastic"):
        StressSettings(tissues={"wall": NeoHookean(40.0), "lipid": LinearElastic(6.0)})


@pytest.mark.parametrize(
    "make", [lambda: NeoHookean(0.0), lambda: MooneyRivlin(-1.0, 1.0, 1.0), lambda: MooneyRivlin(1.0, -1.0, 1.0)]
)
def test_impossible_parameters_are_refused(make):
    with pytest.raises(GeometryError, match="must lie between"):
        make()


def test_a_balloon_without_equilibrium_is_refused_with_the_reason():
    with pytest.raises(GeometryError, match="equilibrium"):
        tube(NeoHookean(1.0), mesh=(3, 24))
