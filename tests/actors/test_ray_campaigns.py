import threading
from pathlib import Path

import psutil
import pytest

from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.events import Evaluated, Told
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import BLOBS, open_store

TINY = """
version: 1
name: tiny
seed: 3
pool: {kind: digits, size: 240}
evaluation: {validation: 12, test: 20}
initial: {random: 10}
generator: {kind: pca, latent_dim: 4}
learner: {kind: mlp}
trainer: {kind: standard, steps: 10}
labeler: {kind: dataset, delay_s: 0.02}
sampler: {kind: margin}
budget: {total: 22, per_round: 6}
stop: {metric: accuracy}
compare: [{sampler: {kind: random}}]
"""


def tiny(replicas=1):
    return CampaignSpec.parse(TINY, Path(), settings=[f"labeler.runtime.replicas={replicas}"])


def run(hosts, folder, spec, observe=lambda _state, _events: None):
    """The digests of a campaign and its twin, and what was told; the record must be sound."""
    folder.mkdir()
    (folder / BLOBS).symlink_to(hosts.blobs._folder)
    store = open_store(folder, writer=True)
    try:
        states = Session(spec, folder.name, store, hosts, observe).run()
        assert [state.status for state in states] == ["finished", "finished"]
        found = fsck(store, hosts.blobs)
        assert found.ok, str(found)
        told = [e.event.query for s in states for e in store.read(s.id) if isinstance(e.event, Told)]
        assert len(told) == len(set(told))
        return [digests(state) for state in states]
    finally:
        store.close()


@pytest.fixture(scope="module")
def inline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inline")
    with Place(folder / "hosts", folder, None).inline_hosts() as hosts:
        return run(hosts, folder / "run", tiny())


@pytest.mark.parametrize("replicas", [1, 2])
def test_actors_ask_answer_and_learn_what_one_process_does(replicas, inline, hosts, tmp_path):
    assert hosts.concurrency == 2
    assert run(hosts, tmp_path / f"replicas-{replicas}", tiny(replicas)) == inline


class Assassin:
    """Ends one of Ray's processes at a moment of a campaign."""

    def __init__(self, title, when):
        self._title, self._when, self.killed = title, when, []

    def __call__(self, _, events):
        if not self.killed and any(self._when(event) for event in events):
            self.killed = [process.pid for process in self._found()]
            for pid in self.killed:
                psutil.Process(pid).kill()

    def _found(self):
        children = psutil.Process().children(recursive=True)
        return [process for process in children if process.name().startswith(self._title)]


class AtStep(Assassin):
    """Ends a worker in the middle of a step, once."""

    def watch(self, over):
        while not self.killed and not over.wait(0.001):
            self(None, [None])


def test_killed_labelers_cost_nothing(inline, hosts, tmp_path):
    told = []

    def fifth(event):
        told.extend([event] if isinstance(event, Told) else [])
        return len(told) == 5

    assassin = Assassin("ray::Replica", fifth)
    assert run(hosts, tmp_path / "killed-labelers", tiny(2), assassin) == inline
    assert len(assassin.killed) >= 2


def test_a_worker_that_is_killed_during_a_step_is_replaced_and_the_step_done_again(inline, hosts, tmp_path):
    over = threading.Event()
    assassin = AtStep("ray::WorkerShell.call", lambda _: True)
    evaluated = threading.Event()

    def observe(_, events):
        if any(isinstance(event, Evaluated) for event in events) and not evaluated.is_set():
            evaluated.set()
            threading.Thread(target=assassin.watch, args=(over,), daemon=True).start()

    try:
        assert run(hosts, tmp_path / "killed-worker", tiny(2), observe) == inline
    finally:
        over.set()
    assert assassin.killed
