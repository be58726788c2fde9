import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.envs.sampling import bilinear
from dataeff_al.envs.signed_distance import area, boundary, signed_distance
from labelers.deep_labelling.dynamics import velocity
from labelers.deep_labelling.guides import FieldGuide, Windows
from labelers.deep_labelling.levels import redistanced
from labelers.deep_labelling.tracing import LEFT_IMAGE, NOT_CLOSED, Limits, trace

SIDE = 96
Y, X = np.mgrid[:SIDE, :SIDE]


def disc(x, y, radius):
    return np.hypot(X - x, Y - y) < radius


def star():
    angle = np.arctan2(Y - 48, X - 48)
    return np.hypot(X - 48, Y - 48) < 24 * (1 + 0.35 * np.cos(3 * angle))


SHAPES = {
    "a disc": disc(48, 48, 25),
    "an ellipse": np.hypot((X - 48) / 34, (Y - 48) / 11) < 1,
    "a star": star(),
    "a bean": disc(48, 44, 24) & ~disc(48, 26, 15),
    "a small disc": disc(40, 50, 3.2),
}


def walked(mask, starts, sense, softness=5.0):
    distance = signed_distance(mask)
    count, radius = len(starts), np.sqrt(mask.sum() / np.pi)
    level = torch.from_numpy(distance)[None].expand(count, -1, -1).contiguous()
    middle = (SIDE - 1) / 2
    windows = Windows(level, torch.full((count, 2), middle), torch.full((count,), SIDE / 2))
    guide = FieldGuide(windows, torch.full((count,), min(softness, radius / 2)), torch.full((count,), float(sense)))
    headings = torch.tensor([[1.0, 0.0]]).repeat(count, 1)
    steps = torch.full((count,), float(np.clip(0.12 * radius, 0.2, 1.0)))
    return distance, trace(guide, torch.tensor(starts, dtype=torch.float32), headings, steps, Limits((SIDE, SIDE)))


def off(distance, contour):
    points = torch.tensor(contour, dtype=torch.float32)[None]
    return bilinear(torch.from_numpy(distance)[None], torch.zeros(1, dtype=torch.long), points)[0].abs().numpy()


def signed_area(polygon):
    x, y = polygon.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("mask", SHAPES.values(), ids=SHAPES.keys())
def test_orbits_from_everywhere_circulate_and_end_on_the_boundary(mask, sense):
    starts = np.random.default_rng(3).uniform(8, SIDE - 8, (24, 2))
    distance, orbits = walked(mask, starts, sense)
    assert all(orbit.contour is not None for orbit in orbits)
    assert max(off(distance, orbit.contour).max() for orbit in orbits) < 1.5
    turned = {np.sign(signed_area(orbit.contour)) for orbit in orbits}
    assert turned == {float(sense)}
    assert np.median([area(orbit.contour) for orbit in orbits]) == pytest.approx(mask.sum(), rel=0.08)


@given(st.floats(5, 30), st.floats(0.5, 12))
@settings(max_examples=25, deadline=None)
def test_motion_is_tangential_on_the_boundary_inward_outside_and_outward_inside(distance, softness):
    outward = torch.tensor([[1.0, 0.0]]).repeat(3, 1)
    speed = velocity(torch.tensor([0.0, distance, -distance]), outward, softness)
    assert speed[0].numpy() == pytest.approx([0, 1], abs=1e-5)
    assert speed[1, 0] < 0 < speed[2, 0]
    assert speed.norm(dim=-1).numpy() == pytest.approx(np.ones(3), abs=1e-5)


def test_the_signs_as_printed_send_agents_away_from_the_boundary():
    distance = torch.tensor([20.0, -20.0])
    printed = velocity(-distance, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), 5.0)
    assert printed[0, 0] > 0 > printed[1, 0]


@given(st.floats(4, 30), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
@settings(max_examples=25, deadline=None)
def test_the_signed_distance_of_a_disc_is_right_to_less_than_a_pixel(radius, dx, dy):
    mask = disc(48 + dx, 48 + dy, radius)
    exact = np.hypot(X - 48 - dx, Y - 48 - dy) - radius
    found = signed_distance(mask)
    assert np.abs(found - exact).max() < 1.0
    assert np.abs(found - exact)[np.abs(exact) < 2].mean() < 0.4
    assert ((found < 0) == mask).all()


def test_a_boundary_encloses_the_regions_area():
    for mask in SHAPES.values():
        assert area(boundary(mask)) == pytest.approx(mask.sum(), rel=0.12)


class Straight:
    def velocity(self, points, headings):
        return torch.tensor([[1.0, 0.0]]).repeat(len(points), 1)


class Spiral:
    def velocity(self, points, headings):
        offset = points - 48.0
        turned = torch.stack([-offset[:, 1], offset[:, 0]], dim=-1)
        outward = offset / offset.norm(dim=-1, keepdim=True)
        return turned / turned.norm(dim=-1, keepdim=True) + 0.06 * outward


def test_an_agent_that_leaves_the_image_or_never_closes_is_reported():
    start, heading = torch.tensor([[50.0, 48.0]]), torch.tensor([[1.0, 0.0]])
    gone = trace(Straight(), start, heading, torch.ones(1), Limits((SIDE, SIDE)))[0]
    open_ = trace(Spiral(), start, heading, torch.full((1,), 0.2), Limits((SIDE, SIDE), max_turns=2))[0]
    assert gone.contour is None
    assert gone.reason == LEFT_IMAGE
    assert open_.contour is None
    assert open_.reason == NOT_CLOSED
    assert open_.turns == pytest.approx(2, abs=0.1)


def test_a_saturated_level_becomes_a_distance_with_one_region():
    exact = signed_distance(star())
    level = np.clip(exact, -2, 2)
    level[4:8, 4:8] = -2
    level[47:49, 47:49] = 2
    found = redistanced(level, 1.0)
    assert np.abs(found - exact).max() < 1.5
    assert (found[:10, :10] > 0).all()


def test_a_level_without_a_region_stays_as_it_is():
    level = np.full((16, 16), 3.0, np.float32)
    assert np.array_equal(redistanced(level, 1.0), level)
