from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labelers.ivus import Pullback, segment
from labelers.ivus.catheter import find_centre
from labelers.ivus.finding import polar_stack
from labelers.ivus.held_out import SECTORS, _beside, predicted
from labelers.ivus.smoothing import smooth_ring
from labelers.ivus.surfaces import along_pullback, closed_pair
from labelers.ivus.visibility import clear_of_ring


def jaccard(a, b, centre):
    theta = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    first, second = (_radii(points - centre, theta) ** 2 for points in (a, b))
    return float(np.minimum(first, second).sum() / np.maximum(first, second).sum())


def _radii(points, theta):
    turn = np.arctan2(points[:, 1], points[:, 0])
    order = np.argsort(turn)
    return np.interp(theta, turn[order], np.hypot(*points.T)[order], period=2 * np.pi)


def overlaps(made, borders):
    zero = np.zeros(2)
    lumen = [jaccard(a, b, zero) for a, b in zip(borders.lumen_mm, made.lumen_mm, strict=True)]
    eem = [jaccard(a, b, zero) for a, b in zip(borders.eem_mm, made.eem_mm, strict=True)]
    return np.mean(lumen), np.mean(eem)


@pytest.mark.parametrize(("name", "least"), [("clean20", 0.90), ("rough20", 0.86), ("rough40", 0.86)])
def test_borders_lie_on_the_truth(name, least, request):
    made = request.getfixturevalue(name)
    lumen, eem = overlaps(made, segment(made.pullback))
    assert min(lumen, eem) > least


def test_borders_are_nested_sections_with_confidence(rough20):
    borders = segment(rough20.pullback)
    assert len(borders.sections()) == len(rough20.pullback)
    assert borders.confidence.shape == (len(rough20.pullback),)
    assert ((borders.confidence >= 0) & (borders.confidence <= 1)).all()
    assert borders.lumen_seen.shape == borders.lumen_confidence.shape


@pytest.mark.parametrize("blur", [0.0, 1.0, 2.0])
@pytest.mark.parametrize(("side", "size"), [(80, 0.1), (128, 0.05)])
def test_noise_without_a_vessel_has_no_confidence(side, size, blur):
    rng = np.random.default_rng(17)
    echoes = ndimage.gaussian_filter(rng.normal(size=(2, 3, side, side)), (0, 0, blur, blur))
    confidence = segment(Pullback(np.log1p(np.hypot(*echoes)), size, 0.5)).confidence
    assert confidence.max() < 0.6
    assert confidence.mean() < 0.35


@pytest.mark.parametrize("name", ["clean20", "rough20", "rough40"])
def test_frames_of_a_vessel_are_beyond_noise(name, request):
    confidence = segment(request.getfixturevalue(name).pullback).confidence
    assert np.median(confidence) > 0.6


def test_where_a_guide_wire_hides_the_border_it_is_flagged_and_bridged(rough20):
    borders, stack = segment(rough20.pullback), polar_stack(rough20.pullback)
    assert stack.wire.any(axis=1).mean() > 0.5
    assert not borders.lumen_seen[stack.wire].any()
    radii = np.hypot(*(borders.lumen_mm[0] - borders.centre_mm).T)
    assert np.abs(np.diff(radii, append=radii[:1])).max() < 0.15


@pytest.mark.parametrize(("gain", "offset"), [(255.0, 0.0), (0.5, 0.1), (1000.0, -300.0)])
def test_the_scale_of_grey_levels_does_not_matter(clean20, gain, offset):
    frames = clean20.pullback.frames[:2]
    size = clean20.pullback.pixel_size_mm
    plain, scaled = (segment(Pullback(f, size, 0.5)) for f in (frames, frames * gain + offset))
    assert jaccard(plain.lumen_mm[0], scaled.lumen_mm[0], np.zeros(2)) > 0.98


def test_a_turned_recording_gives_turned_borders(clean20):
    frames = clean20.pullback.frames[:2]
    size = clean20.pullback.pixel_size_mm
    plain = segment(Pullback(frames, size, 0.5))
    turned = segment(Pullback(np.rot90(frames, axes=(1, 2)).copy(), size, 0.5))
    x, y = plain.eem_mm[1].T
    assert jaccard(np.column_stack([y, -x]), turned.eem_mm[1], np.zeros(2)) > 0.95


def test_the_catheter_is_found_where_the_frame_was_moved(rough20):
    moved = np.roll(rough20.pullback.frames, (6, -4), axis=(1, 2))
    column, row = find_centre(moved, rough20.pullback.pixel_size_mm)
    middle = (moved.shape[1] - 1) / 2
    assert np.hypot(column - middle + 4, row - middle - 6) * rough20.pullback.pixel_size_mm < 0.08


def test_one_frame_alone_has_borders(clean20):
    single = clean20.pullback.part(slice(0, 1))
    borders = segment(single)
    assert jaccard(borders.lumen_mm[0], clean20.lumen_mm[0], np.zeros(2)) > 0.85


@pytest.mark.parametrize("name", ["clean20", "rough20"])
@pytest.mark.parametrize("arm_px", [1, 2])
def test_a_mark_on_the_axis_is_no_echo(name, arm_px, request):
    made = request.getfixturevalue(name)
    frames = made.pullback.frames.copy()
    middle = frames.shape[1] // 2
    cross = slice(middle - arm_px, middle + arm_px + 1)
    frames[:, cross, middle] = frames[:, middle, cross] = frames.max()
    lumen, eem = overlaps(made, segment(replace(made.pullback, frames=frames)))
    assert min(lumen, eem) > 0.86


def test_a_lumen_is_unseen_where_ring_down_touches_it():
    seen = clear_of_ring(np.array([0.5, 0.8, 0.9, 1.0, 1.5]), 0.8)
    assert seen == pytest.approx([0, 0, 0.5, 1, 1])


def test_frames_speak_for_their_neighbours_and_never_for_themselves():
    contrasts = np.full((5, 2, SECTORS), np.nan)
    contrasts[2] = 0.4
    beside = _beside(contrasts, 0.5)
    assert np.isnan(beside[2]).all()
    assert beside[[1, 3]] == pytest.approx(0.4)


def test_neighbours_alone_show_no_border(monkeypatch):
    rng = np.random.default_rng(3)
    contrasts = rng.normal(0.4, 0.1, (7, 2, SECTORS))
    contrasts[3] = [[0.4, -0.4] * (SECTORS // 2)] * 2
    monkeypatch.setattr("labelers.ivus.held_out._contrasts", lambda *_: contrasts)
    shown = predicted(None, None, None, 0.5)
    assert shown[3] == pytest.approx(0)
    assert (shown[[0, 1, 2, 4, 5, 6]] == 1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3))
def test_the_pair_is_closed_moves_by_one_level_and_keeps_its_gap(seed, gap):
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(2, 24, 9))
    levels = closed_pair(inner, outer, np.full(24, gap), 0.1, 0.1)
    assert (levels[1] - levels[0] >= gap).all()
    assert np.abs(np.diff(levels, append=levels[:, :1], axis=1)).max() <= 1


def test_the_pair_is_the_cheapest_of_all_from_its_start():
    rng = np.random.default_rng(0)
    for _ in range(5):
        inner, outer = rng.normal(size=(2, 4, 3))
        levels = closed_pair(inner, outer, np.full(4, 1), 0.05, 0.05)
        start = levels[:, 0]
        best = min(_cost(inner, outer, path) for path in _paths(4, 3) if (path[0][0], path[1][0]) == tuple(start))
        assert _cost(inner, outer, levels) == pytest.approx(best)


def _paths(angles, k):
    states = [(i, j) for i in range(k) for j in range(k) if j - i >= 1]

    def grow(path):
        if len(path) == angles:
            if max(abs(path[-1][0] - path[0][0]), abs(path[-1][1] - path[0][1])) <= 1:
                yield np.array(path).T
            return
        for state in states:
            if max(abs(state[0] - path[-1][0]), abs(state[1] - path[-1][1])) <= 1:
                yield from grow([*path, state])

    for state in states:
        yield from grow([state])


def _cost(inner, outer, path):
    a = np.arange(inner.shape[0])
    moves = np.abs(np.diff(path, append=path[:, :1], axis=1)).sum()
    return inner[a, path[0]].sum() + outer[a, path[1]].sum() + 0.05 * moves


def test_a_frame_that_sees_nothing_follows_its_neighbours():
    cost = np.ones((3, 4, 10))
    cost[[0, 2], :, 6] = -1.0
    cost[1] = 0.0
    joined = along_pullback(cost, 0.2, 1.5, 0.8)
    assert (joined[1].argmin(axis=1) == 6).all()


def test_a_smooth_ring_bridges_what_is_not_seen():
    theta = np.linspace(0, 2 * np.pi, 192, endpoint=False)
    truth = 1.5 + 0.2 * np.cos(theta)
    seen = np.ones(192)
    seen[20:50] = 0.0
    wrong = np.where(seen > 0, truth, 5.0)
    assert np.abs(smooth_ring(wrong, seen, 1e-5) - truth).max() < 0.02
