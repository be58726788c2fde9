"""Actors that are killed, stopped or talk rubbish in the middle of a campaign: it ends as if nothing had happened."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from dataeff_al import registry
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import QueryStatus
from dataeff_al.campaign.summary import digests
from dataeff_al.events import AttemptFailed, Paused, Told
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import BLOBS, open_store
from services.actors import roster
from services.actors.answers import names

BILLED = Path(__file__).parent / "data" / "billed.py"
CAMPAIGN = """
version: 1
name: chaos
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 4, test: 8}
initial: {random: 6}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 5}
labeler: {kind: billed}
sampler: {kind: margin}
budget: {total: 12, per_round: 3}
stop: {metric: accuracy}
"""
ALL_LABELS = 24
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


class Trial:
    """A campaign in a folder of its own, with the invoices of its labeler."""

    def __init__(self, folder, *settings):
        folder.mkdir()
        (folder / "orders").mkdir()
        self.folder, self._record = folder, folder / "record"
        self._record.mkdir()
        given = [f"labeler.folder={folder}", *settings]
        self.spec = CampaignSpec.parse(CAMPAIGN, Path(), settings=given)

    def order(self, what, content=""):
        (self.folder / "orders" / what).write_text(content)

    def revoke(self):
        for path in (self.folder / "orders").iterdir():
            path.unlink()

    def run(self, hosts, observe=lambda _state, _events: None):
        """The state in which it comes to rest; the record must be sound, and no call may have been paid twice."""
        if not (self._record / BLOBS).exists():
            (self._record / BLOBS).symlink_to(hosts.blobs._folder)
        store = open_store(self._record, writer=True)
        try:
            (self.state,) = Session(self.spec, f"chaos-{self.folder.name}", store, hosts, observe).run()
            found = fsck(store, hosts.blobs)
            assert found.ok, str(found)
            self.events = [stored.event for stored in store.read(self.state.id)]
        finally:
            store.close()
        self._check_bills()
        return self.state

    def _check_bills(self):
        """Whoever can be asked twice for nothing has written at most one invoice for what was paid or given up."""
        if self.spec.labeler.params.effect == "pure":
            return
        accounts = self.state.accounts.values()
        paid = sum(account.spent + account.wasted for account in accounts) + self.state.unknown
        assert len(self.invoices) <= paid

    @property
    def invoices(self):
        return [path.name for path in (self.folder / "invoices").iterdir()]

    @property
    def paid_samples(self):
        return Counter(name.split(".")[0] for name in self.invoices)

    @property
    def failures(self):
        return [event for event in self.events if isinstance(event, AttemptFailed)]

    def finished_like(self, undisturbed):
        assert self.state.status == "finished", self.state.paused
        assert digests(self.state) == undisturbed
        return self


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    registry.load_file(BILLED)
    folder = tmp_path_factory.mktemp("undisturbed")
    with Place(folder / "hosts", folder, None).inline_hosts() as hosts:
        trial = Trial(folder / "trial")
        found = digests(trial.run(hosts))
    assert set(trial.paid_samples.values()) == {1}
    assert len(trial.invoices) == ALL_LABELS
    return found, trial.state


@pytest.fixture
def trial(tmp_path, request, undisturbed):
    def new(*settings):
        return Trial(tmp_path / f"trial-{request.node.name.replace('[', '-').strip(']')[:40]}", *settings)

    return new


def ray_processes(*titles):
    found = []
    for child in psutil.Process().children(recursive=True):
        # One that ends while it is looked at is no process any more.
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child] if child.name().startswith(titles) else []
    return found


def test_labelers_that_are_killed_inside_a_paid_call_are_paid_once(trial, undisturbed, hosts):
    one = trial("labeler.effect=keyed", "labeler.delay_s=0.05", "labeler.runtime.replicas=2")
    for number in range(2):
        one.order(f"die.{number}")
    one.run(hosts)
    one.finished_like(undisturbed[0])
    assert set(one.paid_samples.values()) == {1}
    assert not one.failures


def test_a_generator_that_is_killed_while_it_learns_is_made_anew(trial, undisturbed, hosts):
    one = trial("generator={kind: slow_pca, delay_s: 1.0}")
    killed, over = [], threading.Event()

    def kill():
        while not killed and not over.wait(0.01):
            for host in hosts._crew.hosts:
                if host.brief and host.actor is not None:
                    killed.extend(end(ray_processes("ray::WorkerShell.call")))

    watch = threading.Thread(target=kill, daemon=True)
    watch.start()
    try:
        one.run(hosts)
    finally:
        over.set()
        watch.join()
    one.finished_like(undisturbed[0])
    assert killed


def end(processes, how=signal.SIGKILL):
    """Send a signal; the ids of those that were there to get it."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
            found.append(process.pid)
    return found


class Havoc:
    """Kills actors at random moments: a worker twice at most, for a step is given up after three losses."""

    def __init__(self, rng):
        self._rng, self._over, self.killed = rng, threading.Event(), []
        self._left = {"ray::WorkerShell": 2, "ray::Replica": 3, "ray::Keeper": 1}
        self._thread = threading.Thread(target=self._rage, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _rage(self):
        while self._left and not self._over.wait(self._rng.uniform(0.02, 0.5)):
            title = self._rng.choice(sorted(self._left))
            victims = ray_processes(title)
            if not victims:
                continue
            self.killed += [(title, pid) for pid in end([self._rng.choice(victims)])]
            self._left[title] -= 1
            self._left = {name: count for name, count in self._left.items() if count}


@pytest.mark.parametrize("effect", ["pure", "keyed", "queryable"])
def test_actors_that_are_killed_at_random_cost_nothing(effect, trial, undisturbed, hosts, chaos_round):
    one = trial(f"labeler.effect={effect}", "labeler.delay_s=0.1", "labeler.runtime.replicas=2")
    with Havoc(random.Random(chaos_round * 1000 + len(effect))) as havoc:
        one.run(hosts)
    one.finished_like(undisturbed[0])
    assert havoc.killed
    if effect != "pure":
        assert set(one.paid_samples.values()) == {1}


def test_rubbish_fails_with_a_reason_and_three_times_it_is_given_up(trial, undisturbed, hosts):
    tested = [query.payload for query in undisturbed[1].of("test")]
    rubbish = {
        "nan": "whole numbers",
        "shape": "must have shape",
        "dtype": "whole numbers",
        "large": "codes from 0 to 9",
        "raise": "the line is down",
    }
    one = trial("labeler.effect=pure", "labeler.runtime.replicas=2")
    of = dict(zip(rubbish, tested, strict=False))
    for what, sample in of.items():
        one.order(f"sample-{sample}", what)
    state = one.run(hosts)
    assert state.status == "finished"
    by_sample = {query.payload: query for query in state.of("test")}
    for what, sample in of.items():
        query = by_sample[sample]
        assert query.status is QueryStatus.DEAD_LETTER
        assert query.attempts == 3
        assert rubbish[what] in query.reason
    assert all(query.label for sample, query in by_sample.items() if sample not in of.values())
    kinds = Counter(failed.failure for failed in one.failures)
    assert kinds == {"bad_label": 12, "infra": 3}
    assert digests(state)["model"] == undisturbed[0]["model"]


def test_five_infrastructure_failures_in_a_row_pause_and_the_campaign_goes_on_when_mended(trial, undisturbed, hosts):
    one = trial("labeler.effect=pure", "labeler.runtime.replicas=1")
    for number in range(40):
        one.order(f"raise.{number}")
    state = one.run(hosts)
    assert state.status == "paused"
    assert state.paused.cause == "infra"
    assert "infrastructure failures in a row" in state.paused.reason
    assert "the line is down" in state.paused.reason
    one.revoke()
    one.run(hosts)
    one.finished_like(undisturbed[0])
    assert sum(isinstance(event, Paused) for event in one.events) == 1


def test_a_labeler_that_takes_too_much_memory_is_ended_and_its_attempt_fails_with_the_reason(trial, undisturbed, hosts):
    one = trial("labeler.effect=pure", "labeler.runtime={memory_gib: 0.7}")
    for number in range(3):
        one.order(f"leak.{number}")
    one.run(hosts)
    one.finished_like(undisturbed[0])
    (failed,) = one.failures
    assert failed.failure == "infra"
    assert "lost 3 times at this request: the labeler's process must stay within 0.7 GiB" in failed.reason


def test_a_labeler_that_is_stopped_and_wakes_too_late_is_paid_once(trial, undisturbed, hosts):
    one = trial("labeler.effect=keyed", "labeler.limit_s=2", "labeler.runtime.replicas=2")
    one.order("stop.1")
    woken, over = [], threading.Event()

    def wake():
        while not woken and not over.wait(0.1):
            asleep = [process for process in ray_processes("ray::Replica") if process.status() == psutil.STATUS_STOPPED]
            if asleep:
                over.wait(3.0)
                woken.extend(end(asleep, signal.SIGCONT))

    watch = threading.Thread(target=wake, daemon=True)
    watch.start()
    try:
        state = one.run(hosts)
    finally:
        over.set()
        watch.join()
    assert woken
    assert state.status == "finished"
    late = [failed for failed in one.failures if failed.failure == "timeout"]
    assert len(late) <= 1
    spent = sum(account.spent for account in state.accounts.values())
    assert spent == sum(isinstance(event, Told) for event in one.events)
    if not late:
        one.finished_like(undisturbed[0])


def test_a_labeler_that_never_wakes_is_ended_and_its_attempt_fails_as_a_timeout(trial, undisturbed, hosts, monkeypatch):
    monkeypatch.setattr(roster, "GRACE_S", 1.0)
    one = trial("labeler.effect=pure", "labeler.limit_s=1", "labeler.runtime.replicas=2")
    one.order("stop.1")
    stopped = set()

    def observe(_state, _events):
        stopped.update(p.pid for p in ray_processes("ray::Replica") if p.status() == psutil.STATUS_STOPPED)

    one.run(hosts, observe)
    one.finished_like(undisturbed[0])
    assert [failed.failure for failed in one.failures] == ["timeout"]
    assert "no answer within" in one.failures[0].reason
    assert len(stopped) == 1
    gone_within(stopped, 30)


def gone_within(pids, seconds):
    until = time.monotonic() + seconds
    while any(at_work(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [pid for pid in pids if at_work(pid)]


def at_work(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_campaign_that_has_ended_leaves_no_actor_of_its_own(trial, hosts, monkeypatch):
    monkeypatch.setattr(hosts._parting, "_delay_s", 0.2)
    before = set(names("labeler-"))
    seen = set()
    one = trial("labeler.runtime.replicas=2")
    one.run(hosts, lambda _state, _events: seen.update(set(names("labeler-")) - before))
    assert len(seen) == 2
    until = time.monotonic() + 30
    while (seen & set(names("labeler-")) or hosts._crew.hosts) and time.monotonic() < until:
        time.sleep(0.1)
    assert not seen & set(names("labeler-"))
    assert not hosts._crew.hosts
    gone_within([process.pid for process in ray_processes("ray::Replica", "ray::WorkerShell")], 30)
