"""A controller that is killed amid running campaigns, and how soon the next one drives them on."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Json
from benchmarks.serving.server import Served, serve_command, serving
from dataeff_al.errors import DataeffError
from dataeff_al.rpc import Client

CAMPAIGN = """
version: 1
name: run-{number}
seed: {number}
pool: {{kind: digits, size: 400}}
evaluation: {{validation: 20, test: 20}}
initial: {{random: 300}}
learner: {{kind: mlp, width: 8}}
trainer: {{kind: standard, steps: 5}}
labeler: {{kind: dataset, delay_s: 0.5}}
sampler: {{kind: random}}
budget: {{unit: label, total: 320, per_round: 5}}
stop: {{metric: accuracy}}
"""
CAMPAIGNS = 4
WAIT_S = 240.0
LOOK_S = 0.01


def resumed(*, ray: bool) -> Json:
    """Seconds from the start of a new process until it serves, drives every campaign, and has written for each."""
    options = ("--cpus", "2") if ray else ("--no-ray",)
    with tempfile.TemporaryDirectory() as name:
        store = Path(name)
        (store / "inputs").mkdir()
        before = _killed(store, options)
        with serving(serve_command(store, *options)) as served:
            found = _timed(served, before)
            served.kill()
    return {"campaigns": CAMPAIGNS, "events_before": sum(before.values()), **found}


def _killed(store: Path, options: tuple[str, ...]) -> dict[str, int]:
    """Let campaigns run until all have labels coming in, then kill; by campaign, where its log stood just before."""
    with serving(serve_command(store, *options)) as served, Client(served.target) as client:
        runs = [client.create(CAMPAIGN.format(number=k)).id for k in range(CAMPAIGNS)]
        _until(lambda: all(client.get(run).labels > 1 for run in runs))
        before = {run: client.get(run).events for run in runs}
        served.kill()
    return before


def _timed(served: Served, before: dict[str, int]) -> Json:
    serving_s = time.monotonic() - served.began
    with Client(served.target) as client:
        _until(lambda: all(client.get(run).activity == "driven" for run in before))
        driven_s = time.monotonic() - served.began
        # The kill may have come after a few more events than were looked at.
        standing = {run: client.get(run).events for run in before}
        _until(lambda: all(client.get(run).events > standing[run] for run in before))
        return {"serving_s": serving_s, "driven_s": driven_s, "written_s": time.monotonic() - served.began}


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > ends:
            raise DataeffError(f"the campaigns must get to work within {WAIT_S:g} s, but got none of it.")
        time.sleep(LOOK_S)
