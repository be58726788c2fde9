"""The unloaded section from one that was imaged under pressure."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import fsolve

from dataeff_al.errors import GeometryError
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import LinearElastic, MooneyRivlin, NeoHookean, StressSettings, VesselSection, solve
from labelers.fem_stress.exact.finite_tube import FiniteTube
from labelers.fem_stress.exact.layered_tube import LayeredTube
from labelers.fem_stress.spec import PLUGIN, FemStressParams

P = 14.665463
MESH = (6, 32)


def circle(radius: float, x: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return radius * np.column_stack([np.cos(t), np.sin(t)]) + [x, 0.0]


def on_x(*radii: float) -> np.ndarray:
    return np.array([[r, 0.0] for r in radii])


def imaged(section: VesselSection, tissues, loaded_kpa: float = P):
    settings = StressSettings(lumen_pressure_kpa=loaded_kpa, imaged_at_kpa=P, mesh=MESH, tissues=tissues)
    return solve(section, settings)


@pytest.mark.parametrize("law", [NeoHookean(40.0), MooneyRivlin(36.8, 14.4, 2.0)], ids=["neo_hookean", "mooney"])
def test_an_inflated_tube_is_taken_back_to_its_unloaded_radii_and_has_its_exact_stress(law):
    exact = FiniteTube([1.0, 1.5], [law], P)
    a, b = exact.place(np.array([1.0, 1.5]))
    field = imaged(VesselSection([circle(a), circle(b)], ["wall"]), {"wall": law})
    assert np.abs(field.unloaded_at(on_x(a, b))[:, 0] - [1.0, 1.5]).max() < 2e-4
    assert np.abs(field.displacement_at(on_x(a, b))[:, 0] - [a - 1.0, b - 1.5]).max() < 2e-4
    radial, hoop = exact.stress(0, np.array([1.0, 1.5]))
    stress = field.stress_at(on_x(a, b))
    assert np.abs(stress[:, 1, 1] - hoop).max() < 2e-3 * hoop.max()
    assert np.abs(stress[:, 0, 0] - radial).max() < 5e-3 * P


def test_a_linear_tube_is_taken_back_to_the_radii_that_lame_takes_to_the_imaged_ones():
    law, target = LinearElastic(300.0, 0.49), np.array([1.0, 1.6])

    def missed(radii: np.ndarray) -> np.ndarray:
        return radii + LayeredTube(radii, [law], P).displacement(0, radii) - target

    radii = fsolve(missed, target, xtol=1e-13)
    field = imaged(VesselSection([circle(1.0), circle(1.6)], ["wall"]), {"wall": law})
    assert np.abs(field.unloaded_at(on_x(1.0, 1.6))[:, 0] - radii).max() < 1e-5


@pytest.mark.parametrize("outer", ["free", "elastic_foundation", "adventitia"])
def test_loading_the_unloaded_section_gives_the_imaged_one(outer):
    tissues = {"wall": MooneyRivlin(36.8, 14.4, 2.0), "adventitia": NeoHookean(20.0)}
    settings = StressSettings(imaged_at_kpa=P, lumen_pressure_kpa=P, mesh=MESH, tissues=tissues, outer=outer)
    field = solve(VesselSection([circle(1.0), circle(1.5, 0.1)], ["wall"]), settings)
    points = np.concatenate([circle(1.0)[::7], circle(1.25, 0.05)[::7]])
    assert np.abs(field.unloaded_at(points) + field.displacement_at(points) - points).max() < 1e-6
    assert np.abs(field.unloaded_at(points) - points).max() > 0.02


def test_without_load_an_imaged_section_is_free_of_stress():
    field = imaged(VesselSection([circle(1.0), circle(1.5, 0.1)], ["wall"]), {"wall": NeoHookean(40.0)}, 0.0)
    assert np.abs(field.stress_at(circle(1.2))).max() < 1e-6 * P


def test_a_wall_too_soft_to_have_an_unloaded_section_is_refused():
    with pytest.raises(GeometryError, match="unloaded section must lead back"):
        imaged(VesselSection([circle(1.0), circle(1.05)], ["wall"]), {"wall": LinearElastic(20.0, 0.49)})


def test_the_labeler_unloads_masks_or_fails_with_the_reason():
    pool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=3), PoolContext(Path(), None, 7))
    requests = [Request(s.id, s) for s in pool.read(pool.ids())[:2]]

    def outcomes(**params: object):
        given = {"mesh": {"radial": 4, "circumferential": 32}, **params}
        labeler = PLUGIN.factory()(FemStressParams.model_validate(given), LabelerContext(pool, Path(), None))
        return labeler.label(requests)

    for as_is, unloaded in zip(outcomes(), outcomes(imaged_at_kpa=P), strict=True):
        assert isinstance(unloaded, Label)
        mean = [np.nanmean(label.target["stress"]) for label in (as_is, unloaded)]
        assert 1e-3 < abs(mean[1] / mean[0] - 1) < 0.5
    soft = {"wall": {"youngs_modulus_kpa": 1.0}, "adventitia": {"youngs_modulus_kpa": 1.0}}
    for outcome in outcomes(imaged_at_kpa=P, tissues=soft):
        assert isinstance(outcome, LabelFailure)
        assert "unloaded section" in outcome.reason
