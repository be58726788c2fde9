import os
import signal
import time
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.packing import pack_request, unpack_outcome
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import Done, Label, LabelerInfo, LabelFailure, Request, Running, Unknown
from dataeff_al.parts import Runtime
from dataeff_al.samples.types import Sample, TargetSpec
from services.actors.answers import names
from services.actors.duty import Duty, Job
from services.actors.replica import Post
from services.actors.seat import PluginFile, Seat
from services.actors.staff import Staff

ODD = PluginFile.read(Path(__file__).parent / "data" / "odd_labeler.py")
WAIT_S = 90.0


class Office:
    """A staff with what a driver has of it: a spool, blobs, and the invoices that the labeler wrote."""

    def __init__(self, hosts, place, calls, effect="pure", replicas=1, **params):
        self.calls, self.blobs, self.told = calls, hosts.blobs, []
        self.spool = FileSpool(place.folder / "spool")
        spec = {**SPEC, "labeler": {"kind": "odd", "effect": effect, "calls": str(calls), **params}}
        seat = Seat(hosts._keeping.name, place.base_dir, None, [ODD])
        info = LabelerInfo("odd", "1", TargetSpec("label", "class", (), ("a", "b")), effect, timeout_s=3.0)
        self.duty = Duty(
            Post(seat, spec, Runtime()),
            info,
            Runtime(replicas=replicas),
            self.blobs,
            None if effect == "pure" else self.spool,
            f"test-{uuid.uuid4().hex}",
        )
        self.staff = Staff(self.duty)

    def start(self, how, attempt=None):
        key = attempt or f"{how}{uuid.uuid4().hex}"
        sample = Sample(f"{how}-{key}", {"x": np.zeros(1, np.float32)}, "g")
        request = Ref(self.blobs.put(pack_request(Request("", sample))))
        self.staff.start(Job(key, request, self.told.append))
        return key

    def wait(self, key, *, until=Done):
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            found = self.staff.progress(key)
            if isinstance(found, until):
                return found
            time.sleep(0.02)
        raise AssertionError(f"{key} did not become {until}")

    def outcome(self, key):
        return unpack_outcome(self.blobs.get(self.wait(key).outcome))

    def lose_driver(self):
        """The old staff hears nothing any more, like that of a killed process; a new one begins."""
        self.staff._listener.close()
        self.staff = Staff(self.duty)

    def drive(self, how, key):
        """What a driver does until there is an outcome: start again whatever the staff has forgotten."""
        while isinstance(self.wait(key, until=(Done, Unknown)), Unknown):
            self.start(how, key)
        return self.outcome(key)

    def invoices(self, key):
        return list(self.calls.glob(f"{key}.*"))

    def pids(self, keys):
        return {int(path.name.split(".")[1]) for key in keys for path in self.invoices(key)}

    def wait_for_call(self, key):
        ends = time.monotonic() + WAIT_S
        while not self.invoices(key) and time.monotonic() < ends:
            time.sleep(0.02)
        return int(self.invoices(key)[0].name.split(".")[1])


SPEC = {
    "version": 1,
    "name": "odd",
    "seed": 1,
    "pool": {"kind": "bare"},
    "evaluation": {"validation": 1, "test": 1},
    "initial": {"random": 1},
    "learner": {"kind": "mlp"},
    "sampler": {"kind": "random"},
    "budget": {"total": 2, "per_round": 1},
    "stop": {"metric": "accuracy"},
}


@pytest.fixture
def office(hosts, place, tmp_path):
    opened = []

    def open_one(effect="pure", **params):
        opened.append(Office(hosts, place, tmp_path, effect, **params))
        return opened[-1]

    yield open_one
    for one in opened:
        one.staff.close()


def test_replicas_share_the_work_and_each_outcome_is_told_and_forgotten_when_acknowledged(office):
    office = office(replicas=2, delay_s=0.05)
    keys = [office.start("ok") for _ in range(40)]
    assert all(isinstance(office.outcome(key), Label) for key in keys)
    assert len(office.pids(keys)) == 2
    ends = time.monotonic() + WAIT_S
    while len(office.told) < len(keys) and time.monotonic() < ends:
        time.sleep(0.01)
    assert sorted(office.told) == sorted(keys)
    assert all(len(office.invoices(key)) == 1 for key in keys)
    office.start("ok", keys[0])
    office.staff.ack(keys)
    assert office.staff.progress(keys[0]) == Unknown(started=False)
    office.staff.close()
    assert names(office.duty.prefix) == []


def test_a_request_that_always_kills_the_process_fails_and_the_others_are_answered(office):
    office = office(replicas=1)
    poison = office.start("die")
    others = [office.start("ok") for _ in range(3)]
    failure = office.drive("die", poison)
    assert isinstance(failure, LabelFailure)
    assert failure.kind == "infra"
    assert failure.cost == 0
    assert "3 times" in failure.reason
    assert all(isinstance(office.drive("ok", key), Label) for key in others)


def test_a_keyed_attempt_is_repeated_under_its_own_key_and_a_hung_one_is_ended(office):
    office = office(effect="keyed", delay_s=0.2)
    key = office.start("stumble")
    assert isinstance(office.drive("stumble", key), Label)
    assert len(office.invoices(key)) == 2
    office.staff.ack([key])
    assert office.spool.outcome(key) is None
    assert not office.spool.was_started(key)

    hung = office.start("hang")
    old = office.wait_for_call(hung)
    failure = office.outcome(hung)
    assert isinstance(failure, LabelFailure)
    assert failure.kind == "timeout"
    after = office.start("ok")
    assert isinstance(office.drive("ok", after), Label)
    assert office.wait_for_call(after) != old
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)


def test_a_blind_attempt_survives_a_killed_driver_and_is_never_repeated_after_a_killed_labeler(office):
    office = office(effect="blind", delay_s=2.0)
    running = office.start("ok")
    office.wait_for_call(running)
    office.lose_driver()
    assert isinstance(office.staff.progress(running), Running)
    assert isinstance(office.outcome(running), Label)
    assert len(office.invoices(running)) == 1

    paid, waits = office.start("hang"), office.start("ok")
    os.kill(office.wait_for_call(paid), signal.SIGKILL)
    lost = office.wait(paid, until=Unknown)
    assert lost.started
    assert "must be alive" in lost.reason
    assert isinstance(office.drive("ok", waits), Label)
    assert len(office.invoices(paid)) == len(office.invoices(waits)) == 1


def test_what_is_called_off_before_it_began_is_never_begun_and_may_be_started_again(office):
    office = office(delay_s=1.0)
    first = office.start("ok")
    office.wait_for_call(first)
    at_replica, waiting = office.start("ok"), [office.start("ok") for _ in range(3)]
    office.staff.cancel([first, at_replica, *waiting])
    assert isinstance(office.staff.progress(first), Running)
    assert {office.staff.progress(key) for key in (at_replica, *waiting)} == {Unknown(started=False)}
    assert isinstance(office.outcome(first), Label)
    office.start("ok", at_replica)
    assert isinstance(office.outcome(at_replica), Label)
    assert not any(office.invoices(key) for key in waiting)


def test_a_blind_labeler_that_hangs_ends_in_an_unknown_outcome_with_the_reason(office):
    office = office(effect="blind")
    hung = office.start("hang")
    lost = office.wait(hung, until=Unknown)
    assert lost.started
    assert "no answer within 3 s" in lost.reason
    assert isinstance(office.drive("ok", office.start("ok")), Label)


def test_a_queryable_attempt_is_asked_about_before_it_is_repeated(office):
    office = office(effect="queryable", delay_s=0.2)
    key = office.start("stumble")
    assert isinstance(office.outcome(key), Label)
    assert len(office.invoices(key)) == 1


def test_a_labeler_that_cannot_be_made_fails_its_attempts_with_its_own_words(office):
    office = office(broken=True)
    failure = office.outcome(office.start("ok"))
    assert failure.kind == "infra"
    assert "the licence must be valid" in failure.reason


def test_replicas_let_go_with_their_cluster_tell_whoever_waits_and_take_nothing_on(office):
    office = office(delay_s=1.0)
    held = office.start("ok")
    office.wait_for_call(held)
    waiting = [office.start("ok") for _ in range(3)]
    # Whoever closes them may have seen the loss before their own thread has.
    office.staff._listener.close()
    office.staff.duty = replace(office.duty, trouble=lambda: "the cluster must go on, but got an end of it")
    office.staff.close()
    assert sorted(office.told) == sorted([held, *waiting])
    assert {office.staff.progress(key) for key in (held, *waiting)} == {Unknown(started=False)}
    with pytest.raises(UnavailableError, match="must go on, but got an end of it"):
        office.start("ok")
