import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.labeling.types import Label
from dataeff_al.learners.ensemble import EnsembleLearner, members_of, restore
from dataeff_al.learners.protocol import LearnerContext, TargetBatch
from dataeff_al.learners.tasks import FieldTask, masked_mean
from dataeff_al.samples.types import TargetSpec, TensorSpec
from dataeff_al.testing.learners import calibrated, check_learner
from dataeff_al.testing.views import built, learner_maker, toy_view

LEARNERS = [
    ("class", "small_cnn", {}),
    ("class", "mlp", {}),
    ("mask", "unet", {}),
    ("mask", "unet", {"channels": [8, 8], "coordinates": True}),
    ("volume", "unet", {"channels": [8, 16]}),
    ("volume", "unet", {"channels": [8, 16], "coordinates": True}),
    ("field", "unet", {"task": "regression"}),
    ("table", "mlp", {"depth": 1}),
]


@pytest.mark.parametrize(("toy", "name", "params"), LEARNERS)
def test_every_learner_keeps_its_contract(toy, name, params):
    view = toy_view(toy, name, **params)
    check_learner(view.new_learner, view)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 5, 9), (1, 16, 24, 24)])
def test_the_small_network_takes_any_size(shape):
    context = LearnerContext(TensorSpec(shape, "intensity"), TargetSpec("y", "values", (3,)))
    learner = built("learners", "small_cnn", context, width=4)
    assert learner.predict(torch.rand(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("grid", [(8, 8), (28, 28), (5, 9), (64, 64), (16, 24, 24), (1, 6, 7)])
def test_the_unet_takes_any_grid(grid):
    target = TargetSpec("stress", "field", (2, *grid), channels=("a", "b"), unit="kPa")
    learner = built("learners", "unet", LearnerContext(TensorSpec((3, *grid), "codes"), target), channels=[4, 6, 8, 8])
    assert learner.predict(torch.rand(2, 3, *grid)).shape == (2, 2, *grid)


def test_a_field_is_predicted_in_its_unit():
    view = toy_view("field", "unet")
    learner, x, targets = calibrated(view.new_learner, view, 0)
    valid = targets.y[targets.valid]
    expected = learner.module.task.mean.item(), learner.module.task.std.item()
    assert expected == pytest.approx((valid.mean().item(), valid.std(correction=0).item()), rel=1e-4)
    raw = learner.module.network(learner.module.scale(x))
    assert torch.allclose(learner.predict(x), raw * expected[1] + expected[0], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "target"),
    [
        ("unet", (1, 8, 8), TargetSpec("label", "class", (), ("a", "b"))),
        ("small_cnn", (1, 8, 8), TargetSpec("mask", "mask", (8, 8), ("a", "b"))),
        ("small_cnn", (5,), TargetSpec("label", "class", (), ("a", "b"))),
        ("unet", (1, 8, 8), TargetSpec("mask", "mask", (4, 4), ("a", "b"))),
        ("mlp", (5,), TargetSpec("label", "class", (), ("only",))),
    ],
)
def test_a_learner_that_does_not_fit_its_target_is_refused(name, shape, target):
    with pytest.raises(CapabilityError, match="must"):
        built("learners", name, LearnerContext(TensorSpec(shape, "intensity"), target))


def test_a_stated_task_that_contradicts_the_target_is_refused():
    context = LearnerContext(TensorSpec((5,), "values"), TargetSpec("y", "values", (2,)))
    with pytest.raises(CapabilityError, match="'regression', but got 'classification'"):
        built("learners", "mlp", context, task="classification")


@pytest.mark.parametrize("code", [-1, 2])
def test_class_codes_out_of_range_are_refused(code):
    learner = toy_view("class", "mlp").new_learner(0)
    with pytest.raises(DataError, match=r"\[0, 2\)"):
        learner.targets([Label({"label": np.int64(code)})])


def test_a_label_of_the_wrong_shape_is_refused():
    learner = toy_view("mask", "unet").new_learner(0)
    with pytest.raises(DataError, match="shape"):
        learner.targets([Label({"mask": np.zeros((3, 3), np.uint8)})])


def test_an_input_of_the_wrong_shape_is_refused():
    with pytest.raises(DataError, match="shape"):
        toy_view("class", "mlp").new_learner(0).predict(torch.zeros(2, 1, 4, 4))


def test_probabilities_serve_as_class_targets_too():
    view = toy_view("class", "mlp")
    learner, x, targets = calibrated(view.new_learner, view, 0)
    soft = TargetBatch(torch.nn.functional.one_hot(targets.y, 2).float())
    assert torch.allclose(learner.loss(x, soft), learner.loss(x, targets), atol=1e-6)


def test_an_ensemble_keeps_the_contract_of_asking_and_comes_back_from_its_state():
    view = toy_view("class", "mlp")
    members = [calibrated(view.new_learner, view, seed)[0] for seed in range(3)]
    ensemble = EnsembleLearner(members)
    _, x, targets = calibrated(view.new_learner, view, 0)
    mean = torch.stack([member.predict(x) for member in members]).mean(0)
    assert torch.equal(ensemble.predict(x), mean)
    back = restore(ensemble.state(), view.new_learner)
    assert len(members_of(back)) == 3
    assert torch.equal(back.predict(x), mean)
    assert torch.equal(back.loss(x, targets), ensemble.loss(x, targets))
    assert back.state() == ensemble.state()


def test_a_plain_state_is_restored_as_a_plain_learner():
    view = toy_view("class", "mlp")
    learner, x, _ = calibrated(view.new_learner, view, 0)
    back = restore(learner.state(), view.new_learner)
    assert members_of(back) == (back,)
    assert torch.equal(back.predict(x), learner.predict(x))


def test_a_maker_draws_the_same_weights_for_the_same_seed_whatever_was_drawn_before():
    pool = toy_view("class", "mlp").pool
    make = learner_maker("small_cnn", pool)
    first = make(5).state()
    torch.rand(11)
    assert make(5).state() == first


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31))
def test_entries_that_are_not_valid_never_change_a_masked_mean(n, size, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(n, 2, size, generator=generator)
    valid = torch.rand(n, 1, size, generator=generator) > 0.4
    spoilt = torch.where(valid, values, torch.full((), 1e6))
    assert torch.equal(masked_mean(spoilt, valid), masked_mean(torch.where(valid, values, torch.zeros(())), valid))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 1e3), st.floats(-1e3, 1e3), st.integers(0, 2**31))
def test_a_standardised_loss_does_not_depend_on_the_unit(factor, offset, seed):
    y = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    raw = torch.zeros(6, 1, 4, 4)
    losses = []
    for values in (y, factor * y + offset):
        task = FieldTask(TargetSpec("s", "field", (1, 4, 4)))
        task.calibrate(TargetBatch(values))
        losses.append(task.loss(raw, TargetBatch(values)))
    assert torch.allclose(losses[0], losses[1], rtol=1e-2, atol=1e-2)
