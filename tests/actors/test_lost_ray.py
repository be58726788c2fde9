"""The Ray of a run or of a service is killed: no call hangs, nothing is lost, the end is as it would have been."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from dataeff_al.rpc import Client
from services.actors.vigil import alive
from services.checkup import check_record

BILLED = Path(__file__).parent / "data" / "billed.py"
CAMPAIGN = """
version: 1
name: lost
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 4, test: 8}
initial: {random: 6}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 5}
labeler: {kind: LABELER, runtime: {replicas: 2}}
sampler: {kind: margin}
budget: {total: 12, per_round: 3}
stop: {metric: accuracy}
"""
ALL_LABELS = 24
PATIENCE_S = 240.0
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


class Folder:
    """A campaign with a labeler that bills, run by the command line."""

    def __init__(self, folder, surroundings, held_after="null"):
        folder.mkdir(exist_ok=True)
        self.folder, self._surroundings = folder, surroundings
        labeler = f"billed, folder: {folder}, effect: keyed, delay_s: 0.2, held_after: {held_after}"
        text = CAMPAIGN.replace("LABELER", labeler)
        (folder / "lost.yaml").write_text(text)

    def start(self, *options):
        command = [sys.executable, "-m", "services.cli", "run", str(self.folder / "lost.yaml"), "--plugin", str(BILLED)]
        return subprocess.Popen(
            [*command, "--out", str(self.folder / "run"), "--json", "--no-report", *options],
            env=self._surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, *options):
        process = self.start(*options)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        report = check_record(str(self.folder / "run"), rebuild=False)
        assert report.ok, str(report)
        return json.loads(out)["digest"]

    @property
    def paid(self):
        return Counter(path.name.split(".")[0] for path in (self.folder / "invoices").glob("*"))


def wait_for(holds):
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "what was awaited must come about"
        time.sleep(0.05)


def family(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_one(pid, name):
    (victim,) = [process for process in family(pid) if process.name() == name]
    victim.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, surroundings):
    folder = Folder(tmp_path_factory.mktemp("undisturbed") / "place", surroundings)
    found = folder.end("--inline")
    assert sum(folder.paid.values()) == len(folder.paid) == ALL_LABELS
    return found


@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_a_run_whose_ray_is_killed_pauses_and_ends_the_same_when_run_again(
    victim, undisturbed, tmp_path, chaos_round, surroundings
):
    after = random.Random(f"{victim} {chaos_round}").randrange(2, ALL_LABELS - 4)
    # However late the kill comes on a busy machine, it comes in time.
    folder = Folder(tmp_path / "place", surroundings, held_after=after + 2)
    process = folder.start()
    try:
        wait_for(lambda: len(folder.paid) >= after or process.poll() is not None)
        children = family(process.pid)
        kill_one(process.pid, victim)
        _, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 4, err
    assert err.count("\n") == 1, err
    assert "lost is paused: the Ray of this run must go on, but got an end of its" in err
    wait_for(lambda: not any(alive(child) for child in children))
    (folder.folder / "go").touch()
    assert folder.end() == undisturbed
    assert len(folder.paid) == ALL_LABELS
    assert set(folder.paid.values()) == {1}


def test_a_service_whose_ray_lost_its_head_answers_pauses_and_goes_on_with_a_new_one(
    tmp_path, undisturbed, surroundings
):
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "serve", "--store", str(tmp_path / "store"), "--port", "0"],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        target = process.stdout.readline().split()[-1]
        with Client(target) as client:
            # Slow enough that Ray is lost long before the end, however busy the machine is.
            slow = CAMPAIGN.replace("LABELER", "dataset, delay_s: 2")
            name = client.create(slow).id
            wait_for(lambda: client.get(name).queries.spent >= 2)
            kill_one(process.pid, "gcs_server")
            wait_for(lambda: client.get(name).status == "paused")
            assert "must go on, but got an end of its gcs_server" in client.get(name).reason
            wait_for(lambda: client.get(name).activity == "idle")
            client.resume(name)
            wait_for(lambda: client.get(name).ended)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    summary = json.loads((tmp_path / "store" / "campaigns" / name / "summary.json").read_text())
    assert summary["digest"] == undisturbed
    assert check_record(str(tmp_path / "store"), rebuild=False).ok
