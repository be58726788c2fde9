"""A registered program is called in files, its answers are believed as far as they have the declared form."""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from dataeff_al import registry
from dataeff_al.errors import CapabilityError, LabelingError, SpecError, UnknownNameError
from dataeff_al.labeling.asking import Raised, tried
from dataeff_al.labeling.programs import PROGRAMS, Program
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.arrays import array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.npz import columns_from
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.labelers import check_labeler
from services.registering import register_file

BRIGHT = """
import json, os, pathlib, sys, time
import numpy as np

given, answers, described = sys.argv[1:4]
asked, wanted = np.load(given), json.loads(pathlib.Path(described).read_text())
ids, x = asked["id"], asked["x"]
out = {"id": ids, "label": (x.mean(axis=(1, 2, 3)) > 0.3).astype(np.int64)}
"""
WRITE = "\nnp.savez(answers, **out)\n"
CLASSES = {"kind": "class", "classes": ["dark", "bright"]}


@pytest.fixture(autouse=True)
def _no_program_stays(monkeypatch):
    monkeypatch.setattr(PROGRAMS, "_known", {})


@pytest.fixture(scope="module")
def pool():
    plugin = registry.get("pools", "digits")
    return plugin.factory()(plugin.params(size=12), PoolContext(Path(), None, 7))


@pytest.fixture
def built(tmp_path, pool):
    """``built("out['cost'] = ...", effect="pure")``: a labeler around a script that ends with these lines."""

    def build(more="", tail=WRITE, cost=1, settings=None, target=None, **declared):
        script = tmp_path / "tool.py"
        script.write_text(BRIGHT + more + tail, encoding="utf-8")
        command = [sys.executable, str(script), "{input}", "{output}", "{request}"]
        PROGRAMS.register({"tool": Program(command=tuple(command), **declared)})
        plugin = registry.get("labelers", "command")
        given = {"program": "tool", "target": target or CLASSES, "cost": cost, "settings": settings or {}}
        params = plugin.params.model_validate_json(json.dumps(given))
        return plugin.factory()(params, LabelerContext(pool, Path(), None))

    return build


@pytest.fixture
def batch(pool):
    return [Request(key=f"k{row}", sample=sample, seed=row) for row, sample in enumerate(pool.read(pool.ids()[:3]))]


def test_a_pure_program_keeps_the_contract_of_labelers(built, pool):
    labeler = built(effect="pure", deterministic=True, batch=4)
    check_labeler(labeler, pool.read(pool.ids()[:3]))


def test_its_answers_are_those_of_the_program(built, batch):
    found = built(batch=8, version="2.1").label(batch)
    assert [int(each.target["label"]) for each in found] == [int(r.sample.fields["x"].mean() > 0.3) for r in batch]
    assert all(each.cost == 1 and each.times.work_s > 0 for each in found)


def test_it_states_costs_confidence_and_reasons(built, batch):
    more = """
out["label"][1] = -1
out["cost"] = np.array([3, 2, 0])
out["confidence"] = np.array([0.5, np.nan, np.nan], np.float32)
out["reason"] = np.array(["", "too faint", ""])
"""
    first, second, third = built(more, batch=8, cost=5).label(batch)
    assert (first.cost, first.confidence) == (3, 0.5)
    assert second == LabelFailure("too faint", "refused", 2)
    assert (third.cost, third.confidence) == (0, None)


def test_it_reads_what_is_asked_and_no_secret(built, batch, tmp_path, monkeypatch):
    monkeypatch.setenv("DATAEFF_TOKEN", "secret")
    kept = tmp_path / "kept.json"
    more = f"\npathlib.Path({str(kept)!r}).write_text(json.dumps([wanted, dict(os.environ), os.getcwd()]))\n"
    labeler = built(more, batch=8, settings={"pressure": 14.5, "fast": True}, environment={"LICENCE": "here"})
    labeler.label(batch)
    wanted, variables, folder = json.loads(kept.read_text())
    assert wanted["settings"] == {"pressure": 14.5, "fast": True}
    assert wanted["target"]["classes"] == ["dark", "bright"]
    assert [each["id"] for each in wanted["requests"]] == ["k0", "k1", "k2"]
    assert [each["seed"] for each in wanted["requests"]] == [0, 1, 2]
    assert variables["LICENCE"] == "here"
    assert "secret" not in json.dumps(variables)
    assert not Path(folder).exists()


def test_drafts_are_handed_on(built, batch):
    more = "\nout['label'] = asked['draft_label']\n"
    draft = Label({"label": np.array(1, np.int64)})
    asked = [Request(key="a", sample=batch[0].sample, draft=draft), Request(key="b", sample=batch[1].sample)]
    first, second = built(more, batch=8).label(asked)
    assert int(first.target["label"]) == 1
    assert second.reason == "the program gave no answer"


@pytest.mark.parametrize(("effect", "known"), [("pure", True), ("keyed", False), ("blind", False)])
def test_what_a_call_that_went_wrong_has_cost_is_known_of_a_pure_program_alone(effect, known, built, batch):
    labeler = built("\nif 'k1' in ids:\n    print('no licence left'); sys.exit(3)\n", effect=effect, batch=8)
    with pytest.raises(LabelingError, match=r"must end with status 0, but got 3: no licence left"):
        labeler.label(batch)
    found = tried(labeler, batch)
    assert [type(each) for each in found] == ([Label, Raised, Label] if known else [Raised] * 3)
    assert "no licence left" in found[1].reason


@pytest.mark.parametrize("effect", ["pure", "keyed", "blind"])
def test_a_program_can_say_that_it_did_nothing(effect, built, batch):
    found = built("\nprint('queue is full'); sys.exit(75)\n", effect=effect, batch=8).label(batch)
    assert {(each.kind, each.cost) for each in found} == {("infra", 0)}
    assert "queue is full" in found[0].reason


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_began(built, batch, tmp_path):
    pid = tmp_path / "pid"
    more = f"""
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(pid)!r}).write_text(str(child.pid))
time.sleep(600)
"""
    labeler = built(more, effect="pure", timeout_s=4.0)
    found = labeler.label(batch[:1])
    assert found[0].kind == "timeout"
    assert "must end within 4 s" in found[0].reason
    child = int(pid.read_text())
    until = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_costly_program_that_takes_too_long_leaves_it_to_its_host(built, batch):
    with pytest.raises(LabelingError, match="must end within 1 s"):
        built("\ntime.sleep(600)\n", timeout_s=1.0).label(batch[:1])


BAD = [
    ("", "", "a program must write a file of answers"),
    ("\nout['label'] = out['label'].astype(object)\n", WRITE, "a program must write a file of answers"),
    ("\nout['label'] = out['label'][:, None]\n", WRITE, r"'label' must be \(n"),
    ("\nout['label'] = out['label'] + 7\n", WRITE, "label"),
    ("\nout['cost'] = np.array([-1])\n", WRITE, "'cost' must be 0 or more"),
    ("\nout['cost'] = np.array([0.5])\n", WRITE, "'cost' must be"),
    ("\nout['reason'] = np.array([1])\n", WRITE, "'reason' must be"),
]


@pytest.mark.parametrize(("more", "tail", "words"), BAD)
@pytest.mark.parametrize(("effect", "cost"), [("pure", 0), ("blind", 4)])
def test_a_file_that_breaks_a_rule_is_no_answer_and_is_paid_where_calls_cost(
    effect, cost, more, tail, words, built, batch
):
    (found,) = built(more, tail=tail, effect=effect, cost=4).label(batch[:1])
    assert (found.kind, found.cost) == ("bad_label", cost)
    assert re.search(words, found.reason), found.reason


def test_a_bad_answer_does_not_spoil_a_pure_batch(built, batch):
    more = "\nout['label'][ids == 'k1'] = 9\n"
    found = tried(built(more, effect="pure", batch=8), batch)
    assert [type(each) for each in found] == [Label, LabelFailure, Label]


def test_a_sample_that_the_pool_could_not_hold_never_reaches_the_program(built, batch, tmp_path):
    called = tmp_path / "called"
    labeler = built(f"\npathlib.Path({str(called)!r}).touch()\n")
    spoilt = Request(key="bad", sample=type(batch[0].sample)("s", {"x": batch[0].sample.fields["x"] * np.nan}, "g"))
    (found,) = labeler.label([spoilt])
    assert "must be finite" in found.reason
    assert not called.exists()


def test_a_program_that_is_not_there_or_not_known_is_refused_when_it_is_built(built, pool):
    plugin = registry.get("labelers", "command")
    built()
    context = LabelerContext(pool, Path(), None)
    params = plugin.params.model_validate_json(json.dumps({"program": "tol", "target": CLASSES}))
    with pytest.raises(UnknownNameError, match=r"Did you mean 'tool'"):
        plugin.factory()(params, context)
    PROGRAMS.register({"tol": Program(command=("/nowhere/solve", "{input}", "{output}"))})
    with pytest.raises(LabelingError, match=r"must be a file that can be run, but got '/nowhere/solve'"):
        plugin.factory()(params, context)


def test_answers_on_a_grid_need_a_grid():
    plugin = registry.get("labelers", "command")
    PROGRAMS.register({"tool": Program(command=(sys.executable, "{input}", "{output}"))})

    params = plugin.params.model_validate_json(
        json.dumps({"program": "tool", "target": {"kind": "mask", "classes": ["a", "b"]}})
    )
    rows = array_pool(columns_from({"x": np.zeros((3, 2), np.float32) + np.arange(3)[:, None]}), codec_for)
    with pytest.raises(CapabilityError, match="need samples on a grid"):
        plugin.factory()(params, LabelerContext(rows, Path(), None))


FILES = [
    ("programs: {a: {command: [solve]}}", "must hold {input} and {output}"),
    ("programs: {a: {command: ['{input}', '{output}']}}", "after the program's name"),
    ("programs: {a: {command: [s, '{input}', '{output}'], effct: pure}}", "Did you mean 'effect'?"),
    ("programs: {a: {command: [s, '{input}', '{output}'], batch: 0}}", "at least 1"),
    ("programs: {'a b': {command: [s, '{input}', '{output}']}}", "must match"),
    ("programs: [1]", "must be a mapping"),
    ("", "must be a mapping"),
    ("programs: {a: [", "valid YAML"),
]


@pytest.mark.parametrize(("text", "words"), FILES)
def test_a_file_of_programs_is_checked(text, words, tmp_path):
    path = tmp_path / "programs.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        register_file(path)
    assert words in str(caught.value)
    assert "programs.yaml" in str(caught.value)


def test_paths_in_a_file_of_programs_begin_at_its_folder(tmp_path):
    path = tmp_path / "programs.yaml"
    path.write_text(
        "programs: {a: {command: [bin/solve, '{here}/b.py', '{input}', '{output}']}, "
        "b: {command: [solve, '{input}', '{output}']}}"
    )
    register_file(path)
    assert PROGRAMS.get("a").command[:2] == (str(tmp_path / "bin/solve"), str(tmp_path / "b.py"))
    assert PROGRAMS.get("b").command[0] == "solve"
