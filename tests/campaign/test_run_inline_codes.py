"""What the command line answers with when a run goes wrong: one sentence, the right code, a sound record."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dataeff_al.campaign.run_folder import RunFolder
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.splits import split_pool
from dataeff_al.stores.open import open_store
from services.checkup import check_record

DATA = Path(__file__).parent / "data"
CAMPAIGN = """
version: 1
name: tiny
seed: 5
pool: {kind: digits, size: 100}
evaluation: {validation: 4, test: 6}
initial: {random: 5}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 3}
labeler: {kind: counted}
sampler: {kind: random}
budget: {unit: label, total: 7, per_round: 2}
stop: {metric: accuracy}
"""


@pytest.fixture
def run(command_line, tmp_path):
    """``run("stop.target=1.0", out="run", script=[...], campaign=TEXT)``."""

    def start(*settings, out="run", script=(), campaign=CAMPAIGN, plugin="counted.py", argv=()):
        (tmp_path / "tiny.yaml").write_text(campaign)
        options = [part for setting in settings for part in ("--set", setting)]
        plugins = ["--plugin", DATA / plugin]
        return command_line(
            tmp_path, "run", "tiny.yaml", "--inline", "--out", out, *plugins, *options, *argv, script=script
        )

    return start


def _sound(folder):
    report = check_record(str(folder), rebuild=False)
    assert report.ok, str(report)


def test_a_target_that_is_reached_ends_with_0_and_a_summary_for_scripts_is_json_alone(run, tmp_path):
    done = run("stop.target=0.0", argv=["--json"])
    assert (done["code"], done["err"]) == (0, "")
    summary = json.loads(done["out"])
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["reached"], summary["outcome"]["kind"], summary["labels"]["total"]) == (True, "reached", 5)


def test_a_budget_that_is_spent_without_the_target_ends_with_3_now_and_when_run_again(run, tmp_path):
    for _ in range(2):
        done = run("stop.target=1.0")
        assert (done["code"], done["err"]) == (3, "")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["reached"] is False
    assert (tmp_path / "run" / "report.html").exists()


def test_an_invalid_campaign_is_refused_before_anything_is_made(run, tmp_path):
    done = run("budget.total=0")
    assert done["code"] == 2
    assert "budget.total" in done["err"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("raise", 4, "is paused: 5 infrastructure failures in a row, the last: labeler 'counted' raised OSError"),
        ("nan", 1, "stopped: round 0 must end with at least one label, but got none: label 'label' must hold whole"),
        ("refuse", 1, "stopped: round 0 must end with at least one label, but got none: nothing to be seen"),
    ],
)
def test_a_labeler_that_never_answers_stops_the_campaign_with_a_sentence(run, tmp_path, file, code, words):
    (tmp_path / file).touch()
    done = run()
    assert (done["code"], done["err"].count("\n")) == (code, 1)
    assert words in done["err"]
    _sound(tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["rounds"], summary["digest"]["model"]) == ("paused", [], None)
    assert not (tmp_path / "run" / "report.html").exists()
    if file == "raise":
        (tmp_path / file).unlink()
        assert run()["code"] == 0
        _sound(tmp_path / "run")


def test_a_labeler_that_hangs_is_left_behind(run, tmp_path):
    (tmp_path / "hang").touch()
    done = run("labeler.runtime.timeout_s=0.02", "evaluation.test=1", "evaluation.validation=0", "initial.random=1",
               "budget.total=2", "budget.per_round=1")  # fmt: skip
    assert done["code"] == 1
    assert "no answer within 0.02 s" in done["err"]
    _sound(tmp_path / "run")


def test_a_campaign_goes_to_no_folder_that_is_not_its_own(run, tmp_path):
    (tmp_path / "refuse").touch()
    assert run()["code"] == 1
    before = (tmp_path / "run" / "summary.json").read_bytes()
    for change, words in [("seed=6", "described"), ("name=other", "must hold the campaign 'other'")]:
        done = run(change)
        assert (done["code"], done["err"].count("\n")) == (1, 1)
        assert words in done["err"]
    assert (tmp_path / "run" / "summary.json").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(run, tmp_path):
    (tmp_path / "file").touch()
    for out in ("file", "file/below", "/proc/none"):
        done = run(out=out)
        assert (done["code"], done["err"].count("\n")) == (1, 1)
        assert "run folder must be writable" in done["err"]


def test_a_folder_that_another_process_runs_is_left_alone(run, tmp_path):
    (tmp_path / "run").mkdir()
    store = open_store(tmp_path / "run", writer=True)
    try:
        done = run()
    finally:
        store.close()
    assert done["code"] == 1
    assert "another process is running this campaign folder" in done["err"]


def test_a_report_is_made_again_from_the_record_alone(run, command_line, tmp_path):
    assert run("stop.target=1.0")["code"] == 3
    folder = tmp_path / "run"
    kept = json.loads((folder / "summary.json").read_text())
    for name in ("summary.json", "report.html", "campaign.yaml"):
        (folder / name).unlink()
    assert command_line(tmp_path, "report", "run", "--plugin", DATA / "counted.py")["code"] == 0
    assert json.loads((folder / "summary.json").read_text()) == kept
    assert (folder / "report.html").exists()
    assert command_line(tmp_path, "report", "nowhere")["code"] == 1


def test_a_run_with_plugins_of_its_own_tells_how_it_stands(run, command_line, tmp_path):
    assert run("stop.target=1.0")["code"] == 3
    told = command_line(tmp_path, "status", "run", "--plugin", DATA / "counted.py")
    assert told["code"] == 0, told["err"]
    assert "exhausted" in told["out"]


def test_owned_labels_are_used_at_no_cost_and_not_bought_again(run, tmp_path):
    images, labels = load_digits(return_X_y=True)
    scaled = (images[:100].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    campaign = CAMPAIGN.replace("counted", "dataset")
    pool = CampaignSpec.parse(campaign, tmp_path).pool.build(PoolContext(tmp_path, None, 5))
    free = set(split_pool(pool, validation=4, test=6, seed=5).pool)
    mine = [row for row, name in enumerate(pool.ids()) if name in free][:20]
    np.savez(tmp_path / "mine.npz", x=scaled[mine], label=labels[mine])
    done = run("initial={labels: mine.npz}", campaign=campaign)
    assert done["code"] == 0, done["err"]
    _sound(tmp_path / "run")
    (state, *_) = RunFolder(tmp_path / "run").states()
    owned = {query.payload for query in state.of("initial")}
    assert owned == {str(pool.ids()[row]) for row in mine}
    assert not owned & {query.payload for query in state.of("acquire")}
    assert (state.accounts["queries"].spent, len(state.labelled("initial", "acquire"))) == (7, 27)
    np.savez(tmp_path / "leak.npz", x=scaled, label=labels[:100])
    done = run("initial={labels: leak.npz}", campaign=campaign, out="leak")
    assert done["code"] == 1
    assert "must not hold validation or test samples" in done["err"]


def test_twins_and_repeats_run_in_one_folder_and_are_gone_on_with(run, tmp_path):
    settings = ("compare=[{sampler: {kind: margin}}]", "repeats=2", "generator={kind: pca, latent_dim: 3}")
    script = [["text", "tiny.margin  round 0: accuracy"], ["signal", signal.SIGKILL]]
    assert run(*settings, script=script)["code"] == -9
    done = run(*settings)
    assert done["code"] == 0, done["err"]
    _sound(tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [twin["name"] for twin in summary["twins"]] == ["margin"]
    assert [(one["name"], one["seed"]) for one in summary["repeats"]] == [("tiny", 6), ("margin", 6)]
    assert summary["twins"][0]["rounds"][0]["labels"] == summary["rounds"][0]["labels"]
    assert summary["saving"]["seeds"] in (0, 1, 2)
    assert len(list((tmp_path / "invoices").iterdir())) == 2 * (4 + 6 + 5 + 2 + 2)
