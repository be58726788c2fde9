"""Whole runs by the command line, killed for real: nothing is lost, nothing is paid twice, nothing differs."""

import json
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from services.checkup import check_record

DATA = Path(__file__).parent / "data"
CAMPAIGN = """
version: 1
name: tiny
seed: 5
pool: {kind: digits, size: 120}
evaluation: {validation: 4, test: 8}
initial: {random: 6}
generator: {kind: pca, latent_dim: 4}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 5}
labeler: {kind: counted}
sampler: {kind: margin}
budget: {unit: label, total: 12, per_round: 3}
stop: {metric: accuracy}
"""


class Place:
    """A folder with a campaign, where runs are made and counted."""

    def __init__(self, folder, command_line):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._command_line, self.run_folder = folder, command_line, folder / "run"
        (folder / "tiny.yaml").write_text(CAMPAIGN)

    def cli(self, *argv, script=()):
        return self._command_line(self.folder, *argv, script=script)

    def run(self, *settings, script=(), out="run", campaign="tiny.yaml"):
        options = [part for setting in settings for part in ("--set", setting)]
        plugin = ["--plugin", DATA / "counted.py"]
        return self.cli("run", campaign, "--inline", "--out", out, *plugin, *options, script=script)

    def killed_after(self, seconds, *settings):
        return self.run(*settings, script=[["sleep", seconds], ["signal", signal.SIGKILL]])["code"] == -9

    @property
    def summary(self):
        return json.loads((self.run_folder / "summary.json").read_text())

    @property
    def invoices(self):
        """How often each sample was paid for, by whatever key."""
        return Counter(path.name.split(".")[1] for path in (self.folder / "invoices").iterdir())

    def sound(self):
        report = check_record(str(self.run_folder), rebuild=False)
        assert report.ok, str(report)
        assert not list((self.run_folder / "spool").glob("*.done"))
        return self


@pytest.fixture
def place(tmp_path, command_line):
    return Place(tmp_path / "place", command_line)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, command_line):
    place = Place(tmp_path_factory.mktemp("undisturbed"), command_line)
    done = place.run("labeler.delay_s=0.01")
    assert done["code"] == 0, done["err"]
    return place.sound(), done["seconds"]


def test_a_run_leaves_what_was_promised_and_pays_once(undisturbed):
    place, _ = undisturbed
    names = {path.name for path in place.run_folder.iterdir()}
    assert {"campaign.yaml", "record.sqlite", "blobs", "model.safetensors", "model.json"} < names
    assert {"summary.json", "report.html", "figures"} < names
    assert sum(place.invoices.values()) == len(place.invoices) == 24
    summary = place.summary
    assert summary["labels"] == {"initial": 6, "bought": 6, "total": 12}
    assert summary["cost"] == {
        "unit": "label", "budget": 12, "spent": 12, "reserved": 0, "wasted": 0, "evaluation": 12, "extra": 0
    }  # fmt: skip
    assert [row["labels"] for row in summary["rounds"]] == [6, 9, 12]
    phases = [set(row["seconds"]) for row in summary["rounds"]]
    assert phases == [{"propose", "label", "train", "evaluate", "own"}] * 3
    assert all(value >= 0 for row in summary["rounds"] for value in row["seconds"].values())
    card = json.loads((place.run_folder / "model.json").read_text())
    assert (card["digest"], card["labels"]) == (summary["digest"]["model"], 12)


@pytest.mark.parametrize(("effect", "seed"), [("pure", 1), ("keyed", 2)])
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_was_not(undisturbed, place, effect, seed):
    reference, seconds = undisturbed
    rng, settings = random.Random(seed), ("labeler.delay_s=0.01", f"labeler.effect={effect}")
    kills = 0
    for _ in range(6):
        kills += place.killed_after(rng.uniform(0.05, 0.5 * seconds), *settings)
    done = place.run(*settings)
    assert done["code"] == 0, done["err"]
    assert kills >= 2
    place.sound()
    assert place.summary["digest"] == reference.summary["digest"]
    assert set(place.invoices.values()) == {1}


@pytest.mark.parametrize("effect", ["keyed", "queryable"])
def test_a_process_that_dies_inside_a_paid_call_pays_once(undisturbed, place, effect):
    (place.folder / "die").touch()
    assert place.run(f"labeler.effect={effect}")["code"] == -9
    done = place.run(f"labeler.effect={effect}")
    assert done["code"] == 0, done["err"]
    place.sound()
    assert place.summary["digest"]["labels"] == undisturbed[0].summary["digest"]["labels"]
    assert set(place.invoices.values()) == {1}


def test_a_blind_call_that_was_cut_short_waits_for_a_person_and_is_never_repeated(undisturbed, place):
    (place.folder / "die").touch()
    assert place.run("labeler.effect=blind")["code"] == -9
    for _ in range(2):
        done = place.run("labeler.effect=blind")
        assert done["code"] == 4
        assert done["err"].count("\n") == 1
        assert "tiny is paused: whether an attempt at the labeler was paid is unknown" in done["err"]
        assert "dataeff-al settle" in done["err"]
    place.sound()
    assert set(place.invoices.values()) == {1}
    listed = json.loads(place.cli("settle", "run", "--json")["out"])
    assert len(listed) == 1
    assert place.cli("settle", "run", listed[0]["attempt"])["code"] == 1
    assert place.cli("settle", "run", "nobody", "--as", "lost")["code"] == 1
    assert place.cli("settle", "run", listed[0]["attempt"], "--as", "wasted")["code"] == 0
    assert "No attempt waits" in place.cli("settle", "run")["out"]
    done = place.run("labeler.effect=blind")
    assert done["code"] == 0, done["err"]
    place.sound()
    cost, invoices = place.summary["cost"], place.invoices
    assert cost["wasted"] + cost["evaluation"] + cost["spent"] == sum(invoices.values())
    assert cost["evaluation"] == 12
    assert set(invoices.values()) == {1}


def test_blind_calls_under_random_kills_are_never_silently_paid_twice(place):
    rng, settings = random.Random(4), ("labeler.effect=blind", "labeler.delay_s=0.02")
    for _ in range(5):
        place.killed_after(rng.uniform(0.2, 1.5), *settings)
    for _ in range(3):
        if place.run(*settings)["code"] == 0:
            break
        place.cli("settle", "run", "--all", "--as", "wasted")
    place.sound()
    cost, invoices = place.summary["cost"], place.invoices
    assert cost["spent"] + cost["wasted"] + cost["evaluation"] >= sum(invoices.values())


class TestCtrlC:
    def test_once_ends_what_is_at_work_and_the_next_run_goes_on(self, undisturbed, place):
        script = [["text", "4 validation queries"], ["signal", signal.SIGINT]]
        done = place.run("labeler.delay_s=0.05", script=script)
        assert done["code"] == 4
        assert done["err"].splitlines()[0].startswith("Stopping once what is at work has ended")
        assert "tiny is paused: interrupted" in done["err"]
        place.sound()
        paid = sum(place.invoices.values())
        assert paid < 24
        assert place.run("labeler.delay_s=0.05")["code"] == 0
        place.sound()
        assert place.summary["digest"]["model"] == undisturbed[0].summary["digest"]["model"]
        assert sum(place.invoices.values()) == 24

    @pytest.mark.parametrize(
        ("setting", "text"), [("labeler.delay_s=30.0", "initial queries"), ("trainer.steps=1000000", "initial queries")]
    )
    def test_twice_stops_at_once_whatever_is_at_work(self, place, setting, text):
        pause = [["sleep", 0.7]]
        script = [["text", text], *pause, ["signal", signal.SIGINT], ["sleep", 0.3], ["signal", signal.SIGINT]]
        done = place.run(setting, script=script)
        assert done["code"] == 4
        assert done["seconds"] < 25
        assert done["err"].splitlines()[-1] == "Stopped at once, with work in flight; run again to go on."
        place.sound()
