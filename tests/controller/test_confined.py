import numpy as np
import pytest

from dataeff_al.errors import RequestError, SpecError
from services.controller.confined import Admission

TABLE = """
version: 1
name: table
pool: {{kind: npz, file: "{file}"}}
evaluation: {{validation: 2, test: 2}}
initial: {{random: 2}}
learner: {{kind: mlp}}
labeler: {{kind: dataset}}
sampler: {{kind: random}}
budget: {{total: 4, per_round: 2}}
stop: {{metric: accuracy}}
"""


@pytest.fixture
def admission(tmp_path):
    inside = tmp_path / "inputs"
    (inside / "deep").mkdir(parents=True)
    x = np.linspace(0, 1, 20 * 64, dtype=np.float32).reshape(20, 1, 8, 8)
    for folder in (inside, inside / "deep", tmp_path):
        np.savez(folder / "pool.npz", x=x, label=np.arange(20) % 2)
    return Admission(inside)


@pytest.mark.parametrize("file", ["pool.npz", "deep/pool.npz", "./pool.npz"])
def test_files_inside_the_folder_may_be_named(admission, file):
    assert admission.parse(TABLE.format(file=file)).name == "table"


@pytest.mark.parametrize(
    "file",
    ["../pool.npz", "deep/../../pool.npz", "/etc/passwd", "~/pool.npz", "..", "C:/x.npz", r"..\\pool.npz", "a/../b"],
)
def test_files_outside_are_refused_without_being_looked_at(admission, file, monkeypatch):
    text = TABLE.format(file=file)
    monkeypatch.setattr("services.controller.confined.CampaignSpec.parse", pytest.fail)
    with pytest.raises(SpecError) as caught:
        admission.parse(text)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("pool.file", 4)
    assert "must not lead out" in problem.message


def test_every_way_out_is_told_at_once(admission):
    text = TABLE.format(file="/a") + "initial_2: {labels: ../b}\nlist: [/c]\n"
    with pytest.raises(SpecError) as caught:
        admission.parse(text)
    assert [problem.path for problem in caught.value.problems] == ["pool.file", "initial_2.labels", "list[0]"]


def test_settings_do_not_lead_out_either(admission):
    with pytest.raises(SpecError, match="must not lead out"):
        admission.parse(TABLE.format(file="pool.npz"), ["pool.file=/etc/passwd"])


def test_whoever_is_trusted_may_name_any_file(admission, tmp_path):
    trusted = Admission(admission.base_dir, trusted=True)
    assert trusted.parse(TABLE.format(file="../pool.npz")).name == "table"
    assert trusted.parse(TABLE.format(file=tmp_path / "pool.npz")).name == "table"


def test_prose_may_hold_anything(admission):
    text = TABLE.format(file="pool.npz").replace(
        "labeler: {kind: dataset}",
        "labeler: {kind: external, instructions: '/ or ..', target: {kind: class, classes: [a, b]}}",
    )
    assert admission.parse(text).labeler.params.instructions == "/ or .."


@pytest.mark.parametrize("name", ["x" * 300, "x" * 5000, "a\\0b"])
def test_a_name_that_no_file_can_have_is_a_problem_of_the_file(admission, name):
    text = TABLE.format(file="pool.npz").replace("initial: {random: 2}", f'initial: {{labels: "{name[:1000]}"}}')
    with pytest.raises(SpecError):
        admission.parse(text)
    with pytest.raises(SpecError):
        admission.parse(TABLE.format(file=name))


@pytest.mark.parametrize(
    "text", ["x" * 300_000, "é" * 140_000, "[" * 100, "a: &a [*a]", "\x00", "", "- 1", "a: 1\na: 2"]
)
def test_hostile_text_is_refused(admission, text):
    with pytest.raises(SpecError):
        admission.parse(text)


def test_settings_are_bounded(admission):
    text = TABLE.format(file="pool.npz")
    for settings in (["seed=1"] * 101, ["seed=" + "1" * 5000]):
        with pytest.raises(RequestError):
            admission.parse(text, settings)
