from pathlib import Path

import pytest

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import SpecError

TEXT = """\
version: 1
name: labelers
pool: {kind: digits}
evaluation: {validation: 10, test: 50}
initial: {random: 20}
generator: {kind: pca}
learner: {kind: mlp}
labeler: LABELER
sampler: {kind: random}
budget: {unit: EUR, total: 1000, per_round: 10}
stop: {metric: accuracy}
"""
CHEAP = "{kind: external, target: {kind: class, classes: [a, b]}, cost: 1, work_s: 2, synthesised: true}"
DEAR = "{kind: external, target: {kind: class, classes: [a, b]}, cost: 10, max_cost: 15, work_s: 60}"


def labeler(text, *settings):
    spec = CampaignSpec.parse(TEXT.replace("LABELER", text), Path(), settings=settings)
    return spec.labeler


def problems(text, *settings):
    with pytest.raises(SpecError) as caught:
        labeler(text, *settings)
    return {each.path.removeprefix("--set "): each.message for each in caught.value.problems}


@pytest.mark.parametrize("kind", ["pipeline", "escalate"])
def test_steps_together_may_cost_and_take_the_sum(kind):
    part = labeler(f"{{kind: {kind}, steps: [{CHEAP}, {DEAR}]}}")
    assert part.plugin.max_cost(part.params) == 16
    assert part.seconds == 62
    assert part.needs == set()


def test_synthesised_samples_are_answered_only_when_every_step_answers_them():
    assert labeler(f"{{kind: pipeline, steps: [{CHEAP}, {CHEAP}]}}").offers == {"synthesised"}
    assert labeler(f"{{kind: pipeline, steps: [{CHEAP}, {DEAR}]}}").offers == set()
    found = problems(f"{{kind: pipeline, steps: [{CHEAP}, {DEAR}]}}", "sampler={kind: si}")
    assert "'synthesised'" in found["sampler"]


def test_what_a_step_needs_the_combination_needs():
    part = labeler(f"{{kind: escalate, steps: [{CHEAP}, {{kind: dataset}}]}}")
    assert part.needs == {"answers"}


def test_errors_in_steps_keep_their_place_and_hints():
    steps = "[{kind: externl}, {kind: pipeline, steps: [{kind: external, costs: 3}]}, {kind: dataset, runtime: {}}]"
    found = problems(f"{{kind: escalate, steps: {steps}, acept: 1}}")
    assert "Did you mean 'external'?" in found["labeler.steps[0].kind"]
    assert "Did you mean 'cost'?" in found["labeler.steps[1].steps[0].costs"]
    assert found["labeler.steps[1].steps[0].target"] == "must be given."
    assert "labeler.steps[2].runtime" in found
    assert "Did you mean 'accept'?" in found["labeler.acept"]


def test_one_step_has_nobody_to_escalate_to():
    assert "at least 2" in problems(f"{{kind: escalate, steps: [{CHEAP}]}}")["labeler.steps"]
    assert "at least 1" in problems("{kind: pipeline, steps: []}")["labeler.steps"]


@pytest.mark.parametrize(
    ("target", "path", "words"),
    [
        ("{kind: class}", "classes", "at least two"),
        ("{kind: mask, classes: [a, a]}", "classes", "at least two different"),
        ("{kind: field}", "channels", "must name"),
        ("{kind: field, channels: [s], classes: [a, b]}", "classes", "left out"),
        ("{kind: class, classes: [a, b], channels: [s]}", "channels", "left out"),
        ("{kind: values, channels: [s, s]}", "channels", "different"),
        ("{kind: word}", "kind", "'class', 'mask', 'field' or 'values'"),
    ],
)
def test_an_external_target_is_complete(target, path, words):
    found = problems(f"{{kind: external, target: {target}}}", "stop.metric=nmse")
    assert words in found[f"labeler.target.{path}"]


@pytest.mark.parametrize(
    ("target", "metric", "key"),
    [
        ("{kind: class, classes: [a, b]}", "accuracy", "label"),
        ("{kind: mask, classes: [a, b]}", "dice", "mask"),
        ("{kind: field, name: stress, channels: [s1], unit: kPa}", "nmse", "stress"),
        ("{kind: values, channels: [age]}", "rmse", "values"),
    ],
)
def test_an_external_target_has_a_key(target, metric, key):
    part = labeler(f"{{kind: external, target: {target}}}", f"stop.metric={metric}")
    assert part.params.target.key == key
    assert part.plugin.max_cost(part.params) == 1


def test_the_most_is_never_less_than_the_cost():
    target = "{kind: class, classes: [a, b]}"
    found = problems(f"{{kind: external, target: {target}, cost: 5, max_cost: 4}}")
    assert "at least cost (5)" in found["labeler.max_cost"]
