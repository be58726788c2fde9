from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from dataeff_al.report.cases import best_predictions
from dataeff_al.report.curves import by_name, labels_needed, learning_curves, mean_points, points
from dataeff_al.report.fields import worst_channel
from dataeff_al.report.latent import project
from dataeff_al.report.maps import latent_map
from dataeff_al.report.model import Case, Round, Target
from dataeff_al.report.pictures import depth_of
from dataeff_al.report.style import number, plain, styled
from dataeff_al.report.write import draw, write_report

KINDS = ["field", "mask_2d", "mask_3d", "class", "class_without_picture", "values"]


@pytest.fixture(autouse=True)
def _style():
    with styled():
        yield


def decoded(image: bytes, folder) -> Image.Image:
    path = folder / "x.png"
    path.write_bytes(image)
    return Image.open(path).convert("RGB")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 4])
def test_every_kind_of_target_is_drawn(kind, count, bare, cases, tmp_path):
    made = [cases[kind](i) for i in range(count)]
    picture = decoded(best_predictions(replace(bare, best=made)), tmp_path)
    assert len(picture.getcolors(1 << 24)) > 5


@pytest.mark.parametrize("kind", ["field", "mask_2d", "mask_3d", "class", "values"])
def test_a_case_without_its_sample_is_drawn_all_the_same(kind, bare, cases):
    assert best_predictions(replace(bare, best=[replace(cases[kind](1), image=None)]))


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_constant_and_unknown_fields_are_drawn(fill, bare, cases):
    case = cases["field"](1)
    flat = np.full_like(case.truth, fill)
    assert best_predictions(replace(bare, best=[replace(case, truth=flat, prediction=flat, error=0.0)]))


def test_a_volume_of_several_stress_channels_shows_a_slice_of_the_worst(bare):
    truth = np.full((2, 5, 8, 8), np.nan, np.float32)
    truth[:, 3:] = 1
    guess = truth.copy()
    guess[1] += 2
    case = Case("v", "field", truth, guess, 2.0, unit="kPa", channels=("a", "b"), image=np.zeros((1, 5, 8, 8)))
    assert depth_of(case) == 4
    assert worst_channel(case) == 1
    assert best_predictions(replace(bare, best=[case]))


def test_the_slice_shown_is_the_middle_of_the_truths_foreground(cases):
    case = cases["mask_3d"](0)
    truth = np.zeros_like(case.truth)
    truth[4:7] = 1
    assert depth_of(replace(case, truth=truth)) == 5
    assert depth_of(replace(case, truth=np.zeros_like(truth))) == 8
    assert depth_of(cases["mask_2d"](0)) is None


def test_better_predictions_are_another_picture(bare, cases):
    one, other = (best_predictions(replace(bare, best=[cases["field"](i)])) for i in (0, 5))
    assert one != other


@pytest.mark.parametrize("change", ["no_twins", "one_round", "nan", "no_labels_at_first", "hidden_reference"])
def test_learning_curves_survive_what_runs_bring(change, report, make_curve):
    one = make_curve("si", 0.6, rounds=1)
    broken = [Round(0, 0, {}, {"nmse": 0.9}), Round(1, 20, {}, {"nmse": float("nan")}), Round(2, 40, {}, {"nmse": 0.5})]
    reports = {
        "no_twins": replace(report, curves=report.curves[:1], savings=()),
        "one_round": replace(report, curves=[one]),
        "nan": replace(report, curves=[replace(one, rounds=broken[1:])]),
        "no_labels_at_first": replace(report, curves=[replace(one, rounds=broken)]),
        "hidden_reference": replace(report, reference={"nmse": float("nan")}, reference_labels=None),
    }
    assert learning_curves(reports[change])


def test_no_finite_metric_gives_no_picture(report, make_curve):
    rounds = [Round(0, 20, {}, {"nmse": float("nan")})]
    nothing = replace(report, curves=[replace(make_curve("si", 0.5), rounds=rounds)])
    assert "learning_curves" not in draw(nothing)


def test_points_skip_what_is_not_finite_and_stand_in_order(make_curve):
    rounds = [Round(1, 40, {}, {"m": 0.2}), Round(0, 20, {}, {"m": 0.4}), Round(2, 60, {}, {"m": float("inf")})]
    assert points(replace(make_curve("a", 1), rounds=rounds), "m") == [(20, 0.4), (40, 0.2)]


def test_repeats_are_averaged_where_all_of_them_have_labels(make_curve):
    one, two = make_curve("a", 1), make_curve("a", 1)
    one = replace(one, rounds=[Round(0, 20, {}, {"m": 1.0}), Round(1, 40, {}, {"m": 3.0})])
    two = replace(two, rounds=[Round(0, 20, {}, {"m": 2.0}), Round(1, 50, {}, {"m": 3.0})])
    assert mean_points([one, two], "m") == [(20, 1.5)]
    assert {name: len(group) for name, group in by_name([one, two]).items()} == {"a": 2}


def test_labels_needed_are_those_of_the_curve(report, make_curve):
    rounds = [Round(0, 10, {}, {"m": 1.0}), Round(1, 1000, {}, {"m": 0.0})]
    curve = replace(make_curve("a", 1), rounds=rounds)
    target = Target("m", 0.5, more_is_better=False)
    assert labels_needed(replace(report, target=target), [curve]) == 100
    assert labels_needed(replace(report, target=replace(target, value=-1.0)), [curve]) is None
    assert labels_needed(replace(report, target=replace(target, value=None)), [curve]) is None


def test_the_latent_map_is_drawn_without_labels_and_without_walks(bare):
    rng = np.random.default_rng(0)
    nothing = project(rng.normal(size=(50, 3)), np.zeros((0, 3)), [], [])
    assert latent_map(replace(bare, latent_map=nothing))
    still = project(rng.normal(size=(50, 3)), np.ones((1, 3)), [0], [True], [np.ones((4, 3)), np.ones((1, 3))])
    assert latent_map(replace(bare, latent_map=still))


def test_a_plane_is_shown_as_it_is():
    pool = np.random.default_rng(0).normal(size=(50, 2)) + 3.0
    found = project(pool, pool[:2], [0, 1], [False] * 2, [pool[2:5]], ["cat", "dog"])
    assert np.array_equal(found.pool, pool)
    assert np.array_equal(found.paths[0], pool[2:5])
    assert (found.axes, found.names) == (("first latent", "second latent"), ["cat", "dog"])


def test_short_names_of_classes_stand_in_their_places_and_long_ones_do_not(bare, monkeypatch):
    written = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda _, x, y, text, **__: written.append((x, y, text)))
    pool = np.random.default_rng(0).normal(size=(50, 2))
    for names in (["7", "1"], ["seven", "1"], []):
        assert latent_map(replace(bare, latent_map=project(pool, pool[:2], [0, 1], [False] * 2, (), names)))
    assert written == [(*pool[0], "7"), (*pool[1], "1")]


def test_the_projection_keeps_the_widest_directions_and_their_order():
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(400, 5)) * np.array([0.1, 5, 0.1, 2, 0.1])
    found = project(pool, pool[:3], [0, 0, 1], [False] * 3, [pool[:2]])
    assert abs(np.corrcoef(found.pool[:, 0], pool[:, 1])[0, 1]) > 0.999
    assert abs(np.corrcoef(found.pool[:, 1], pool[:, 3])[0, 1]) > 0.99
    assert np.allclose(found.labelled, found.pool[:3])
    assert np.allclose(found.paths[0], found.pool[:2])


@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (3, 2)])
def test_the_projection_of_few_samples_or_dimensions_has_two_axes(shape):
    found = project(np.arange(float(np.prod(shape))).reshape(shape), np.zeros((1, shape[1])), [0], [False])
    assert found.pool.shape == (shape[0], 2)
    assert np.isfinite(found.pool).all()


def test_drawing_leaves_no_trace_in_matplotlib(report, tmp_path):
    before = dict(mpl.rcParams)
    write_report(replace(report, best=(), worst=()), tmp_path)
    assert dict(mpl.rcParams) == before


def test_text_that_the_font_cannot_draw_becomes_plain():
    assert plain("a\n$b$ \u4e2d") == "a $b$ ?"
    assert plain("x" * 100, 10) == "x" * 9 + "…"


def test_numbers_have_three_digits():
    assert [number(value) for value in (0.0, 0.12345, 1234.5, 2e-7, float("nan"))] == [
        "0",
        "0.123",
        "1,234",
        "2.0e-07",
        "–",
    ]
