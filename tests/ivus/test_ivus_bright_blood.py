"""Where blood is nearly as bright as the wall: what keeps the lumen from being found too small."""

import numpy as np
import pytest

from labelers.ivus import segment
from labelers.ivus.catheter import Catheter
from labelers.ivus.evidence import tissue_passed_mm
from labelers.ivus.simulator.recording import simulate_vessel
from labelers.ivus.simulator.settings import settings_for, varied
from labelers.ivus.wire import find_wires

ANGLES, STEP_MM = 192, 0.03


def test_bright_speckle_of_blood_never_adds_up_to_tissue():
    rng = np.random.default_rng(0)
    blood = rng.normal(0.2, 0.4, size=(64, 60))
    wall = rng.normal(1.0, 0.4, size=(64, 20))
    passed = tissue_passed_mm(np.concatenate([blood, wall], axis=1))
    assert np.median(passed[:, 59]) < 0.06
    assert np.median(passed[:, -1]) > 0.2


def test_what_was_once_tissue_stays_passed():
    rng = np.random.default_rng(1)
    assert (np.diff(tissue_passed_mm(rng.normal(0.5, 1.0, size=(32, 80))), axis=1) >= 0).all()


@pytest.mark.parametrize("spot", [24, 40])
def test_a_wire_is_found_within_ring_down_and_beside_a_bright_wall(spot):
    grey = np.full((1, ANGLES, 160), 0.5, np.float32)
    grey[:, :, 42:55] = 0.9  # a wall as bright as the wire's spot
    grey[:, 90:100, 20:] = 0.02
    grey[:, 92:98, spot : spot + 4] = 1.0
    found = find_wires(grey, Catheter(radius=16, ring=30), STEP_MM).hidden
    assert found[0, 92:98].all()
    assert not found[0, :80].any()
    assert not found[0, 110:].any()


def test_the_lumen_is_found_where_blood_is_bright():
    rng = np.random.default_rng([40, 1, 11])
    made = simulate_vessel(12, varied(settings_for(40), rng), rng)
    found = segment(made.pullback)
    shares = [_area(a) / _area(b) for a, b in zip(found.lumen_mm, made.lumen_mm, strict=True)]
    assert min(shares) > 0.75


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return float(abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2)
