import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from dataeff_al.efficiency import (
    LearningCurve,
    area,
    areas,
    fitted,
    in_two_digits,
    isotonic,
    labels_to_target,
    predicted_gain,
    saving,
)

values = st.floats(-100, 100, allow_nan=False)


@st.composite
def curves(draw, low=2, high=8):
    n = draw(st.integers(low, high))
    labels = draw(st.lists(st.integers(1, 5000), min_size=n, max_size=n, unique=True))
    return LearningCurve(labels, draw(st.lists(values, min_size=n, max_size=n)))


def power_law(rate, seed=0, noise=0.0, rounds=8):
    rng = np.random.default_rng(seed)
    labels = [20 * (i + 1) for i in range(rounds)]
    return LearningCurve(labels, [(n / 20) ** -rate * math.exp(noise * rng.normal()) for n in labels])


@given(curves(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_isotonic_fit_is_scikit_learns(curve, more):
    labels, ours = fitted(curve, more_is_better=more)
    order = np.argsort(curve.labels)
    theirs = IsotonicRegression(increasing=more).fit_transform(labels, np.asarray(curve.values)[order])
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_the_isotonic_fit_weighs_repeats():
    assert isotonic([3.0, 0.0], [1.0, 2.0], more_is_better=True).tolist() == [1.0, 1.0]
    _, merged = fitted(LearningCurve([10, 10, 20], [1.0, 3.0, 5.0]), more_is_better=True)
    assert merged.tolist() == [2.0, 5.0]


def test_labels_to_target_interpolates_in_log_labels():
    curve = LearningCurve([10, 1000], [1.0, 0.0])
    assert labels_to_target(curve, 0.5, more_is_better=False) == pytest.approx(100)
    assert labels_to_target(curve, 0.0, more_is_better=False) == 1000
    assert labels_to_target(curve, 1.0, more_is_better=False) == 10
    assert labels_to_target(curve, 2.0, more_is_better=False) == 10
    assert labels_to_target(curve, -0.1, more_is_better=False) is None


def test_one_lucky_round_does_not_count_as_reached():
    lucky = LearningCurve([10, 20, 40, 80], [0.5, 0.9, 0.5, 0.6])
    assert labels_to_target(lucky, 0.85, more_is_better=True) is None


@given(curves(), values, st.floats(0, 50), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_harder_target_never_needs_fewer_labels(curve, target, step, more):
    easy = labels_to_target(curve, target, more_is_better=more)
    hard = labels_to_target(curve, target + (step if more else -step), more_is_better=more)
    assert hard is None or (easy is not None and easy <= hard)


@given(curves(), values, st.floats(0.1, 50))
@settings(max_examples=100, deadline=None)
def test_labels_to_target_scales_with_the_labels(curve, target, factor):
    scaled = LearningCurve([each * factor for each in curve.labels], curve.values)
    needed = labels_to_target(curve, target, more_is_better=True)
    found = labels_to_target(scaled, target, more_is_better=True)
    assert (needed is None) == (found is None)
    assert needed is None or found == pytest.approx(needed * factor)
    assert area(scaled) == pytest.approx(area(curve), abs=1e-9)


@given(curves(), values, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_points_does_not_matter(curve, target, random):
    points = list(zip(curve.labels, curve.values, strict=True))
    random.shuffle(points)
    shuffled = LearningCurve(*map(list, zip(*points, strict=True)))
    needed = labels_to_target(curve, target, more_is_better=False)
    assert labels_to_target(shuffled, target, more_is_better=False) == needed
    assert area(shuffled) == area(curve)


@given(st.lists(curves(), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_identical_curves_save_nothing(same):
    found = saving("si", same, "random", same, None, more_is_better=True)
    assert found.factor == 1
    assert found.ci in (None, (1.0, 1.0))
    assert found.verdict.startswith("not better than random")


def five(rate, noise=0.02, first=0):
    return [power_law(rate, seed, noise) for seed in range(first, first + 5)]


def test_a_real_saving_has_an_interval_above_one():
    found = saving("si", five(0.9), "random", five(0.6, first=10), 0.4, more_is_better=False)
    assert found.ci[0] < found.factor < found.ci[1]
    assert found.ci[0] > 1
    assert found.verdict.startswith(f"x{found.factor:.2g} fewer labels than random (95 % interval ")
    assert found.verdict.endswith("5 seeds)")
    assert found.reason == ""


def test_swapping_method_and_reference_inverts_the_factor_and_its_interval():
    one, two = five(0.9), five(0.6, first=10)
    found = saving("a", one, "b", two, 0.4, more_is_better=False)
    swapped = saving("b", two, "a", one, 0.4, more_is_better=False)
    assert swapped.factor == pytest.approx(1 / found.factor)
    assert swapped.ci[0] < 1 / found.factor < swapped.ci[1]
    assert swapped.verdict.startswith("not better than a: x")
    assert "more labels" in swapped.verdict


def test_an_interval_that_holds_one_is_not_better():
    one, two = five(0.7, noise=0.2), five(0.7, noise=0.2, first=10)
    found = saving("si", one, "random", two, 0.4, more_is_better=False)
    assert found.ci[0] < 1 < found.ci[1]
    assert found.verdict.startswith("not better than random: x")


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_seeds_does_not_matter(order):
    one, two = five(0.9), five(0.6, first=10)
    found = saving("si", [one[i] for i in order], "random", [two[i] for i in order], 0.4, more_is_better=False)
    assert found == saving("si", one, "random", two, 0.4, more_is_better=False)


def test_too_few_seeds_get_no_interval_and_the_reason():
    found = saving("si", five(0.9)[:4], "random", five(0.6)[:4], 0.4, more_is_better=False)
    assert found.ci is None
    assert found.factor > 1
    assert found.reason == "an interval needs at least 5 paired seeds, and this is from 4 seeds"
    assert found.verdict.endswith("(4 seeds, no interval)")


def test_a_reference_that_never_arrives_gives_a_lower_bound():
    found = saving("si", [power_law(0.9)], "random", [power_law(0.3)], 0.4, more_is_better=False)
    assert found.factor is None
    assert found.at_least == pytest.approx(160 / labels_to_target(power_law(0.9), 0.4, more_is_better=False))
    assert found.verdict.startswith("not reached by random: at least x")


def test_a_method_that_never_arrives_is_not_better():
    found = saving("si", [power_law(0.3)], "random", [power_law(0.9)], 0.4, more_is_better=False)
    assert found.factor is None
    assert found.at_most < 1
    assert found.verdict == "not reached by si: not better than random (1 seed)"


def test_nobody_arriving_says_nothing():
    found = saving("si", [power_law(0.1)], "random", [power_law(0.1)], 0.01, more_is_better=False)
    assert found.factor is found.at_least is found.at_most is found.ci is None
    assert "nothing can be said" in found.verdict


def test_open_ends_on_both_sides_bound_nothing():
    one, two = [power_law(0.9), power_law(0.3)], [power_law(0.3), power_law(0.9)]
    found = saving("si", one, "random", two, 0.4, more_is_better=False)
    assert found.factor is found.at_least is found.at_most is None
    assert "nothing can be said" in found.verdict


def test_no_seeds_at_all_is_said_in_words():
    found = saving("si", [], "random", [], 0.3, more_is_better=False)
    assert found.factor is None
    assert found.seeds == 0
    assert "0 seeds" in found.verdict


def test_without_a_target_the_references_end_is_the_target():
    found = saving("si", [power_law(0.9)], "random", [power_law(0.6)], None, more_is_better=False)
    assert found.factor == pytest.approx(160 / (20 * 8 ** (0.6 / 0.9)), rel=0.02)


def test_area_is_the_mean_metric_over_log_labels():
    assert area(LearningCurve([10, 100, 1000], [0.0, 1.0, 0.0])) == pytest.approx(0.5)
    assert area(LearningCurve([10], [0.25])) == 0.25


@pytest.mark.parametrize(
    ("labels", "found"), [([], []), ([1, 2], [1.0]), ([0, 2], [1.0, 2.0]), ([1, 2], [1.0, math.nan])]
)
def test_a_curve_that_is_none_is_refused(labels, found):
    with pytest.raises(ValueError, match="a learning curve must"):
        LearningCurve(labels, found)


def test_curves_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match="must pair up by seed"):
        saving("si", five(0.5), "random", five(0.5)[:2], 0.4, more_is_better=False)


def test_a_curve_that_is_straight_in_log_labels_is_carried_on_exactly():
    points = [(n, 0.3 + 0.1 * math.log(n)) for n in (10, 20, 30, 40)]
    assert predicted_gain(points, 80, more_is_better=True) == pytest.approx(0.1 * math.log(2))
    falling = [(n, -value) for n, value in points]
    assert predicted_gain(falling, 80, more_is_better=False) == pytest.approx(0.1 * math.log(2))


@pytest.mark.parametrize("points", [[], [(10, 0.5)], [(10, 0.5), (20, 0.6)], [(10, 0.5), (10, 0.6), (20, 0.7)]])
def test_too_few_points_predict_nothing(points):
    assert predicted_gain(points, 40, more_is_better=True) is None


def test_a_curve_that_gets_worse_predicts_no_gain():
    assert predicted_gain([(10, 0.7), (20, 0.6), (30, 0.5)], 40, more_is_better=True) == 0.0


def test_areas_are_compared_over_the_labels_that_both_curves_cover():
    line = LearningCurve([10, 1000], [0.0, 1.0])
    part = LearningCurve([100, 10_000], [0.5, 0.5])
    assert areas(line, part) == pytest.approx((0.75, 0.5))
    assert areas(line, LearningCurve([2000], [0.5])) is None
    assert areas(line, LearningCurve([100], [0.7])) == pytest.approx((0.5, 0.7))


def test_a_saving_tells_the_mean_areas_of_its_seeds():
    ours = [LearningCurve([10, 100], [0.6, 0.8]), LearningCurve([10, 100], [0.7, 0.9])]
    theirs = [LearningCurve([10, 100], [0.5, 0.7])] * 2
    assert saving("a", ours, "b", theirs, 0.7, more_is_better=True).areas == pytest.approx((0.75, 0.6))


@pytest.mark.parametrize(
    ("value", "shown"), [(9.34, "9.3"), (110.2, "110"), (97.2, "97"), (1.0, "1"), (0.0123, "0.012")]
)
def test_a_factor_is_written_out_in_two_digits(value, shown):
    assert in_two_digits(value) == shown
