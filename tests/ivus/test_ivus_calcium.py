"""Calcium: found by its shadow, told from a guide-wire, and what it does to the EEM behind it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataeff_al.vessel.polar import ANGLES, Inclusion, PolarSection
from labelers.ivus import Pullback, segment
from labelers.ivus.finding import polar_stack
from labelers.ivus.segmenting import find_borders
from labelers.ivus.simulator.recording import SyntheticPullback, simulate
from labelers.ivus.simulator.scene import TISSUES
from labelers.ivus.simulator.settings import CLEAN, settings_for
from labelers.ivus.smoothing import circle_about
from labelers.ivus.wire import Wires

CALCIUM = Inclusion("calcium", 1.0, 0.7, 0.1, 0.2, 4.0)
PLAIN = PolarSection(np.full(ANGLES, 1.4), np.full(ANGLES, 0.6), 0.25)
CALCIFIED = replace(PLAIN, inclusions=(CALCIUM,))


def recording(section: PolarSection, frequency: int, seed: int, **switched: bool) -> SyntheticPullback:
    base = settings_for(frequency)
    artefacts = replace(base.artefacts, side_branch=False, **switched)
    settings = replace(base, beams=256, artefacts=artefacts)
    return simulate([section] * 4, settings, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def calcified() -> SyntheticPullback:
    return recording(CALCIFIED, 20, 1)


def truth_deg(made: SyntheticPullback) -> np.ndarray:
    """Which degrees ``(n, 360)`` pass calcium."""
    radii = (np.arange(250) + 0.5) * 0.02
    passed = [(scene.tissues(radii)[0] == TISSUES.index("calcium")).any(axis=1) for scene in made.scenes]
    return np.stack([row[(np.arange(360) * len(row)) // 360] for row in passed])


def marked_deg(made: SyntheticPullback, borders) -> np.ndarray:
    degrees = np.arange(360)
    found = np.zeros((len(made.scenes), 360), dtype=bool)
    for frame, arcs in enumerate(borders.calcium):
        for arc in arcs:
            found[frame] |= (degrees - arc.start) % 360 <= arc.arc_deg
    return found


@pytest.mark.parametrize(("frequency", "seed"), [(20, 1), (20, 5), (40, 2)])
def test_an_arc_of_calcium_is_found_to_a_few_degrees(frequency, seed):
    made = recording(CALCIFIED, frequency, seed)
    truth, found = truth_deg(made), marked_deg(made, segment(made.pullback))
    assert (truth.sum(axis=1) > 50).all()
    assert np.abs(found.sum(axis=1) - truth.sum(axis=1)).max() <= 15
    assert (found & truth).sum() > 0.85 * truth.sum()
    assert (found & ~truth).mean() < 0.03


@pytest.mark.parametrize("frequency", [20, 40])
def test_a_wire_is_no_calcium_and_a_frame_without_calcium_has_none(frequency):
    made = recording(PLAIN, frequency, 3)
    assert polar_stack(made.pullback).wire.any(axis=1).all()
    assert not any(segment(made.pullback).calcium)


@pytest.mark.parametrize("radius", [0.75, 1.4])
def test_calcium_is_no_wire(radius):
    near = replace(CALCIFIED, lumen_mm=np.full(ANGLES, radius))
    made = recording(near, 20, 4, guide_wire=False)
    found = find_borders(polar_stack(made.pullback), 0.5)
    assert found.shadows.calcified.any(axis=1).all()
    assert not found.wire.any()


def test_bright_tissue_that_casts_no_shadow_is_not_called_calcium():
    made = simulate([CALCIFIED] * 3, replace(settings_for(20, CLEAN), beams=256), np.random.default_rng(6))
    assert not any(segment(made.pullback).calcium)


def test_an_eem_behind_calcium_is_bridged_and_flagged(calcified):
    borders, truth = segment(calcified.pullback), truth_deg(calcified)
    per = 360 / borders.eem_seen.shape[1]
    hidden = truth[:, (np.arange(borders.eem_seen.shape[1]) * per).astype(int)]
    assert borders.eem_seen[hidden].mean() < 0.2 < 0.6 < borders.eem_seen[~hidden].mean()
    assert borders.eem_confidence[hidden].mean() < 0.5 * borders.eem_confidence[~hidden].mean()
    for frame in range(len(truth)):
        away = np.linalg.norm(borders.eem_mm[frame][:, None] - calcified.eem_mm[frame][None], axis=2).min(axis=1)
        assert away.max() < 0.25


@pytest.mark.parametrize(("gain", "offset"), [(255.0, 0.0), (0.5, 0.1)])
def test_arcs_do_not_depend_on_the_scale_of_grey_levels(calcified, gain, offset):
    frames, size = calcified.pullback.frames, calcified.pullback.pixel_size_mm
    scaled = segment(Pullback(frames * gain + offset, size, 0.5))
    plain = segment(Pullback(frames, size, 0.5))
    assert [len(arcs) for arcs in scaled.calcium] == [len(arcs) for arcs in plain.calcium]
    assert scaled.calcium[0][0].arc_deg == pytest.approx(plain.calcium[0][0].arc_deg, abs=4)


def test_a_bright_spot_in_the_wall_is_taken_for_no_wire():
    hidden = np.zeros((1, 192), dtype=bool)
    hidden[0, 10:20] = hidden[0, 188:] = hidden[0, :3] = True
    spot_mm = np.where(np.arange(192) < 8, 0.8, np.where(np.arange(192) > 100, 0.8, 1.6))[None] * hidden
    kept = Wires(hidden, spot_mm).within(np.full((1, 192), 1.2)).hidden[0]
    assert kept[188:].all()
    assert kept[:3].all()
    assert not kept[10:20].any()


@given(st.floats(0, 0.5), st.floats(0, 6.3), st.floats(1.0, 2.0), st.floats(0.2, 1.0))
def test_a_round_vessel_is_its_own_circle_wherever_the_catheter_lies(away, turn, lumen, wall):
    theta = 2 * np.pi * np.arange(192) / 192

    def seen_from_the_catheter(radius):
        return away * np.cos(theta - turn) + np.sqrt(radius**2 - (away * np.sin(theta - turn)) ** 2)

    eem = seen_from_the_catheter(lumen + wall)
    half_seen = (theta < np.pi).astype(float)
    spoilt = np.where(half_seen > 0, eem, 9.0)
    found = circle_about(seen_from_the_catheter(lumen), spoilt, half_seen)
    assert np.abs(found - eem).max() < 0.01
