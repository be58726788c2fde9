from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import Field

from dataeff_al import registry
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import SpecError
from dataeff_al.registry import Params, Plugin

GOOD = """\
version: 1
name: good
pool: {kind: digits}
evaluation: {validation: 10, test: 50}
initial: {random: 20}
learner: {kind: mlp, task: classification}
labeler: {kind: external, target: {kind: class, classes: [a, b]}}
sampler: {kind: margin}
budget: {unit: label, total: 100, per_round: 10}
stop: {metric: accuracy, target: 0.9}
"""

MANY_ERRORS = """\
version: 2
name: Not A Folder
sed: 7
pool:
  kind: digits
  sizes: 10
evaluation: {validation: 10, test: yes}
initial: {random: 20, sampler: random, n: 3}
generator: {kind: pcaa}
learner: {kind: mlp, task: clasification, width: "12"}
trainer: {kind: standard, steps: 012}
labeler:
  kind: external
  target: {kind: class, classes: [a]}
  runtime: {replicas: 0, batches: 2}
sampler: {kind: margin, diversity: 3}
budget: {unit: label, total: 10, per_round: 20}
stop: {metric: acuracy, target: 0.9, target: 0.8}
compare:
  - sampler: {kind: randm}
  - name: empty
"""


def problems(text, **options):
    with pytest.raises(SpecError) as caught:
        CampaignSpec.parse(text, Path(), **options)
    return caught.value.problems


def test_every_error_is_reported_at_once_with_its_path_and_line():
    found = [(each.path, each.line) for each in problems(MANY_ERRORS)]
    assert found == [
        ("version", 1),
        ("name", 2),
        ("sed", 3),
        ("pool.sizes", 6),
        ("evaluation.test", 7),
        ("initial", 8),
        ("generator.kind", 9),
        ("learner.task", 10),
        ("learner.width", 10),
        ("trainer.steps", 11),
        ("labeler.target.classes", 14),
        ("labeler.runtime.batches", 15),
        ("labeler.runtime.replicas", 15),
        ("budget.per_round", 17),
        ("stop.metric", 18),
        ("stop.target", 18),
        ("compare[0].sampler.kind", 20),
        ("compare[1]", 21),
    ]


def test_unknown_keys_kinds_and_values_come_with_the_nearest_valid_one():
    hints = {each.path: each.message for each in problems(MANY_ERRORS)}
    assert "Did you mean 'seed'?" in hints["sed"]
    assert "Did you mean 'size'?" in hints["pool.sizes"]
    assert "Did you mean 'pca'?" in hints["generator.kind"]
    assert "Did you mean 'classification'?" in hints["learner.task"]
    assert "Did you mean 'batch'?" in hints["labeler.runtime.batches"]
    assert "Did you mean 'accuracy'?" in hints["stop.metric"]
    assert "Did you mean 'random'?" in hints["compare[0].sampler.kind"]


def test_messages_are_plain_sentences_that_say_what_must_hold_and_what_was_found():
    for each in problems(MANY_ERRORS):
        assert each.message.endswith((".", "?"))
        assert "must" in each.message
        assert "pydantic" not in str(each)
        assert "Input should" not in str(each)


def test_the_good_campaign_has_no_errors():
    spec = CampaignSpec.parse(GOOD, Path())
    assert spec.trainer.kind == "standard"
    assert spec.labeler.runtime.replicas == 1


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ("pool=digits", "pool", "a mapping with a kind"),
        ("pool={size: 5}", "pool.kind", "must be given as one of"),
        ("pool.kind=7", "pool.kind", "must be given as one of"),
        ("labeler.runtime=3", "labeler.runtime", "must be a mapping"),
        ("sampler.runtime={replicas: 2}", "sampler.runtime", "a key here must be one of"),
        ("learner.runtime={replicas: 3}", "learner.runtime.replicas", "must be 1, because the trainer fits one model"),
        ("generator={kind: pca, runtime: {replicas: 2}}", "generator.runtime.replicas", "must be 1, because one"),
        ("learner.runtime={memory_gib: 1.0}", "learner.runtime.memory_gib", "only the processes of labelers"),
        ("labeler.runtime={memory_gib: 0}", "labeler.runtime.memory_gib", "more than 0"),
        ("learner.runtime={batch: 8}", "learner.runtime.batch", "only labelers are asked in batches"),
        ("compare=[{learner: {kind: mlp, runtime: {replicas: 2}}}]", "compare[0].learner.runtime.replicas", "be 1"),
        ("prior=[{kind: symetry}]", "prior[0].kind", "must be one of"),
        ("seed=-1", "seed", "at least 0"),
        ("seed=1.0", "seed", "whole number"),
        ("seed=true", "seed", "whole number"),
        ("stop.target=high", "stop.target", "must be a number"),
        ("evaluation.reference=some", "evaluation.reference", "'full' or must be a whole number"),
        ("evaluation.reference=-1", "evaluation.reference", "at least 0"),
        ("initial={}", "initial", "exactly one of random, sampler and labels"),
        ("initial={sampler: typical}", "initial.n", "together with sampler"),
        ("initial={labels: none.npz}", "initial.labels", "existing file"),
        ("round={close: quorum}", "round.quorum", "when and only when"),
        ("round={close: all, deadline_s: 5}", "round.deadline_s", "when and only when"),
        ("round={close: quorum, quorum: 11}", "round.quorum", "at most budget.per_round (10)"),
        ("budget.total=15", "budget.total", "must pay for the 20 initial labels"),
        ("budget.per_round=81", "budget.per_round", "80 labels"),
        ("budget.total=0", "budget.total", "at least 1"),
        ("budget.total=1738", "pool", "at least the 1798 samples"),
        ("evaluation.reference=1790", "pool", "at least the 1850 samples"),
        ("pool.size=100", "pool", "but got 100"),
        ("generator={kind: pca, latent_dim: 1600}", "pool", "1778 samples for its generator"),
        ("evaluation.validation=0", "evaluation.validation", "when stop has a target"),
        ("learner.task=regression", "stop.metric", "one of nmse"),
        ("labeler.target={kind: mask, classes: [a, b]}", "stop.metric", "metric of a mask target must be one of dice"),
        ("stop.metric=dice/lipid", "stop.metric", "one of accuracy"),
        ("sampler={kind: snn}", "sampler", "needs 'latent' (a generator)"),
        ("initial={sampler: margin, n: 20}", "initial.sampler", "before the first fit"),
        ("compare=[{sampler: {kind: si}, generator: {kind: pca}}]", "compare[0].sampler", "needs 'synthesised'"),
        ("compare=[{learner: null, sampler: {kind: random}}]", "compare[0].learner", "may be null"),
        ("compare=[{name: a, sampler: {kind: random}}, {name: a, learner: {kind: mlp}}]", "compare[1].name", "differ"),
        ("repeats=0", "repeats", "at least 1"),
        ("name=../escape", "name", "small letters and digits"),
        ("name=a\n", "version", ""),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(change, path, words):
    if path == "version":
        assert CampaignSpec.parse(GOOD, Path(), settings=[change]).name == "a"
        return
    found = problems(GOOD, settings=[change])
    assert any(each.path.removeprefix("--set ") == path and words in each.message for each in found), found


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "null\n"])
def test_a_campaign_that_is_no_mapping_is_refused(text):
    (problem,) = problems(text)
    assert "must be a mapping" in problem.message


MEMBERS = "trainer={kind: standard, ensemble: members, ensemble_size: 3}"


def test_a_committee_may_have_as_many_learners_as_members():
    assert CampaignSpec.parse(GOOD, Path(), settings=[MEMBERS, "learner.runtime={replicas: 3}"]).trainer.members == 3
    (problem,) = problems(GOOD, settings=[MEMBERS, "learner.runtime={replicas: 4}"])
    assert "at most the 3 members of the committee" in problem.message


def test_a_twin_that_trains_one_model_may_not_take_over_the_learners_of_a_committee():
    twin = "compare=[{name: single, trainer: {kind: standard}}]"
    (problem,) = problems(GOOD, settings=[MEMBERS, "learner.runtime={replicas: 3}", twin])
    assert problem.path == "--set compare[0].trainer"
    assert "must be 1" in problem.message


def test_members_are_a_committee_for_samplers_and_rounds_are_not():
    rounds = MEMBERS.replace("members", "rounds")
    asked = "sampler={kind: committee}"
    assert CampaignSpec.parse(GOOD, Path(), settings=[MEMBERS, asked]).sampler.kind == "committee"
    (problem,) = problems(GOOD, settings=[rounds, asked])
    assert "needs 'committee' (a trainer of an ensemble's members" in problem.message


def test_the_members_of_a_committee_cannot_choose_before_the_first_fit():
    start = "initial={sampler: committee, n: 20}"
    (problem,) = problems(GOOD, settings=[MEMBERS, start])
    assert "before the first fit" in problem.message


def test_an_empty_campaign_names_everything_that_is_missing():
    missing = {each.path for each in problems("{}")}
    assert missing >= {"version", "name", "pool", "evaluation", "initial", "learner", "labeler", "sampler", "budget"}


def test_several_unmet_needs_of_one_sampler_are_all_named():
    found = problems(GOOD, settings=["sampler={kind: si}"])
    assert len([each for each in found if each.path == "--set sampler"]) == 3


def test_regression_and_margin_do_not_go_together():
    changes = ["learner.task=regression", "stop.metric=nmse", "labeler.target={kind: values, channels: [y]}"]
    found = problems(GOOD, settings=changes)
    assert {each.path for each in found} == {"sampler"}
    assert any("probabilities" in each.message for each in found)


def test_a_twin_is_not_blamed_for_what_is_wrong_with_the_campaign():
    found = problems(GOOD, settings=["sampler={kind: snn}", "compare=[{trainer: {kind: standard, steps: 3}}]"])
    assert {each.path for each in found} == {"--set sampler"}


class NestedParams(Params):
    inner: dict[str, list[int]] = Field(default_factory=dict)
    either: int | str | None = None


def test_errors_deep_inside_parameters_keep_their_place():
    registry.register(Plugin(kind="samplers", name="nested", summary="", params=NestedParams, build="nowhere:nothing"))
    change = "sampler={kind: nested, inner: {a: [1, x]}, either: [2]}"
    found = {each.path: each.message for each in problems(GOOD, settings=[change])}
    assert "whole number" in found["--set sampler.inner.a[1]"]
    assert found["--set sampler.either"] == "must be a whole number or must be text, but got [2]."


@pytest.mark.parametrize("kind", ["samplers", "trainers"])
def test_a_plugin_that_does_not_import_is_an_error_and_no_crash(monkeypatch, kind):
    name = {"samplers": "margin", "trainers": "standard"}[kind]
    broken = EntryPoint(name, "no_such_package.spec:PLUGIN", f"dataeff_al.{kind}")
    installed = registry._entry_points
    monkeypatch.setattr(registry, "_entry_points", lambda asked: {name: broken} if asked == kind else installed(asked))
    (problem,) = problems(GOOD)
    assert problem.path == f"{kind.removesuffix('s')}.kind"
    assert "must import cleanly" in problem.message
    assert "no_such_package" in problem.message


def test_the_source_is_named_in_every_line_of_the_text():
    with pytest.raises(SpecError) as caught:
        CampaignSpec.parse(MANY_ERRORS, Path(), source="mine.yaml")
    assert all(line.startswith("mine.yaml: line ") for line in str(caught.value).splitlines())
