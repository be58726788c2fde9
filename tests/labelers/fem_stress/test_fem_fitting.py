from pathlib import Path

import numpy as np
import pytest

from dataeff_al.samples.protocol import PoolContext
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import StressSettings, VesselSection, solve
from labelers.fem_stress.fitting import angular_extent, ray_hits, relaxed
from labelers.fem_stress.from_section import mesh_section

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=60), PoolContext(Path(), None, 7))


def circle(radius: float, centre: tuple[float, float] = (0.0, 0.0), count: int = 60) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([radius * np.cos(t), radius * np.sin(t)]) + centre


def test_rays_meet_a_circle_where_they_must():
    hits, inner, outer = ray_hits(circle(0.2, (1.3, 0.0), 2000), np.zeros(2), np.array([0.0, 1.0]))
    assert list(hits) == [2, 0]
    assert np.allclose([inner[0], outer[0]], [1.1, 1.5], atol=1e-5)


def test_an_inclusion_that_winds_or_encloses_the_centre_is_not_fitted():
    assert angular_extent(circle(1.5), np.zeros(2), 0.2) is None
    zigzag = np.array([[1, -0.5], [1.1, 0.5], [1.2, -0.3], [1.3, 0.5], [1.5, -0.5]])
    assert angular_extent(zigzag, np.zeros(2), 0.2) is None


def test_relaxed_ring_lines_keep_their_order_and_their_fixed_lines():
    even = np.linspace(0, 1, 7)
    known, fixed = np.tile(even, (40, 1)), np.zeros(40, dtype=bool)
    known[5:12] = [0, 0.05, 0.1, 0.15, 0.2, 0.6, 1.0]
    fixed[5:12] = True
    out = relaxed(known, fixed, even)
    assert np.all(np.diff(out, axis=1) > 0)
    assert np.allclose(out[5:12], known[5:12])
    assert np.abs(out[28] - even).max() < 0.2


def test_most_inclusions_of_generated_sections_are_followed():
    meshes = [mesh_section(POOL.polar(i).section(), StressSettings()) for i in POOL.ids()[:40]]
    regions = sum(len(POOL.polar(i).inclusions) for i in POOL.ids()[:40])
    assert sum(len(mesh.sampled) for mesh in meshes) <= 0.05 * regions


def test_a_fitted_inclusion_fills_its_own_area():
    section = VesselSection([circle(1.0), circle(1.7)], ["wall"], [("lipid", circle(0.15, (1.35, 0.0)))])
    mesh = mesh_section(section, StressSettings(mesh=(24, 256)))
    field = solve(section, StressSettings(mesh=(24, 256)))
    points = np.stack(np.meshgrid(np.linspace(1.15, 1.55, 81), np.linspace(-0.2, 0.2, 81)), -1).reshape(-1, 2)
    soft = field.moduli_at(points)[0] < 10
    assert not mesh.sampled
    assert abs(soft.sum() * 0.005**2 / (np.pi * 0.15**2) - 1) < 0.02


def test_a_stacked_inclusion_is_sampled_and_still_solved():
    regions = [("lipid", circle(0.1, (1.2, 0.0))), ("calcium", circle(0.1, (1.5, 0.0)))]
    field = solve(VesselSection([circle(1.0), circle(1.7)], ["wall"], regions), StressSettings())
    assert field.mesh.sampled == (1,)
    assert np.isfinite(field.stress_at(np.array([[1.5, 0.0]]))).all()


@pytest.mark.parametrize("number", [2, 7, 9])
def test_stress_on_plaque_agrees_with_a_finer_mesh_with_sharp_interfaces(number):
    section = POOL.polar(POOL.ids()[number]).section()
    coarse, fine = (
        solve(section, StressSettings(mesh=mesh)).raster(0.06, (84, 84))[0] for mesh in ((8, 96), (24, 288))
    )
    both = np.isfinite(coarse) & np.isfinite(fine)
    # most of what is left lies in the few pixels at the corners of calcium, where the exact stress is singular
    assert np.linalg.norm((coarse - fine)[both]) < 0.04 * np.linalg.norm(fine[both])


def test_a_region_of_the_same_tissue_changes_nothing():
    points = circle(1.3, count=20)
    plain = solve(VesselSection([circle(1.0), circle(1.7)], ["wall"]), StressSettings())
    drawn = solve(
        VesselSection([circle(1.0), circle(1.7)], ["wall"], [("wall", circle(0.15, (1.35, 0.0)))]), StressSettings()
    )
    assert np.abs(plain.stress_at(points) - drawn.stress_at(points)).max() < 0.1
