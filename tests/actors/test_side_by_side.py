"""A committee whose members are trained in several actors ends as one that is trained in one process."""

import threading
from pathlib import Path

import psutil
import pytest

from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.events import StepFailed, Trained
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import BLOBS, open_store

COMMITTEE = """
version: 1
name: committee
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 6, test: 10}
initial: {random: 6}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 5, ensemble: members, ensemble_size: 4, warm_start: true}
labeler: {kind: dataset}
sampler: {kind: committee}
budget: {total: 12, per_round: 3}
stop: {metric: accuracy}
"""


def committee(replicas, *settings):
    given = [f"learner.runtime.replicas={replicas}", *settings]
    return CampaignSpec.parse(COMMITTEE, Path(), settings=given)


def run(hosts, folder, spec, observe=lambda _state, _events: None):
    folder.mkdir()
    (folder / BLOBS).symlink_to(hosts.blobs._folder)
    store = open_store(folder, writer=True)
    try:
        (state,) = Session(spec, folder.name, store, hosts, observe).run()
        assert state.status == "finished"
        found = fsck(store, hosts.blobs)
        assert found.ok, str(found)
        fits = [e.event.model for e in store.read(state.id) if isinstance(e.event, Trained)]
        assert len(fits) == (spec.budget.total - 6) // 3 + 1
        return digests(state), fits
    finally:
        store.close()


def inline(folder, spec):
    folder.mkdir()
    with Place(folder / "hosts", folder, None).inline_hosts() as hosts:
        return run(hosts, folder / "run", spec)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return inline(tmp_path_factory.mktemp("alone") / "inline", committee(1))


@pytest.mark.parametrize("replicas", [1, 3])
def test_members_trained_side_by_side_are_those_that_one_process_trains(replicas, alone, hosts, tmp_path):
    most = []

    def count(state, _):
        most.append(len(hosts._crew._busy.get(state.id, [])))

    assert run(hosts, tmp_path / f"learners-{replicas}", committee(replicas), count) == alone
    assert max(most) == replicas


class Assassin:
    """Ends one of several actors that are at work at once, which only the members of a committee are."""

    def __init__(self):
        self.killed, self.over, self.failures, self._watching = [], threading.Event(), [], False

    def __call__(self, _, events):
        self.failures += [event for event in events if isinstance(event, StepFailed)]
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while not self.killed and not self.over.wait(0.001):
            children = psutil.Process().children(recursive=True)
            busy = [child for child in children if child.name().startswith("ray::WorkerShell.call")]
            if len(busy) > 1:
                self.killed.append(busy[-1].pid)
                busy[-1].kill()


def test_a_killed_learner_costs_nothing_but_time(hosts, tmp_path):
    longer = ("trainer.steps=300", "budget.total=9")
    assassin = Assassin()
    try:
        found = run(hosts, tmp_path / "killed-learner", committee(3, *longer), assassin)
    finally:
        assassin.over.set()
    assert assassin.killed
    assert not assassin.failures
    assert found == inline(tmp_path / "inline", committee(1, *longer))
