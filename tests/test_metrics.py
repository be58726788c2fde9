import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import CapabilityError, DataError, UnknownNameError
from dataeff_al.labeling.types import Label
from dataeff_al.metrics import METRICS, SAMPLE_ERROR, check_fits, evaluate, find, sample_errors, score
from dataeff_al.samples.types import TargetSpec

DIGIT = TargetSpec("label", "class", (), classes=("0", "1", "2"))
MASK = TargetSpec("mask", "mask", (2, 3), classes=("outside", "lumen", "wall"))
STRESS = TargetSpec("stress", "field", (1, 2, 2), unit="kPa")
VALUES = TargetSpec("y", "values", (2,))


def labels(name, arrays, valid=None):
    return [Label({name: np.asarray(array)}, None if valid is None else np.asarray(valid)) for array in arrays]


def one_hot(codes, k):
    return np.moveaxis(np.eye(k, dtype=np.float32)[np.asarray(codes)], -1, 1)


def test_accuracy_is_the_share_of_right_answers():
    prediction = np.array([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]], np.float32)
    found = evaluate(DIGIT, prediction, labels("label", [np.int64(1), np.int64(0), np.int64(2), np.int64(2)]))
    assert found == {"accuracy": 0.75}


def test_dice_and_sensitivity_pool_the_split_and_leave_absent_classes_out():
    truth = [[[1, 1, 0], [0, 0, 0]], [[1, 1, 0], [0, 0, 0]]]
    guess = [[[1, 0, 0], [0, 0, 0]], [[1, 1, 2], [0, 0, 0]]]
    found = evaluate(MASK, one_hot(guess, 3), labels("mask", np.array(truth, np.uint8)))
    assert found["dice/lumen"] == pytest.approx(2 * 3 / (3 + 4))
    assert found["sensitivity/lumen"] == pytest.approx(3 / 4)
    assert found["dice"] == found["dice/lumen"]
    assert "dice/wall" not in found
    assert "dice/outside" not in found


def test_dice_is_the_mean_over_foreground_classes():
    truth = np.array([[[1, 1, 2], [2, 0, 0]]], np.uint8)
    guess = np.array([[[1, 1, 2], [0, 0, 0]]], np.uint8)
    found = evaluate(MASK, one_hot(guess, 3), labels("mask", truth))
    assert found["dice"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["sensitivity"] == pytest.approx((1 + 1 / 2) / 2)


def test_a_truth_without_foreground_defines_no_dice():
    empty = labels("mask", np.zeros((2, 2, 3), np.uint8))
    prediction = one_hot(np.ones((2, 2, 3), int), 3)
    assert evaluate(MASK, prediction, empty) == {}
    with pytest.raises(DataError, match="must hold the class"):
        score("dice", MASK, prediction, empty)


def test_field_metrics_follow_their_definitions_over_valid_pixels():
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 20, size=(6, 1, 2, 2)).astype(np.float32)
    guess = truth + rng.normal(0, 5, size=truth.shape).astype(np.float32)
    truth[0, 0, 0, 0] = np.nan
    guess[0, 0, 0, 0] = np.nan
    known = np.isfinite(truth)
    error = (guess.astype(float) - truth)[known]
    found = evaluate(STRESS, guess, labels("stress", truth))
    assert found["nmse"] == pytest.approx(np.mean(error**2) / np.var(truth[known].astype(float)))
    assert found["rmse_kpa"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["p99_kpa"] == pytest.approx(np.percentile(np.abs(error), 99))


def test_pixels_that_the_label_calls_invalid_do_not_count():
    truth = np.array([[[[1.0, 2.0], [3.0, 99.0]]]])
    guess = np.array([[[[1.0, 2.0], [4.0, np.nan]]]])
    found = evaluate(STRESS, guess, labels("stress", truth, valid=[[True, True], [True, False]]))
    assert found["rmse_kpa"] == pytest.approx(math.sqrt(1 / 3))


def test_invalid_mask_pixels_do_not_count():
    truth = np.array([[[1, 2, 2], [0, 0, 0]]], np.uint8)
    guess = np.array([[[1, 1, 1], [0, 0, 0]]], np.uint8)
    valid = [[True, False, False], [True, True, True]]
    found = evaluate(MASK, one_hot(guess, 3), labels("mask", truth, valid))
    assert found == {"dice": 1, "dice/lumen": 1, "sensitivity": 1, "sensitivity/lumen": 1}


def test_a_constant_truth_defines_no_nmse_but_still_an_rmse():
    truth = np.full((3, 1, 2, 2), 0.1)
    found = evaluate(STRESS, truth + 1, labels("stress", truth))
    assert "nmse" not in found
    assert found["rmse_kpa"] == pytest.approx(1)
    with pytest.raises(DataError, match="must vary"):
        score("nmse", STRESS, truth, labels("stress", truth))


def test_nmse_of_values_centres_every_column_on_its_own_mean():
    truth = np.array([[0.0, 1000.0], [2.0, 1002.0]])
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert score("nmse", VALUES, mean, labels("y", truth)) == pytest.approx(1)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=4, max_size=12), st.floats(0.5, 100))
@settings(max_examples=40, deadline=None)
def test_nmse_does_not_depend_on_the_unit(numbers, factor):
    truth = np.array(numbers)[:, None]
    target = TargetSpec("y", "values", (1,))
    guess = truth * 0.9
    found, scaled = (evaluate(target, guess * f, labels("y", truth * f)) for f in (1, factor))
    assert all(math.isfinite(value) for value in found.values())
    assert found.keys() == scaled.keys()
    assert found.get("nmse", 0) == pytest.approx(scaled.get("nmse", 0))


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_metrics_do_not_depend_on_the_order_of_samples(order):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, size=(5, 2, 3)).astype(np.uint8)
    prediction = rng.random((5, 3, 2, 3))
    made = labels("mask", codes)
    found = evaluate(MASK, prediction[list(order)], [made[i] for i in order])
    assert found == evaluate(MASK, prediction, made)


def test_a_perfect_prediction_gets_the_best_figures():
    codes = np.array([[[0, 1, 2], [2, 1, 0]]], np.uint8)
    assert set(evaluate(MASK, one_hot(codes, 3), labels("mask", codes)).values()) == {1.0}
    truth = np.arange(8.0).reshape(2, 1, 2, 2)
    assert set(evaluate(STRESS, truth, labels("stress", truth)).values()) == {0.0}


@pytest.mark.parametrize(
    ("prediction", "label", "sentence"),
    [
        (np.zeros((1, 1, 2, 3)), np.zeros((1, 2, 2)), "predictions must have the shape"),
        (np.zeros((2, 1, 2, 2)), np.zeros((1, 2, 2)), "predictions must have the shape"),
        (np.zeros((1, 1, 2, 2)), np.zeros((2, 2)), "'stress' must have the shape"),
        (np.zeros((1, 1, 2, 2)), np.full((1, 2, 2), np.nan), "at least one label entry must be valid"),
        (np.full((1, 1, 2, 2), np.nan), np.zeros((1, 2, 2)), "predictions must be finite"),
        (np.zeros((1, 1, 2, 2)), np.full((1, 2, 2), np.inf), "must be finite"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(prediction, label, sentence):
    with pytest.raises(DataError, match=sentence):
        evaluate(STRESS, prediction, labels("stress", [label]))


def test_an_empty_split_a_missing_key_and_a_wrong_code_are_refused():
    with pytest.raises(DataError, match="at least one label"):
        evaluate(STRESS, np.zeros((0, 1, 2, 2)), [])
    with pytest.raises(DataError, match="must hold 'stress'"):
        evaluate(STRESS, np.zeros((1, 1, 2, 2)), labels("other", [np.zeros((1, 2, 2))]))
    with pytest.raises(DataError, match="codes must lie in 0 to 2"):
        evaluate(MASK, np.zeros((1, 3, 2, 3)), labels("mask", np.full((1, 2, 3), 7, np.uint8)))
    with pytest.raises(DataError, match="validity mask must fit"):
        evaluate(STRESS, np.zeros((1, 1, 2, 2)), labels("stress", [np.zeros((1, 2, 2))], valid=np.ones(2)))


def test_names_are_found_with_their_class_and_the_nearest_is_suggested():
    assert find("dice/lumen") is METRICS["dice"]
    assert check_fits("dice/lumen", MASK) is METRICS["dice"]
    with pytest.raises(UnknownNameError, match="Did you mean 'nmse'"):
        find("nsme")
    with pytest.raises(UnknownNameError, match="'dice/lumen'"):
        check_fits("dice/lumne", MASK)
    with pytest.raises(UnknownNameError):
        find("nmse/lumen")


def test_a_metric_of_another_kind_is_refused_with_those_that_fit():
    with pytest.raises(CapabilityError, match="must be one of nmse, rmse_kpa, p99_kpa, but got 'dice'"):
        check_fits("dice", STRESS)


def test_units_are_the_targets_where_the_metric_has_one():
    assert METRICS["rmse_kpa"].unit(STRESS) == "kPa"
    assert METRICS["nmse"].unit(STRESS) == ""


@pytest.mark.parametrize("target", [DIGIT, MASK, STRESS, VALUES])
def test_sample_errors_are_zero_exactly_for_perfect_samples(target):
    rng = np.random.default_rng(2)
    k = len(target.classes)
    if k:
        codes = rng.integers(1, k, size=(3, *target.shape))
        truth, prediction = codes.astype(np.int64), one_hot(codes, k)
        prediction[2] = one_hot((codes[2:] + 1) % k, k)[0]
    else:
        truth = rng.normal(size=(3, *target.shape))
        prediction = truth.copy()
        prediction[2] += 1
    errors = sample_errors(target, prediction, labels(target.name, truth))
    assert errors[0] == errors[1] == 0
    assert errors[2] > 0.5
    assert SAMPLE_ERROR[target.kind]


def test_a_sample_with_nothing_valid_has_no_error():
    truth = np.stack([np.zeros((1, 2, 2)), np.full((1, 2, 2), np.nan)])
    errors = sample_errors(STRESS, np.zeros((2, 1, 2, 2)), labels("stress", truth))
    assert errors[0] == 0
    assert math.isnan(errors[1])
