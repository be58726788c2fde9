import json
import os
from pathlib import Path

import jsonschema
import pytest

from dataeff_al.campaign import shipped
from services.cli.main import run

GOOD = """\
version: 1
name: good
pool: {kind: digits}
evaluation: {validation: 10, test: 50}
initial: {random: 20}
learner: {kind: mlp, task: classification}
labeler: {kind: external, target: {kind: class, classes: [a, b]}, work_s: 5}
sampler: {kind: margin}
budget: {unit: label, total: 100, per_round: 10}
stop: {metric: accuracy, target: 0.9}
"""

PLUGIN = """
from dataeff_al.registry import Params, Plugin

class MineParams(Params):
    depth: int = 3

MINE = Plugin(kind="samplers", name="mine_for_cli", summary="A test's own.", params=MineParams, build="x:y")
"""


@pytest.fixture
def campaign(tmp_path):
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    return str(file)


def test_a_valid_campaign_is_forecast(campaign, capsys):
    assert run(["validate", campaign]) == 0
    out = capsys.readouterr().out
    assert "good.yaml is valid." in out
    assert "20 initial + 80 chosen in 8 rounds" in out


def test_a_valid_campaign_is_forecast_for_scripts(campaign, capsys):
    assert run(["validate", campaign, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is True
    assert answer["forecast"][0]["labels"]["acquired"] == 80


def test_invalid_values_from_the_file_and_from_set_are_told_apart(campaign, capsys):
    assert run(["validate", campaign, "--set", "sampler.diversitty=2", "--set", "budget.total=5"]) == 2
    error = capsys.readouterr().err
    assert "good.yaml: --set sampler.diversitty: " in error
    assert "Did you mean 'diversity'?" in error
    assert "good.yaml: --set budget.total: must pay for the 20 initial labels" in error
    assert "Traceback" not in error


def test_problems_can_be_read_by_scripts(campaign, capsys):
    Path(campaign).write_text(GOOD.replace("name: good", "name: Not Good"))
    assert run(["validate", campaign, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is False
    assert answer["problems"][0]["path"] == "name"
    assert answer["problems"][0]["line"] == 2


def test_set_changes_what_is_validated(campaign, capsys):
    assert run(["validate", campaign, "--set", "budget.per_round=40"]) == 0
    assert "in 2 rounds" in capsys.readouterr().out


def test_a_plugin_file_is_known_to_the_run_that_names_it(campaign, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    change = ["--set", "sampler={kind: mine_for_cli, depth: 4}"]
    assert run(["validate", campaign, *change]) == 2
    assert run(["validate", campaign, *change, "--plugin", str(file)]) == 0
    assert "is valid" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"\xff\xfe bad", b"a: [1", b"a: &x 1", b"x" * 10_000_000, "é".encode() * 300_000])
def test_files_that_are_no_campaign_are_refused_in_one_sentence(tmp_path, capsys, content):
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    assert run(["validate", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("Error: ")
    assert "must be" in error or "not allowed" in error


def test_a_missing_file_and_a_folder_are_refused(tmp_path, capsys):
    assert run(["validate", str(tmp_path / "none.yaml")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert run(["validate", str(tmp_path)]) == 2
    assert "directory" in capsys.readouterr().err


def test_files_named_in_a_campaign_are_relative_to_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "own.npz").write_bytes(b"")
    file = tmp_path / "deep" / "good.yaml"
    file.write_text(GOOD.replace("{random: 20}", "{labels: own.npz}"))
    monkeypatch.chdir(tmp_path)
    assert run(["validate", "deep/good.yaml"]) == 0
    (tmp_path / "deep" / "own.npz").unlink()
    assert run(["validate", "deep/good.yaml"]) == 2
    assert "must name an existing file" in capsys.readouterr().err


def test_an_unusable_data_folder_is_said(campaign, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("DATAEFF_DATA", str(tmp_path / "nowhere"))
    assert run(["validate", campaign]) == 1
    assert "DATAEFF_DATA must name an existing folder" in capsys.readouterr().err


def test_the_schema_is_json_that_takes_the_shipped_campaigns(capsys):
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "budget" in schema["properties"]


def test_init_copies_a_shipped_campaign_and_never_replaces_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["init", "digits"]) == 0
    copied = tmp_path / "digits.yaml"
    assert copied.read_bytes() == shipped.path_of("digits").read_bytes()
    copied.write_text("mine")
    assert run(["init", "digits"]) == 1
    assert "must not exist unless --force" in capsys.readouterr().err
    assert copied.read_text() == "mine"
    assert run(["init", "digits", "--force"]) == 0
    assert copied.read_text() != "mine"


def test_init_can_copy_elsewhere(tmp_path):
    assert run(["init", "digits", "--to", str(tmp_path / "other.yaml")]) == 0
    assert (tmp_path / "other.yaml").is_file()


def test_init_lists_what_there_is(capsys):
    assert run(["init"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in shipped.names())
    assert run(["init", "digit"]) == 2
    error = capsys.readouterr().err
    assert "Did you mean 'digits'?" in error
    assert "vessel_stress" in error


def test_init_into_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    assert run(["init", "digits", "--to", str(tmp_path / "no" / "such.yaml")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert os.strerror(2) in error
