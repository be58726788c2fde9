from dataclasses import replace

import numpy as np
import pytest

from dataeff_al.errors import DataError
from dataeff_al.vessel.polar import ANGLES, PolarSection
from labelers.ivus.simulator.acoustics import depth_step_mm, echoes, radii_mm, scatterers
from labelers.ivus.simulator.recording import simulate
from labelers.ivus.simulator.scene import Scene
from labelers.ivus.simulator.settings import CLEAN, settings_for

SECTION = PolarSection(np.full(ANGLES, 1.4), np.full(ANGLES, 0.5), 0.25)


def envelope(frequency: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    settings = replace(settings_for(frequency, CLEAN), texture_db=0.0, noise_db=-90.0)
    scene = Scene(SECTION, np.zeros(2), np.zeros(settings.beams))
    shape = (settings.beams, len(radii_mm(settings)))
    return echoes(scene, settings, scatterers(shape, rng), np.zeros(shape), rng), radii_mm(settings)


@pytest.mark.parametrize("frequency", [20, 40])
def test_speckle_of_even_tissue_is_rayleigh(frequency):
    rng = np.random.default_rng(1)
    parts = [envelope(frequency, rng) for _ in range(6)]
    ratios, tails = [], []
    for found, r in parts:
        part = found[:, (r > 2.5) & (r < 3.2)]
        part = part / np.sqrt(np.mean(part**2, axis=0))
        ratios.append(part.mean() / part.std())
        tails.append((part > 1.5).mean())
    # Rayleigh: mean / deviation = sqrt(pi / (4 - pi)), P(a > 1.5 rms) = exp(-2.25)
    assert np.mean(ratios) == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert np.mean(tails) == pytest.approx(np.exp(-2.25), rel=0.12)


def test_blood_is_darker_than_tissue_and_less_so_at_40_mhz():
    rng = np.random.default_rng(2)
    gaps = []
    for frequency in (20, 40):
        found, r = envelope(frequency, rng)
        blood, wall = found[:, (r > 0.8) & (r < 1.2)], found[:, (r > 1.5) & (r < 1.7)]
        gaps.append(10 * np.log10((wall**2).mean() / (blood**2).mean()))
    assert gaps[0] > gaps[1] > 4


@pytest.mark.parametrize("name", ["clean20", "rough20", "rough40"])
def test_nothing_saturates(name, request):
    frames = request.getfixturevalue(name).pullback.frames
    assert (frames >= 0.999).mean() < 0.002
    assert np.percentile(frames, 99) > 0.6


def test_the_same_seed_gives_the_same_recording_and_another_one_does_not():
    settings = replace(settings_for(20), beams=128, pixels=128)
    first, again, other = (simulate([SECTION] * 2, settings, np.random.default_rng(s)) for s in (7, 7, 8))
    assert np.array_equal(first.pullback.frames, again.pullback.frames)
    assert not np.array_equal(first.pullback.frames, other.pullback.frames)


def test_the_truth_is_where_the_section_was_put():
    settings = replace(settings_for(20, CLEAN), beams=128, pixels=128)
    made = simulate([SECTION], settings, np.random.default_rng(1))
    centre = -made.scenes[0].catheter_mm
    assert np.allclose(np.hypot(*(made.lumen_mm[0] - centre).T), 1.4, atol=1e-9)
    assert np.allclose(np.hypot(*(made.eem_mm[0] - centre).T), 1.9, atol=1e-9)


def test_a_guide_wire_darkens_one_sector_and_can_be_switched_off():
    base = replace(settings_for(20), beams=128, pixels=128)
    with_wire = replace(base, artefacts=replace(CLEAN, guide_wire=True))
    without = replace(base, artefacts=CLEAN)
    depth = []
    for settings in (with_wire, without):
        frame = simulate([SECTION], settings, np.random.default_rng(3)).pullback.frames[0]
        x, y = np.meshgrid(np.arange(128) - 63.5, np.arange(128) - 63.5)
        ring = (np.hypot(x, y) > 40) & (np.hypot(x, y) < 60)
        sector = np.floor(np.arctan2(y, x) / (2 * np.pi) * 24).astype(int)
        means = [frame[ring & (sector == s)].mean() for s in range(-12, 12)]
        depth.append(min(means) / np.median(means))
    assert depth[0] < 0.6 < 0.8 < depth[1]


def test_settings_outside_the_physics_are_refused():
    with pytest.raises(DataError, match="frequency_mhz must be 20 or 40"):
        settings_for(30)
    with pytest.raises(DataError, match="pixels and beams"):
        replace(settings_for(20), pixels=8)
    assert depth_step_mm(settings_for(40)) == pytest.approx(0.01)
