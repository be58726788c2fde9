"""Campaigns that a registered program answers: refused before anything runs, answered in this process and over Ray."""

import json
import subprocess
import sys

import numpy as np
import pytest

from services.checkup import check_record

TOOL = """
import sys
import numpy as np

asked = np.load(sys.argv[1])
np.savez(sys.argv[2], id=asked["id"], label=(asked["x"].mean(axis=(1, 2, 3)) > 0.3).astype(np.int64))
"""
CAMPAIGN = """
version: 1
name: brightness
seed: 5
pool: {kind: digits, size: 80}
evaluation: {validation: 6, test: 8}
initial: {random: 5}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 3}
labeler: {kind: command, program: bright, target: {kind: class, classes: [dark, bright]}}
sampler: {kind: random}
budget: {unit: call, total: 9, per_round: 2}
stop: {metric: accuracy}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a campaign, a tool, and a file that registers it."""
    (tmp_path / "bright.yaml").write_text(CAMPAIGN)
    (tmp_path / "tool.py").write_text(TOOL)
    command = [sys.executable, "{here}/tool.py", "{input}", "{output}"]
    programs = {"programs": {"bright": {"command": command, "effect": "pure", "deterministic": True, "batch": 32}}}
    (tmp_path / "programs.yaml").write_text(json.dumps(programs))
    monkeypatch.setenv("DATAEFF_PROGRAMS", "programs.yaml")
    return tmp_path


def called(folder, *arguments):
    command = [sys.executable, "-c", "from services.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_program_that_is_not_registered_is_refused_with_its_place(place):
    for arguments, words in (
        (("--set", "labeler.program=brigth"), "labeler.program: must be one of bright, but got 'brigth'. Did you mean"),
        (("--set", "labeler.effect=pure"), "labeler.effect: a key here must be one of"),
    ):
        done = called(place, "validate", "bright.yaml", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    nested = CAMPAIGN.replace("{kind: command,", "{kind: escalate, steps: [{kind: dataset}, {kind: command,").replace(
        "bright]}}", "bright]}}]}"
    )
    (place / "nested.yaml").write_text(nested.replace("program: bright", "program: other"))
    done = called(place, "validate", "nested.yaml")
    assert (done.returncode, "line 10: labeler.steps[1].program: must be one of bright" in done.stderr) == (2, True)


def test_without_a_file_of_programs_none_is_registered(place, monkeypatch):
    monkeypatch.delenv("DATAEFF_PROGRAMS")
    done = called(place, "run", "bright.yaml")
    assert done.returncode == 2
    assert "none is registered here: DATAEFF_PROGRAMS names the file" in done.stderr
    monkeypatch.setenv("DATAEFF_PROGRAMS", "nowhere.yaml")
    done = called(place, "version")
    assert (done.returncode, "must name an existing file, but got 'nowhere.yaml'" in done.stderr) == (1, True)


@pytest.mark.parametrize("how", [["--inline"], []])
def test_a_campaign_is_answered_by_the_program(how, place):
    done = called(place, "run", "bright.yaml", "--out", "run", "--json", *how)
    assert (done.returncode, json.loads(done.stdout)["labels"]["total"]) == (0, 9), done.stderr
    report = check_record(str(place / "run"), rebuild=False)
    assert report.ok, str(report)


def test_the_program_labels_a_file(place):
    x = np.stack([np.full((1, 8, 8), value, np.float32) for value in (0.1, 0.2, 0.9)])
    x[:, :, 0, 0] = 0.5
    np.savez(place / "x.npz", x=x)
    settings = ["--set", "program=bright", "--set", "target.kind=class", "--set", "target.classes=[dark, bright]"]
    done = called(place, "label", "command", "--in", "x.npz", "--out", "y.npz", *settings)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(place / "y.npz") as file:
        assert file["label"].tolist() == [0, 0, 1]
