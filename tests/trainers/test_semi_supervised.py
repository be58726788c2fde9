from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load

from dataeff_al.errors import CapabilityError
from dataeff_al.latent_graph import graph_of
from dataeff_al.learners.starting import start_from
from dataeff_al.testing.trainers import check_trainer
from dataeff_al.testing.views import built, labelled, toy_view, with_generator
from dataeff_al.trainers.averaging import Average
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.trainers.semi_supervised import Shares
from dataeff_al.trainers.spec import SemiSupervisedParams
from dataeff_al.trainers.spreading import certainty, foreseen, spread_labels

NET = {"width": 8, "hidden": 16}
QUICK = {"steps": 40, "consistency_steps": 30, "batch_size": 8, "neighbours": 4}


def policy(**params):
    return built("trainers", "semi_supervised", TrainerContext(), **QUICK | params)


def class_view(**changes):
    view = toy_view("class", "small_cnn", **NET)
    return replace(with_generator(view, "pca", latent_dim=4), **changes)


@pytest.fixture(scope="module")
def view():
    return class_view()


@pytest.mark.parametrize("changes", [{}, {"consistency_steps": 0}, {"warm_start": True, "blend": 0.0}])
def test_the_policy_keeps_the_contract(view, changes):
    check_trainer(lambda: policy(**changes), view)


def test_a_learner_starts_from_the_encoder_that_shares_its_trunk():
    view = with_generator(toy_view("class", "small_cnn", **NET), "contrastive", **NET, steps=20, batch_size=16)
    learner = view.new_learner(1)
    taken = start_from(learner, view.generator.state())
    given, own = load(view.generator.state()), learner.module.state_dict()
    assert {name.split(".")[0] for name in taken} == {"scale", "network"}
    assert any(name.startswith("network.trunk") for name in taken)
    assert any(name.startswith("network.neck") for name in taken)
    assert not any(name.startswith("network.head") for name in taken)
    assert all(torch.equal(given[name], own[name]) for name in taken)


def test_a_learner_of_another_form_stays_as_it_is(view):
    learner = view.new_learner(1)
    before = learner.state()
    assert start_from(learner, view.generator.state()) == []
    assert start_from(learner, b"nothing") == []
    assert learner.state() == before


def two_moons(n=200):
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, n)
    upper = np.arange(n) % 2 == 0
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.4 - np.sin(angle))
    # Lifted onto a cone, so that directions differ as places do.
    return np.stack([x, y, np.full(n, 2.0)], 1) + rng.normal(0, 0.03, (n, 3)), upper


def test_labels_follow_the_shape_of_the_pool():
    z, upper = two_moons()
    seeds = np.zeros((len(z), 2))
    seeds[np.flatnonzero(upper)[0], 0] = 1
    seeds[np.flatnonzero(~upper)[0], 1] = 1
    p = graph_of(z, 8, 3.0).propagate(seeds, 0.99)
    assert p.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert ((p[:, 0] > 0.5) == upper).mean() > 0.95


def known(upper, rows):
    seeds = np.zeros((len(upper), 2), np.float32)
    seeds[rows, np.where(upper[rows], 0, 1)] = 1
    return seeds


def test_labels_that_follow_the_shape_foretell_each_other():
    z, upper = two_moons()
    rows = np.random.default_rng(1).choice(len(z), 40, replace=False)
    assert foreseen(graph_of(z, 8, 3.0), known(upper, rows), 0.99) > 0.9


def test_labels_that_have_nothing_to_do_with_the_shape_foretell_nothing():
    z, _ = two_moons()
    chance = np.random.default_rng(2).random(len(z)) < 0.5
    assert abs(foreseen(graph_of(z, 8, 3.0), known(chance, np.arange(120)), 0.99)) < 0.4


def test_a_label_for_each_class_says_nothing_of_what_labels_foretell():
    z, upper = two_moons()
    rows = [np.flatnonzero(upper)[0], np.flatnonzero(~upper)[0]]
    assert foreseen(graph_of(z, 8, 3.0), known(upper, rows), 0.99) is None


def test_spread_labels_that_cannot_be_relied_on_are_taken_less(view):
    flipped = tuple(
        replace(entry, label=replace(entry.label, target={"label": np.array(number // 2 % 2)}))
        for number, entry in enumerate(view.labelled)
    )
    trusting, wary = SemiSupervisedParams(neighbours=4, trust=0.0), SemiSupervisedParams(neighbours=4, trust=1.0)
    assert spread_labels(replace(view, labelled=flipped), None, trusting).reliable == 1.0
    spread = spread_labels(replace(view, labelled=flipped), None, wary)
    assert spread.reliable < 0.6
    assert "labels_foretell_labels" in spread.notes
    fitted = policy(trust=1.0).fit(replace(view, labelled=flipped), None, 3)
    assert fitted.notes["labels_foretell_labels"] == spread.notes["labels_foretell_labels"]


def test_propagation_solves_its_equation():
    z, _ = two_moons(60)
    seeds = np.zeros((60, 2))
    seeds[0, 0] = seeds[1, 1] = seeds[3, 1] = 1
    graph = graph_of(z, 5, 3.0)
    exact = np.linalg.solve(np.eye(60) - 0.9 * graph.walk.toarray(), seeds / seeds.sum(0))
    assert graph.propagate(seeds, 0.9) == pytest.approx(exact / exact.sum(1, keepdims=True), abs=1e-3)


def test_every_class_has_the_same_say_however_many_labels_it_has():
    z, upper = two_moons()
    seeds = np.zeros((len(z), 2))
    seeds[np.flatnonzero(upper)[:40], 0] = 1
    seeds[np.flatnonzero(~upper)[0], 1] = 1
    p = graph_of(z, 8, 3.0).propagate(seeds, 0.99)
    assert ((p[:, 0] > 0.5) == upper).mean() > 0.9


def test_what_no_label_reaches_is_even():
    z = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.01, 1.0]])
    p = graph_of(z, 1, 3.0).propagate(np.array([[1.0, 0], [0, 0], [0, 0], [0, 0]]), 0.9)
    assert p[1] == pytest.approx([1, 0], abs=1e-4)
    assert p[2:] == pytest.approx(0.5)
    assert certainty(p)[2:] == pytest.approx(0.0, abs=1e-6)
    assert certainty(p)[:2] == pytest.approx(1.0, abs=1e-3)


def test_known_samples_keep_their_labels(view):
    spread = spread_labels(view, None, SemiSupervisedParams(neighbours=4))
    row = {sample_id: place for place, sample_id in enumerate(spread.ids)}
    for entry in view.labelled:
        code = int(entry.label.target["label"])
        assert spread.p[row[entry.sample.id], code] == 1.0
        assert spread.sure[row[entry.sample.id]] == pytest.approx(1.0)


def test_a_previous_model_is_not_blended_in_when_it_could_not_know_a_class(view):
    codes = {sample_id: int(answer["label"]) for sample_id, answer in _answers(view)}
    first = [sample_id for sample_id, code in codes.items() if code == 0][:4]
    second = [sample_id for sample_id, code in codes.items() if code != 0][:4]
    old, new = labelled(view.pool, first, 0), labelled(view.pool, second, 1)
    previous = policy(consistency_steps=0).fit(replace(view, labelled=old), None, 0).learner
    both = replace(view, labelled=[*old, *new])
    params = SemiSupervisedParams(neighbours=4)
    alone, beside = spread_labels(both, None, params), spread_labels(both, previous, params)
    assert np.array_equal(alone.p, beside.p)
    assert beside.notes["new_classes"]
    known = replace(view, labelled=[*labelled(view.pool, [*first, *second], 0), *labelled(view.pool, first[:1], 1)])
    assert not np.array_equal(spread_labels(known, None, params).p, spread_labels(known, previous, params).p)


def _answers(view):
    ids = list(view.pool.ids())
    return zip(ids, view.pool.answers(ids), strict=True)


def test_a_class_without_label_is_named(view):
    codes = dict(_answers(view))
    only = [sample_id for sample_id, answer in codes.items() if int(answer["label"]) == 0][:5]
    report = policy(consistency_steps=0).fit(replace(view, labelled=labelled(view.pool, only)), None, 0)
    assert report.notes["classes_without_label"]


def test_answers_are_brought_to_the_wanted_shares_as_far_as_is_stated():
    wanted, answers = torch.tensor([0.5, 0.5]), torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    assert torch.equal(Shares(wanted, 0.0).aligned(answers), answers)
    full, half = Shares(wanted, 1.0), Shares(wanted, 0.5)
    for _ in range(600):
        brought, partly = full.aligned(answers), half.aligned(answers)
    assert brought.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert brought.mean(0) == pytest.approx(0.5, abs=0.03)
    assert 0.5 + 0.03 < float(partly[:, 0].mean()) < 0.85 - 0.03


def test_the_average_follows_the_student(view):
    student = view.new_learner(1)
    average = Average(student, view.new_learner, 0.9)
    with torch.no_grad():
        for value in student.module.parameters():
            value.add_(1.0)
    before = _distance(average.learner, student)
    for _ in range(50):
        average.step()
    assert _distance(average.learner, student) < 0.05 * before


def _distance(one, other):
    pairs = zip(one.module.parameters(), other.module.parameters(), strict=True)
    return sum(float((a - b).detach().abs().sum()) for a, b in pairs)


@pytest.mark.parametrize(
    ("toy", "learner", "rule"), [("mask", "unet", "target of class"), ("table", "mlp", "must have images")]
)
def test_what_cannot_be_learnt_this_way_is_refused(toy, learner, rule):
    with pytest.raises(CapabilityError, match=rule):
        policy().fit(with_generator(toy_view(toy, learner), "pca", latent_dim=3), None, 0)


def test_no_latents_is_a_clear_error(view):
    with pytest.raises(CapabilityError, match="must have latents of the pool"):
        policy().fit(replace(view, latents=None), None, 0)


@pytest.mark.parametrize("knew", [True, False])
def test_a_warm_start_is_from_a_model_that_knew_every_class(view, knew):
    entries = [replace(entry, round=0) for entry in view.labelled]
    one = int(entries[0].label.target["label"])
    old = [entry for entry in entries if knew or int(entry.label.target["label"]) == one]
    new = [replace(entry, round=1) for entry in entries if entry not in old] or [replace(entries[0], round=1)]
    still = {"warm_start": True, "blend": 0.0, "steps": 1, "consistency_steps": 0, "learning_rate": 1e-9}
    previous = policy(consistency_steps=0).fit(replace(view, labelled=old), None, 0).learner
    fitted = policy(**still).fit(replace(view, labelled=old + new), previous, 1).learner
    before, after = previous.module.state_dict(), fitted.module.state_dict()
    weights = [name for name in before if name.endswith("trunk.0.weight")]
    assert weights
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in weights) == knew
