"""Whatever is wrong with sections, masks or settings is refused before the solve, with the rule that was broken."""

import re
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.errors import GeometryError
from dataeff_al.labeling.types import LabelerContext, LabelFailure, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import LinearElastic, MooneyRivlin, NeoHookean, StressSettings, VesselSection, solve, solver
from labelers.fem_stress.spec import PLUGIN, FemStressParams

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=2), PoolContext(Path(), None, 7))


def circle(radius: float, x: float = 0.0, count: int = 48) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return radius * np.column_stack([np.cos(t), np.sin(t)]) + [x, 0.0]


def with_nan() -> np.ndarray:
    points = circle(1.0)
    points[3, 0] = np.nan
    return points


def looped() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    r = 0.5 + np.cos(t)
    return np.column_stack([r * np.cos(t), r * np.sin(t)])


def kidney() -> np.ndarray:
    a = np.linspace(0, 3.6, 40)
    arc = np.column_stack([np.cos(a), np.sin(a)])
    return np.vstack([1.6 * arc, 1.1 * arc[::-1]])


WALL = circle(1.6)
SECTIONS = {
    "empty": (lambda: VesselSection([], []), "must have a lumen and an outer contour"),
    "no points": (lambda: VesselSection([np.zeros((0, 2)), WALL], ["wall"]), "at least 4 points"),
    "one contour": (lambda: VesselSection([circle(1.0)], []), "must have a lumen and an outer contour"),
    "too few layers": (lambda: VesselSection([circle(1.0), WALL], []), "one layer fewer"),
    "open": (lambda: VesselSection([circle(1.0)[:30], WALL], ["wall"]), "must be closed"),
    "crosses itself": (lambda: VesselSection([looped(), circle(3.0)], ["wall"]), "must not cross itself"),
    "cross each other": (lambda: VesselSection([circle(1.0, 0.8), WALL], ["wall"]), "must not meet"),
    "inside out": (lambda: VesselSection([WALL, circle(1.0)], ["wall"]), "from inside out"),
    "lumen outside the wall": (lambda: VesselSection([circle(1.0, 5.0), WALL], ["wall"]), "lie inside the wall"),
    "repeated points": (lambda: VesselSection([np.repeat(circle(1.0), 2, 0), WALL], ["wall"]), "distinct"),
    "NaN": (lambda: VesselSection([with_nan(), WALL], ["wall"]), "must be finite"),
    "too large": (lambda: VesselSection([circle(1e5), circle(2e5)], ["wall"]), "must be finite and within"),
    "unknown tissue": (lambda: VesselSection([circle(1.0), WALL], ["bone"]), "a tissue must be one of"),
    "region outside": (
        lambda: VesselSection([circle(1.0), WALL], ["wall"], [("lipid", circle(0.2, 2.5))]),
        "region must lie between",
    ),
    "region in the lumen": (
        lambda: VesselSection([circle(1.0), WALL], ["wall"], [("lipid", circle(0.2))]),
        "region must lie between",
    ),
    "region across the border": (
        lambda: VesselSection([circle(1.0), WALL], ["wall"], [("lipid", circle(0.2, 1.6))]),
        "region must lie between",
    ),
    "region with NaN": (
        lambda: VesselSection([circle(1.0), WALL], ["wall"], [("lipid", 0.1 * with_nan())]),
        "must be finite",
    ),
    "region that crosses itself": (
        lambda: VesselSection([circle(1.0), WALL], ["wall"], [("lipid", 0.1 * looped() + [1.3, 0.0])]),
        "must not cross itself",
    ),
}
SETTINGS = {
    "zero modulus": (lambda: LinearElastic(0.0, 0.3), "youngs_modulus_kpa"),
    "negative modulus": (lambda: LinearElastic(-300.0, 0.3), "youngs_modulus_kpa"),
    "NaN modulus": (lambda: LinearElastic(float("nan"), 0.3), "youngs_modulus_kpa"),
    "poisson 0.5": (lambda: LinearElastic(300.0, 0.5), "poisson_ratio"),
    "poisson above 0.5": (lambda: LinearElastic(300.0, 0.7), "poisson_ratio"),
    "zero c1": (lambda: NeoHookean(0.0), "c1_kpa"),
    "negative c1": (lambda: MooneyRivlin(-1.0, 14.4, 2.0), "c1_kpa"),
    "negative d1": (lambda: MooneyRivlin(36.8, -14.4, 2.0), "d1_kpa"),
    "negative d2": (lambda: MooneyRivlin(36.8, 14.4, -2.0), "d2"),
    "absurd pressure": (lambda: StressSettings(lumen_pressure_kpa=1e4), "lumen_pressure_kpa"),
    "negative pressure": (lambda: StressSettings(lumen_pressure_kpa=-1.0), "lumen_pressure_kpa"),
    "pressure NaN": (lambda: StressSettings(lumen_pressure_kpa=float("nan")), "lumen_pressure_kpa"),
    "absurd imaging pressure": (lambda: StressSettings(imaged_at_kpa=1e4), "imaged_at_kpa"),
    "mixed laws": (
        lambda: StressSettings(tissues={"wall": NeoHookean(40.0), "lipid": LinearElastic(6.0)}),
        "all linear or all hyperelastic",
    ),
}


@pytest.fixture
def no_solve(monkeypatch):
    """Fails the test when anything is solved after all."""

    def solved(*_: object) -> None:
        raise AssertionError("a solve was begun")

    monkeypatch.setattr(solver, "solve_imaged", solved)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_that_is_none_is_refused_before_the_solve_with_its_rule(name, no_solve):
    make, rule = SECTIONS[name]
    with pytest.raises(GeometryError, match=rule):
        solve(make(), StressSettings())


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_cannot_be_are_refused_with_their_rule(name):
    make, rule = SETTINGS[name]
    with pytest.raises(GeometryError, match=rule):
        make()


def wide_kidney() -> np.ndarray:
    a = np.linspace(-1.6, 1.6, 60)
    arc = np.column_stack([np.cos(a), np.sin(a)])
    return np.vstack([2.0 * arc, 0.7 * arc[::-1]])


STARS = {
    "lumen": lambda: VesselSection([kidney(), circle(4.0)], ["wall"]),
    "outer contour": lambda: VesselSection([circle(0.2, 1.35), wide_kidney()], ["wall"]),
}


@pytest.mark.parametrize("name", STARS)
def test_a_section_that_no_ray_mesh_can_follow_is_refused_before_the_solve_and_told_which_contour(name, no_solve):
    with pytest.raises(GeometryError, match=f"star-shaped about the lumen's centroid.*contour {name != 'lumen':d}"):
        solve(STARS[name](), StressSettings())


def test_more_layers_than_elements_across_are_refused_before_the_solve(no_solve):
    contours = [circle(r) for r in (1.0, 1.1, 1.2, 1.3, 1.4)]
    with pytest.raises(GeometryError, match="an element for each"):
        solve(VesselSection(contours, ["wall"] * 4), StressSettings(mesh=(3, 32)))


def ring_mask() -> np.ndarray:
    y, x = (np.mgrid[:64, :64] - 31.5) * 0.06
    r = np.hypot(x, y)
    return np.where(r < 0.8, 1, np.where(r < 1.5, 2, 0)).astype(np.uint8)


def changed(change) -> np.ndarray:
    mask = ring_mask()
    change(mask)
    return mask


def second_lumen(mask: np.ndarray) -> None:
    mask[30:34, 50:53] = 1


def opened(mask: np.ndarray) -> None:
    mask[31:33, 32:] = 1


def folded(mask: np.ndarray) -> None:
    y, x = (np.mgrid[:64, :64] - 31.5) * 0.06
    mask[:] = 0
    mask[np.hypot(x, y) < 1.7] = 2
    r, angle = np.hypot(x, y), np.abs(np.arctan2(y, x))
    mask[(r > 0.7) & (r < 1.2) & (angle < 2.6)] = 1


MASKS = {
    "no lumen": (lambda: np.where(ring_mask() == 1, 2, ring_mask()).astype(np.uint8), "lumen"),
    "two lumens": (lambda: changed(second_lumen), "lumen"),
    "a lumen open to the outside": (lambda: changed(opened), "lumen"),
    "a lumen that is no star": (lambda: changed(folded), "star|centre|lumen"),
    "nothing at all": (lambda: np.zeros((64, 64), np.uint8), "lumen|tissue"),
    "codes that are none": (lambda: np.where(ring_mask() == 2, 9, ring_mask()).astype(np.uint8), "codes"),
    "NaN": (lambda: np.full((64, 64), np.nan), "integers"),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_that_is_no_section_is_a_failure_with_its_rule(name):
    make, rule = MASKS[name]
    labeler = PLUGIN.factory()(FemStressParams(), LabelerContext(POOL, Path(), None))
    sample = Sample(SampleId("bad"), {"mask": make(), "pixel_size_mm": np.array(0.06)}, "bad")
    (outcome,) = labeler.label([Request("k", sample)])
    assert isinstance(outcome, LabelFailure)
    assert outcome.kind == "refused"
    assert re.search(rule, outcome.reason), outcome.reason
