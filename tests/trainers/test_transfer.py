from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dataeff_al.digests import digest_bytes
from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.metrics import evaluate
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample
from dataeff_al.testing.trainers import check_trainer
from dataeff_al.testing.views import built, labelled, learner_maker, toy_view
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.trainers.transfer_answers import corrected
from dataeff_al.view import View

POLICIES = ["monet", "scratch", "finetune", "pseudo", "frozen_random", "frozen_pretrained"]


def transfer(**params):
    return built(
        "trainers", "transfer", TrainerContext(), **{"steps": 6, "partial_steps": 4, "batch_size": 4, **params}
    )


def heads_view(priors=True, labels=1, learner="segmenter", **pool):
    made = built("pools", "heads", PoolContext(Path(), None, 0), **{"cases": 6, "plane": "coronal", **pool})
    stated = (built("priors", "atlas", None, cells=16),) if priors else ()
    network = {"channels": [8, 12], "dims": 2, "context": 1} if learner == "segmenter" else {}
    ids = list(made.ids())
    return View(
        pool=made,
        codec=made.codec(),
        target=made.target,
        generator=None,
        latents=None,
        learner=None,
        new_learner=learner_maker(learner, made, priors=stated, **network),
        priors=stated,
        labelled=labelled(made, ids[:labels]),
        validation=labelled(made, ids[-2:]),
        unlabelled=ids[labels:-2],
        pending=[],
        round=0,
    )


def dice(learner, view, of="dice"):
    x = view.codec.soften([entry.sample for entry in view.validation])
    return evaluate(view.target, learner.predict(x).numpy(), [entry.label for entry in view.validation])[of]


def test_without_partial_annotations_the_policy_keeps_the_contract_of_a_trainer():
    view = toy_view("mask", "segmenter", channels=[6, 10])
    check_trainer(lambda: transfer(policy="scratch", steps=60, batch_size=8, augment=False), view)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_gives_the_same_model_again_and_counts_its_steps(policy):
    view = heads_view()
    one, other = (transfer(policy=policy).fit(view, None, 3) for _ in range(2))
    assert digest_bytes(one.learner.state()) == digest_bytes(other.learner.state())
    assert one.loss == other.loss
    partial = 0 if policy in ("scratch", "frozen_random") else 4
    assert one.steps == partial + 6 * (2 if policy == "pseudo" else 1)
    assert ("stage_one" in one.notes) == bool(partial)
    assert ("pseudo_labelled" in one.notes) == (policy == "pseudo")
    assert not one.learner.module.training


def test_self_training_takes_the_steps_of_monet_and_those_of_pseudo():
    view = heads_view()
    found = transfer(self_training=True).fit(view, None, 3)
    assert found.steps == 4 + 2 * 6
    assert found.notes["pseudo_labelled"] == str(len(view.unlabelled))
    assert digest_bytes(found.learner.state()) != digest_bytes(transfer().fit(view, None, 3).learner.state())
    everything = replace(view, unlabelled=[])
    assert "pseudo_labelled" not in transfer(self_training=True).fit(everything, None, 3).notes


def test_self_training_is_refused_beside_a_control():
    with pytest.raises(ValidationError, match="self_training must be false unless policy is monet, but got 'pseudo'"):
        transfer(policy="pseudo", self_training=True)


def test_a_frozen_encoder_stays_as_it_was_drawn():
    view = heads_view()
    learner = transfer(policy="frozen_random").fit(view, None, 3).learner
    trained = transfer(policy="scratch").fit(view, None, 3).learner
    longer = transfer(policy="frozen_random", steps=12).fit(view, None, 3).learner
    weights = [torch.cat([p.flatten() for p in each.encoder.parameters()]) for each in (learner, trained, longer)]
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_partial_annotations_teach_what_one_full_annotation_does_not():
    view = heads_view(cases=8)
    monet = transfer(policy="monet", partial_steps=40, steps=50).fit(view, None, 1)
    scratch = transfer(policy="scratch", steps=50).fit(view, None, 1)
    assert dice(monet.learner, view, "dice/deep") > dice(scratch.learner, view, "dice/deep")
    assert dice(monet.learner, view) > 0.7
    assert "answered_by_deep" in monet.notes


def test_the_atlas_is_worth_more_than_any_policy_where_labels_are_few():
    with_it = transfer(policy="scratch", steps=25).fit(heads_view(), None, 1).learner
    without = transfer(policy="scratch", steps=25).fit(heads_view(priors=False), None, 1).learner
    assert dice(with_it, heads_view()) > dice(without, heads_view(priors=False)) + 0.1


def test_the_better_decoder_answers_only_where_it_is_asked_to():
    view = heads_view()
    report = transfer(policy="monet", take_better=False).fit(view, None, 1)
    assert report.learner.preferred("deep") == []
    assert not any(name.startswith("answered_by") for name in report.notes)


def test_a_warm_start_goes_on_from_the_previous_weights():
    view = heads_view(labels=2)
    first = transfer(policy="scratch", steps=30).fit(view, None, 1).learner
    warm = transfer(policy="scratch", steps=1, learning_rate=1e-6, warm_start=True).fit(view, first, 2).learner
    cold = transfer(policy="scratch", steps=1, learning_rate=1e-6).fit(view, first, 2).learner
    assert dice(warm, view) == pytest.approx(dice(first, view), abs=0.05)
    assert dice(warm, view) > dice(cold, view)


def test_pseudo_labels_are_corrected_by_what_partial_annotations_say():
    view = heads_view(priors=False)
    learner = view.new_learner(0)
    sample = view.pool.read(view.pool.ids()[1:2])[0]
    partial = sample.fields["partial_deep"]
    thalamus = int(learner.merged_of(["Right Thalamus"])[0])
    frontal = int(learner.merged_of(["Right Frontal"])[0])
    for answer in (thalamus, frontal):
        y, valid = corrected(learner, torch.full((1, *partial.shape), answer), [sample])
        named = torch.from_numpy(partial > 0)
        assert set(y[0][named].tolist()) == set(
            learner.merged_of(["Left Thalamus", "Left Caudate", "Left Putamen"]).tolist()
        )
        assert bool((y[0][~named] == answer).all())
        assert bool(valid[0][~named].all()) == (answer == frontal), (
            "a structure where the source saw none is not taught"
        )
        assert bool(valid[0][named].all())


def test_what_one_source_names_is_taught_whichever_source_is_heard_first():
    pool = heads_view(priors=False).pool
    shape = pool.target.shape
    for one, other in (("Right Thalamus", "Right Frontal"), ("Right Frontal", "Right Thalamus")):
        fields = {
            f"partial_{name}": replace(pool.spec.fields["partial_deep"], classes=("background", kept, "not annotated"))
            for name, kept in (("a", one), ("b", other))
        }
        spec = replace(pool.spec, fields={"x": pool.spec.fields["x"], **fields})
        context = LearnerContext(pool.codec().tensor, pool.target, spec, ())
        learner = built("learners", "segmenter", context, channels=[8, 12], dims=2)
        named, silent = np.ones(shape, np.uint8), np.zeros(shape, np.uint8)
        # The model answers frontal; one source says thalamus there, and the other that it is not frontal.
        said = {"Right Thalamus": named, "Right Frontal": silent}
        sample = Sample("s", {"x": np.zeros(1), "partial_a": said[one], "partial_b": said[other]}, "s")
        answer = torch.full((1, *shape), int(learner.merged_of(["Right Frontal"])[0]))
        y, valid = corrected(learner, answer, [sample])
        assert bool((y == int(learner.merged_of(["Right Thalamus"])[0])).all())
        assert bool(valid.all())


def test_a_sample_that_no_source_has_looked_at_costs_nothing():
    view = heads_view()
    learner = view.new_learner(0)
    hidden = np.full(view.pool.target.shape, 7, np.uint8)
    targets = learner.source_targets("deep", hidden[None])
    x = view.codec.soften(view.pool.read(view.pool.ids()[:1]))
    assert not targets.valid.any()
    assert float(learner.branch_loss("deep", x, targets).detach()) == 0.0
    spoilt = [Sample(s.id, {**s.fields, "partial_deep": hidden}, s.group) for s in view.pool.read(view.unlabelled)]
    assert transfer()._of_source(view, learner, "deep", spoilt) is None


def test_what_a_policy_lacks_is_a_clear_error():
    tumours = heads_view(anatomy="tumour")
    with pytest.raises(CapabilityError, match="partial annotations in the pool"):
        transfer(policy="monet").fit(tumours, None, 0)
    with pytest.raises(CapabilityError, match="a source must be one of"):
        transfer(policy="monet", sources=["first"]).fit(heads_view(), None, 0)
    with pytest.raises(CapabilityError, match="learner with decoders"):
        transfer(policy="scratch").fit(toy_view("mask", "unet"), None, 0)
    with pytest.raises(TrainingError):
        transfer().fit(replace(heads_view(), labelled=[]), None, 0)


def test_full_annotations_may_be_valid_in_part():
    view = heads_view()
    entry = view.labelled[0]
    valid = np.zeros(view.target.shape, bool)
    valid[10:20] = True
    label = Label(entry.label.target, valid)
    report = transfer(policy="monet").fit(replace(view, labelled=[replace(entry, label=label)]), None, 0)
    assert np.isfinite(report.loss)
