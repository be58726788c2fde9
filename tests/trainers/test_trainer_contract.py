from dataclasses import replace

import numpy as np
import pytest
import torch

from dataeff_al.errors import CapabilityError, DataeffError, TrainingError
from dataeff_al.learners.ensemble import members_of, restore
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.priors.spec import SymmetryParams
from dataeff_al.priors.symmetry import Symmetry
from dataeff_al.testing.trainers import check_trainer, labelled_loss
from dataeff_al.testing.views import built, labelled, toy_view
from dataeff_al.trainers.augment import shift
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.trainers.standard import sample_losses, training_set

PAIRS = [
    ("class", "small_cnn"),
    ("class", "mlp"),
    ("mask", "unet"),
    ("volume", "unet"),
    ("field", "unet"),
    ("table", "mlp"),
]


def standard(**params):
    return built("trainers", "standard", TrainerContext(), **{"steps": 40, "batch_size": 8, **params})


@pytest.mark.parametrize(("toy", "learner"), PAIRS)
def test_the_trainer_keeps_its_contract_on_every_kind_of_target(toy, learner):
    check_trainer(standard, toy_view(toy, learner))


@pytest.mark.parametrize(
    "params",
    [
        {"warm_start": True},
        {"reweight": "error"},
        {"ensemble": "rounds", "ensemble_size": 2},
        {"ensemble": "members", "ensemble_size": 2},
        {"augment": "shift"},
        {"augment": "distort"},
        {"augment": "photograph"},
        {"precision": "float32"},
        {"precision": "bfloat16"},
    ],
)
def test_the_trainer_keeps_its_contract_with_every_option(params):
    check_trainer(lambda: standard(**params), toy_view("class", "small_cnn"))


def test_a_learnable_toy_is_learnt_beyond_its_training_set():
    view = toy_view("class", "small_cnn")
    learner = standard().fit(view, None, 0).learner
    x = view.codec.soften([entry.sample for entry in view.validation])
    truth = [int(entry.label.target["label"]) for entry in view.validation]
    assert learner.predict(x).argmax(1).tolist() == truth


def test_a_warm_start_begins_where_the_previous_fit_ended():
    view = toy_view("field", "unet")
    first = standard(steps=60).fit(view, None, 0).learner
    warm = standard(steps=2, warm_start=True, learning_rate=1e-5).fit(view, first, 1).learner
    cold = standard(steps=2, learning_rate=1e-5).fit(view, first, 1).learner
    assert labelled_loss(warm, view) == pytest.approx(labelled_loss(first, view), rel=0.2)
    assert labelled_loss(cold, view) > 2 * labelled_loss(first, view)


def test_a_warm_start_keeps_the_scales_of_the_first_fit():
    view = toy_view("field", "unet")
    first = standard(steps=5).fit(replace(view, labelled=view.labelled[:4]), None, 0).learner
    second = standard(steps=5, warm_start=True).fit(view, first, 1).learner
    assert torch.equal(second.module.task.mean, first.module.task.mean)


def test_weights_follow_the_previous_models_error():
    view = toy_view("table", "mlp")
    trainer = standard(reweight="error")
    previous = standard(steps=3).fit(view, None, 0).learner
    data = training_set(view, previous)
    weight = trainer._weighted(data, previous).targets.weight
    losses = sample_losses(previous, data)
    assert weight.mean().item() == pytest.approx(1.0, rel=1e-5)
    order = losses.argsort()
    assert bool((weight[order].diff() >= -1e-6).all())
    assert trainer._weighted(data, None).targets.weight is None


def test_an_ensemble_holds_the_newest_rounds_and_comes_back_from_its_state():
    view, learner = toy_view("class", "mlp"), None
    trainer = standard(ensemble="rounds", ensemble_size=3, steps=5)
    singles = []
    for seed in range(5):
        learner = trainer.fit(view, learner, seed).learner
        singles.append(members_of(learner)[-1].state())
    assert [member.state() for member in members_of(learner)] == singles[-3:]
    assert restore(learner.state(), view.new_learner).state() == learner.state()


def test_one_class_alone_trains_and_is_noted():
    view = toy_view("class", "mlp")
    left = [entry for entry in view.labelled if int(entry.label.target["label"]) == 0]
    report = standard().fit(replace(view, labelled=left), None, 0)
    assert "left" in report.notes["one_class_only"]


def test_labels_without_a_valid_entry_are_noted():
    from dataeff_al.testing.views import with_invalid_labels

    report = standard(steps=2).fit(with_invalid_labels(toy_view("field", "unet"), 3), None, 0)
    assert report.notes["without_valid_label"] == "3"


def test_a_loss_that_is_not_finite_is_a_training_error():
    view = toy_view("table", "mlp")
    huge = replace(view.labelled[0].sample, fields={"x": np.full(5, 1e37, np.float32)})
    with pytest.raises(TrainingError, match="loss must stay finite"):
        standard().fit(replace(view, labelled=[replace(view.labelled[0], sample=huge), *view.labelled[1:]]), None, 0)


def test_an_input_that_is_not_finite_is_refused_by_name():
    view = toy_view("class", "mlp")
    entry = view.labelled[1]
    spoilt = replace(entry.sample, fields={"x": np.full_like(entry.sample.fields["x"], np.nan)})
    with pytest.raises(DataeffError, match=str(entry.sample.id)):
        standard().fit(replace(view, labelled=[view.labelled[0], replace(entry, sample=spoilt)]), None, 0)


def test_one_label_is_enough_to_fit():
    view = toy_view("class", "small_cnn")
    report = standard(steps=3).fit(replace(view, labelled=labelled(view.pool, view.pool.ids()[:1])), None, 0)
    assert np.isfinite(report.loss)


def test_shifting_is_refused_where_it_would_move_the_answer():
    with pytest.raises(CapabilityError, match="shift"):
        standard(augment="shift").fit(toy_view("mask", "unet"), None, 0)


def test_shifting_moves_whole_images_by_at_most_two_pixels():
    x = torch.zeros(50, 1, 32, 32)
    x[:, :, 16, 16] = 1.0
    moved = shift(x, torch.Generator().manual_seed(0))
    places = moved.flatten(1).argmax(1)
    assert bool((moved.flatten(1).sum(1) == 1.0).all())
    assert (places // 32 - 16).abs().max() <= 2
    assert (places % 32 - 16).abs().max() <= 2
    assert len(places.unique()) > 5


def test_every_pass_shows_every_row_once_and_every_batch_is_full():
    found = list(batches(5, 4, 10, seed=3))
    assert [len(batch) for batch in found] == [4] * 10
    flat = torch.cat(found)
    assert all(sorted(flat[start : start + 5].tolist()) == list(range(5)) for start in range(0, 40, 5))


def test_the_learning_rate_rises_once_to_its_peak_and_falls_to_almost_nothing():
    rates = [one_cycle(step, 100) for step in range(100)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.01


def test_float32_arithmetic_stays_float32():
    with arithmetic("float32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with arithmetic("bfloat16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_stated_symmetries_are_learnt():
    view = toy_view("mask", "unet")
    stated = replace(view, priors=(Symmetry(SymmetryParams(group="mirror")),))
    x = view.codec.soften(view.pool.read(view.unlabelled))

    def asymmetry(each):
        learner = built("trainers", "standard", TrainerContext(), steps=60, batch_size=8).fit(each, None, 3).learner
        return float((learner.predict(x) - learner.predict(x.flip(-1)).flip(-1)).square().mean())

    assert asymmetry(stated) < asymmetry(view)
