"""A campaign on paper: commands in, events out, with worker's results made up where only their form matters."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.decide import decide
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.digests import digest_json
from dataeff_al.stores.protocol import StoredEvent

TINY = """
version: 1
name: tiny
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 2, test: 3}
initial: {random: 4}
learner: {kind: mlp}
labeler: {kind: dataset}
sampler: {kind: random}
budget: {unit: label, total: 10, per_round: 3}
stop: {metric: accuracy, target: 0.9}
"""


class Paper:
    """A campaign whose steps end as told; ``now`` is the only clock, ``log`` holds every event."""

    def __init__(self, *settings, max_cost=1, lease_s=10.0, base_dir=Path()):
        self.spec = CampaignSpec.parse(TINY, base_dir, settings=settings)
        self.now, self.log = 1000.0, []
        self._samples = itertools.count()
        self.state = State(id="tiny")
        self.write(
            ev.Created(
                name="tiny",
                spec=self.spec.canonical(),
                spec_digest=self.spec.identity,
                max_cost=max_cost,
                lease_s=lease_s,
            )
        )

    def write(self, *events):
        for event in events:
            self.log.append(event)
            self.state = apply(self.state, event)
        return list(events)

    def do(self, command):
        return self.write(*decide(self.state, command, self.now))

    def plan(self):
        return do.plan(self.state, self.now)

    def planned(self, kind):
        return [action for action in self.plan() if isinstance(action, kind)]

    def steps(self):
        return {(step.method, step.task.get("purpose")): step for step in self.planned(do.Step)}

    def done(self, step, **changes):
        result = self.result(step) | changes
        return self.do(cmd.StepDone(step.key, step.method, step.task, result, 0.5))

    def result(self, step):
        evaluation = self.spec.evaluation
        return {
            "prepare_pool": lambda: {
                "splits": "s" * 64,
                "pool_digest": "p",
                "holdout_digest": "h",
                "candidates": 100,
                "evaluation_budget": (evaluation.validation + evaluation.test + (evaluation.reference or 0))
                * self.state.created.max_cost,
            },
            "fit_generator": lambda: {"generator": "g" * 64, "latents": "l" * 64, "error": 0.1, "mean_error": 0.2},
            "propose": lambda: {"queries": [self.row() for _ in range(step.task["n"])][: step.task.get("most")]},
            "train": lambda: {
                "model": digest_json(step.key),
                "labels": len(step.task["labelled"]),
                "steps": 1,
                "loss": 0.5,
            },
            "evaluate": lambda: {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.5}},
        }[step.method]()

    def row(self):
        number = next(self._samples)
        return {
            "payload": f"sample-{number}",
            "request": digest_json(["request", number]),
            "content": digest_json(["content", number]),
        }

    def ask(self):
        """Up to the first queries: everything proposed, nothing leased."""
        while steps := self.planned(do.Step):
            if steps[0].method not in ("prepare_pool", "fit_generator", "propose"):
                return self
            self.done(steps[0])
        return self

    def grant(self):
        """Lease everything that waits; returns the attempts."""
        (action,) = self.planned(do.Grant)
        (leased,) = self.do(cmd.GrantAttempts(action.queries))
        return [grant.attempt for grant in leased.attempts]

    def label(self, attempt, cost=1):
        return ev.LabelRecord(label=digest_json(["label", attempt]), cost=cost)

    def tell(self, attempt, cost=1):
        return self.do(cmd.Tell(attempt, self.label(attempt, cost)))

    def answer(self):
        """Lease and answer everything that waits."""
        for attempt in self.grant():
            self.tell(attempt)
        return self

    def learn(self, value=0.5):
        """Train and evaluate the round."""
        (train,) = self.planned(do.Step)
        assert train.method == "train"
        self.done(train)
        (evaluate,) = self.planned(do.Step)
        self.done(evaluate, validation={"accuracy": value})
        return self

    def round(self, value=0.5):
        """Ask what is to be asked, answer and learn."""
        return self.ask().answer().learn(value)

    def of(self, purpose):
        return list(self.state.of(purpose))

    def stored(self):
        return [StoredEvent("tiny", n, 1, 0.5, event) for n, event in enumerate(self.log, start=1)]

    def account(self, name="queries"):
        account = self.state.accounts[name]
        return account.total, account.reserved, account.spent, account.wasted

    def fields(self, **changes):
        return dataclasses.replace(self.state, **changes)


@pytest.fixture
def paper():
    """Makes campaigns on paper: ``paper("budget.total=12", max_cost=2)``."""
    return Paper


DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def command_line():
    """Runs the command line in a folder: ``command_line(folder, "run", ..., script=[["signal", 9]])``.

    Runs are forked from one warm process, so that none of them pays for the imports; see ``data/zygote.py``.
    """
    with subprocess.Popen(
        [sys.executable, str(DATA / "zygote.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as process:

        def run(folder, *argv, script=()):
            wanted = {"argv": [str(part) for part in argv], "folder": str(folder), "script": list(script)}
            process.stdin.write(json.dumps(wanted) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield run
        process.stdin.close()
