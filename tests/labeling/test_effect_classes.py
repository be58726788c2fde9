"""What a crash around the start, the call, the answer and the acknowledgement does, by the labeler's effect class.

A life is a host, and the driver's side of labelling over it; what outlives it is the record, the blobs and the spool.
"""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.attempts import Attempts
from dataeff_al.campaign.inbox import Inbox
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.state import AttemptStatus
from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import ConflictError, StateError
from dataeff_al.labeling.external import ExternalHost
from dataeff_al.labeling.packing import pack_outcome, pack_request
from dataeff_al.labeling.spool import FileSpool, MemorySpool
from dataeff_al.labeling.types import Done, Label, Request, Running, Times
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.testing.logs import Story

EFFECTS = ("pure", "keyed", "queryable", "blind")
LEASE_S = 600.0


class Desk:
    """A campaign with one query that is leased, and the lives that attend to it."""

    def __init__(self, labeler, hosted, tmp_path):
        self.labeler, self.hosted, self.folder = labeler, hosted, tmp_path / "spool"
        self.record, self.blobs, self.now = MemoryRecord(), MemoryBlobs(), 1000.0
        story = Story(max_cost=1)
        sample = Sample(SampleId("a"), {"x": np.ones((1, 2, 2), np.float32)}, "a")
        self.request = self.blobs.put(pack_request(Request("", sample)))
        begin = [*story.begin(), story.propose(1, request=self.request)]
        for content in story.blobs.values():
            self.blobs.put(content)
        store = MemoryStore(self.record)
        ledger = Ledger.create(store, "desk", begin, lambda: self.now)
        (leased,) = ledger.execute(cmd.GrantAttempts(("q0",)))
        self.attempt = leased.attempts[0].attempt
        store.close()

    @property
    def spool(self):
        return MemorySpool() if self.labeler.info.effect == "pure" else FileSpool(self.folder)

    def life(self, host=None):
        return Life(self, host)

    @property
    def calls(self):
        return sum(self.labeler.invoices.values())

    def crash(self, moment):
        """The process was killed at a moment of the attempt's life; later moments include the ones before."""
        moments = itertools.takewhile(lambda each: each != moment, MOMENTS[1:])
        spool = self.spool
        for each in [*moments, moment]:
            if each == "marked":
                spool.mark_started(self.attempt)
            elif each == "paid":
                self.labeler.label([Request(self.attempt, Sample(SampleId("a"), {"x": np.ones((1, 2, 2))}, "a"))])
            elif each == "kept":
                ref = self.blobs.put(pack_outcome(Label({"label": np.int64(1)})))
                spool.mark_done(self.attempt, Done(ref, Times()))
            elif each == "recorded":
                with self.life() as life:
                    life.ledger.execute(cmd.Tell(self.attempt, ev.LabelRecord(label=ref, cost=1)))
        return self


MOMENTS = ("granted", "marked", "paid", "kept", "recorded")


class Life:
    """One life of a process."""

    def __init__(self, desk, host=None):
        self.desk, self.store, self.inbox = desk, MemoryStore(desk.record), Inbox()
        self.ledger = Ledger(self.store, "desk", lambda: desk.now)
        self.hosted = desk.hosted(desk.labeler, desk.spool, desk.blobs)
        self.host = host or self.hosted.host
        self.execute = lambda *commands: self.ledger.execute_all(commands)
        self.attempts = Attempts(self.ledger, desk.blobs, self.host, self.inbox, lambda *c: self.execute(*c))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        report = fsck(self.store, self.desk.blobs)
        self.store.close()
        assert report.ok, str(report)

    def attend(self):
        """What the driver does about an open attempt after a start; whatever is at work is waited for."""
        attempt = self.desk.attempt
        self.attempts.attend(attempt, may_begin=lambda: True)
        if isinstance(self.host.poll([attempt])[attempt], Running):
            self.hosted.wait(attempt)
        self.attempts.look()
        self.attempts.hear(self.inbox.wait(0))
        return self

    @property
    def status(self):
        return self.ledger.state.attempts[self.desk.attempt].status

    @property
    def money(self):
        account = self.ledger.state.accounts["queries"]
        return account.reserved, account.spent, account.wasted


@pytest.fixture
def desk(toy, queried, hosted_over, tmp_path):
    """Makes a desk for an effect class; a queryable labeler knows what it was paid for."""

    def make(effect):
        labeler = queried() if effect == "queryable" else toy(effect)
        if effect == "queryable":
            labeler.lookup = lambda key: labeler.truth(None) if labeler.invoices[key] else None
        labeler.truth = labeler._answer = lambda _: Label({"label": np.int64(1)})
        return Desk(labeler, hosted_over, tmp_path)

    return make


CALLS = {
    # moment:   pure keyed queryable blind
    "granted": (1, 1, 1, 1),
    "marked": (1, 1, 1, 0),
    "paid": (2, 2, 1, 1),
    "kept": (2, 1, 1, 1),
    "recorded": (1, 1, 1, 1),
}
"""Calls in all, over both lives. A pure call is free; a keyed one is repeated under its key, which is billed once."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_crash_is_followed_by_no_more_calls_than_the_class_allows(desk, effect, moment):
    one = desk(effect).crash(moment)
    lost = effect == "blind" and moment in ("marked", "paid")
    with one.life() as life:
        life.attend()
        assert life.status is (AttemptStatus.UNKNOWN if lost else AttemptStatus.DONE)
        assert life.money == ((1, 0, 0) if lost else (0, 1, 0))
    assert one.calls == CALLS[moment][EFFECTS.index(effect)]
    assert set(one.labeler.invoices) <= {one.attempt}
    with one.life() as life:
        assert one.calls == CALLS[moment][EFFECTS.index(effect)]
        assert life.money == ((1, 0, 0) if lost else (0, 1, 0))


@pytest.mark.parametrize(("verdict", "money"), [("lost", (1, 0, 0)), ("wasted", (1, 0, 1))])
def test_only_an_operator_settles_a_blind_attempt_and_the_next_one_has_another_key(desk, verdict, money):
    one = desk("blind").crash("paid")
    with one.life() as life:
        life.attend()
        with pytest.raises(StateError, match="waiting to be leased"):
            life.ledger.execute(cmd.GrantAttempts(("q0",)))
        life.ledger.execute(cmd.Settle(one.attempt, verdict))
        assert life.money == money
        (leased,) = life.ledger.execute(cmd.GrantAttempts(("q0",)))
        assert leased.attempts[0].attempt != one.attempt
        assert leased.attempts[0].number == 2
    assert one.calls == 1


def test_a_blind_attempt_of_unknown_outcome_that_is_answered_after_all_is_a_label(desk):
    one = desk("blind").crash("paid")
    with one.life() as life:
        life.attend()
        life.ledger.execute(cmd.Tell(one.attempt, ev.LabelRecord(label=one.request, cost=1)))
        assert (life.status, life.money) == (AttemptStatus.DONE, (0, 1, 0))


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_labeler_is_called_only_after_its_spool_knows(desk, effect):
    one = desk(effect)
    with one.life() as life:
        spool, seen = life.hosted.spool, []
        label = one.labeler.label
        one.labeler.label = lambda batch: seen.extend(spool.was_started(each.key) for each in batch) or label(batch)
        life.attend()
        assert seen == [True]


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_outcome_stays_with_its_host_until_it_is_in_the_record(desk, effect):
    one = desk(effect)
    with one.life() as life:
        execute, life.execute = life.execute, _refuse
        with pytest.raises(ConflictError):
            life.attend()
        assert isinstance(life.host.poll([one.attempt])[one.attempt], Done)
        life.execute = execute
        life.attempts.look()
        life.attempts.hear(life.inbox.wait(0))
        assert life.status is AttemptStatus.DONE
        assert life.hosted.spool.outcome(one.attempt) is None
    assert one.calls == 1


def _refuse(*_):
    raise ConflictError("another controller has opened the store.")


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_lease_that_ran_out_while_its_host_was_at_work_is_renewed(desk, effect):
    one = desk(effect)
    one.now += 10 * LEASE_S
    with one.life(_AtWork(one.labeler.info)) as life:
        life.attempts.overdue(one.attempt)
        assert life.status is AttemptStatus.RUNNING
        assert life.ledger.state.attempts[one.attempt].deadline == one.now + LEASE_S


class _AtWork(ExternalHost):
    """Whoever is asked is at work, like a process that outlived the controller."""


class TestExternal:
    """People and programs that pull: the record alone holds the lease."""

    def _life(self, one):
        one.labeler.info = replace(one.labeler.info, delivery="pull")
        return one.life(ExternalHost(one.labeler.info))

    def test_a_lease_outlives_the_process_and_nobody_is_called(self, desk):
        one = desk("blind")
        with self._life(one) as life:
            life.attempts.attend(one.attempt, may_begin=lambda: True)
            assert life.status is AttemptStatus.GRANTED
            assert not life.attempts.in_flight
            life.ledger.execute(cmd.Tell(one.attempt, ev.LabelRecord(label=one.request, cost=1)))
            assert life.money == (0, 1, 0)
        assert one.calls == 0

    def test_one_who_left_gives_way_and_a_late_answer_is_charged_once(self, desk):
        one = desk("blind")
        one.now += LEASE_S
        with self._life(one) as life:
            life.attempts.overdue(one.attempt)
            assert life.status is AttemptStatus.EXPIRED
            (leased,) = life.ledger.execute(cmd.GrantAttempts(("q0",)))
            second = leased.attempts[0].attempt
            for attempt in (one.attempt, one.attempt, second):
                life.ledger.execute(cmd.Tell(attempt, ev.LabelRecord(label=one.request, cost=1)))
            assert life.money == (0, 1, 0)
            assert life.ledger.state.extra == 1


def test_the_spool_is_on_the_disk_before_it_says_so(tmp_path, monkeypatch):
    done, sync, rename = [], os.fsync, Path.replace

    def watched_sync(handle):
        done.append(("sync", Path(f"/proc/self/fd/{handle}").readlink().name))
        sync(handle)

    def watched_rename(path, target):
        done.append(("rename", path.name))
        return rename(path, target)

    spool = FileSpool(tmp_path / "spool")
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_rename)
    for mark, kind in (
        (lambda: spool.mark_started("a"), "started"),
        (lambda: spool.mark_done("a", Done(Ref(digest_bytes(b"o")))), "done"),
    ):
        done.clear()
        mark()
        assert done == [("sync", f"a.{kind}.tmp"), ("rename", f"a.{kind}.tmp"), ("sync", "spool")]
