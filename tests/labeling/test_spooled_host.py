import threading
import time

import numpy as np
import pytest

from dataeff_al.errors import RecordError
from dataeff_al.labeling.spooled import MAX_CALLS
from dataeff_al.labeling.types import Deferred, Done, Label, LabelFailure, Running, Unknown


class Gate:
    """Keeps a labeler inside its call until it is opened."""

    def __init__(self):
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, request):
        self.entered.set()
        assert self.opened.wait(60)
        return Label({"label": np.int64(1)})


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


def _raise(error):
    def answer(request):
        raise error

    return answer


def _poll_until_heard(host, attempt, times=1):
    """Overlong work is noticed by asking."""
    until = time.monotonic() + 30
    while host.heard[attempt] < times and time.monotonic() < until:
        host.poll(attempt)
        time.sleep(0.005)
    assert host.heard[attempt] >= times


def test_an_attempt_is_answered_told_of_and_forgotten(toy, hosted):
    host = hosted(toy()).start("a").wait("a")
    assert host.outcome("a").target["label"] == 1
    assert isinstance(host.poll("a"), Done)
    host.host.ack(["a"])
    assert host.poll("a") == Unknown(started=False)


def test_starting_twice_calls_once(toy, hosted):
    labeler = toy()
    host = hosted(labeler).start("a", "a").wait("a").start("a")
    time.sleep(0.05)
    assert labeler.invoices == {"a": 1}
    assert host.heard["a"] == 1


def test_requests_are_answered_in_batches_of_the_preferred_size(toy, hosted, gate):
    labeler = toy(answer=gate, preferred_batch=3)
    host = hosted(labeler).start("first")
    assert gate.entered.wait(30)
    host.start(*"abcde")
    gate.opened.set()
    host.wait(*"abcde")
    assert labeler.batches == [["first"], ["a", "b", "c"], ["d", "e"]]


def test_the_run_may_ask_for_another_batch_size(toy, hosted, gate):
    labeler = toy(answer=gate, preferred_batch=3)
    host = hosted(labeler, batch=1).start("first")
    assert gate.entered.wait(30)
    host.start("a", "b")
    gate.opened.set()
    host.wait("a", "b")
    assert labeler.batches == [["first"], ["a"], ["b"]]


def test_what_waits_can_be_taken_back_and_what_has_begun_cannot(toy, hosted, gate):
    labeler = toy(answer=gate)
    host = hosted(labeler).start("first")
    assert gate.entered.wait(30)
    host.start("waiting")
    host.host.cancel(["first", "waiting"])
    assert host.poll("waiting") == Unknown(started=False)
    assert isinstance(host.poll("first"), Running)
    gate.opened.set()
    host.wait("first")
    assert set(labeler.invoices) == {"first"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda r: None, "must be a Label, a LabelFailure or a Deferred"),
        (lambda r: Label({"label": np.float32(1)}), "must hold whole numbers"),
        (lambda r: Label({"label": np.int64(2)}), "codes from 0 to 1"),
        (lambda r: Label({"label": np.zeros(3, np.int64)}), "must have shape ()"),
        (lambda r: Label({}), "must hold 'label'"),
        (lambda r: Label({"label": object()}), "must hold whole numbers"),
        (lambda r: Label({"label": np.int64(1), "more": np.array(["text"])}), "the answer cannot be kept"),
        (lambda r: Label({"label": np.int64(1)}, confidence=float("nan")), "a confidence of nan"),
        (lambda r: Label({"label": np.int64(1)}, cost=-1), "cost must be a whole number"),
        (lambda r: Label({"label": np.int64(1)}, cost=1.5), "cost must be a whole number"),
        (lambda r: Label({"label": np.int64(1)}, cost=10**30), "cost must be a whole number"),
        (lambda r: Label({"label": np.int64(1)}, valid=np.array([False])), "validity must have shape"),
        (lambda r: Label("no mapping"), "must hold 'label'"),
        (lambda r: LabelFailure("r", kind="odd"), "must state a known kind"),
        (lambda r: LabelFailure("r", cost=-1), "must state a known kind"),
        (lambda r: Deferred(None, 0.5), "must be a Label"),
    ],
)
def test_an_answer_that_is_none_is_a_failure_with_the_broken_rule(toy, hosted, answer, words):
    host = hosted(toy(answer=answer)).start("a").wait("a").start("b").wait("b")
    for attempt in "ab":
        outcome = host.outcome(attempt)
        assert (outcome.kind, words in outcome.reason) == ("bad_label", True), outcome


def test_numbers_of_numpy_are_numbers(toy, hosted):
    label = Label({"label": np.int64(1)}, cost=np.int64(1), confidence=np.float32(0.5), notes={"n": 3})
    host = hosted(toy(answer=lambda r: label)).start("a").wait("a")
    assert (host.outcome("a").cost, host.outcome("a").confidence, host.outcome("a").notes) == (1, 0.5, {"n": "3"})


@pytest.mark.parametrize(("effect", "cost"), [("pure", 0), ("keyed", 2), ("queryable", 2), ("blind", 2)])
def test_an_answer_that_cannot_be_read_costs_what_a_call_costs(toy, hosted, effect, cost):
    host = hosted(toy(effect, answer=lambda r: None, cost=2, max_cost=2)).start("a").wait("a")
    assert host.outcome("a").cost == cost


def test_a_wrong_number_of_answers_is_nobodys_answer(toy, hosted):
    labeler = toy("blind", cost=2, max_cost=2)
    labeler.label = lambda batch: []
    outcome = hosted(labeler).start("a").wait("a").outcome("a")
    assert (outcome.kind, outcome.cost) == ("bad_label", 2)
    assert "must answer each of 1 requests, but got 0 outcomes" in outcome.reason


def test_one_request_that_raises_spoils_no_other_of_a_pure_labelers_batch(toy, hosted, gate):
    labeler = toy(preferred_batch=4)
    honest, fates = labeler.truth, {"first": gate, "bad": _raise(ValueError("no wall"))}
    labeler._answer = lambda r: fates.get(r.key, honest)(r)
    host = hosted(labeler).start("first")
    assert gate.entered.wait(30)
    host.start("a", "bad", "b")
    gate.opened.set()
    host.wait("a", "bad", "b")
    assert labeler.batches[1:] == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]
    assert isinstance(host.outcome("a"), Label)
    assert isinstance(host.outcome("b"), Label)
    assert host.outcome("bad") == LabelFailure("labeler 'toy' raised ValueError('no wall')", "infra")


@pytest.mark.parametrize("error", [ValueError("broke"), SystemExit(3), MemoryError()])
def test_whatever_a_labeler_raises_its_host_goes_on(toy, hosted, error):
    labeler = toy(answer=_raise(error))
    host = hosted(labeler).start("a").wait("a")
    assert host.outcome("a").kind == "infra"
    labeler._answer = labeler.truth
    host.start("b").wait("b")
    assert isinstance(host.outcome("b"), Label)


class TestCallsThatRaised:
    def test_a_keyed_labeler_is_called_again_under_the_same_key(self, toy, hosted):
        labeler = toy("keyed")
        labeler._answer = lambda r: labeler.truth(r) if labeler.invoices[r.key] > 1 else _raise(OSError("reset"))(r)
        host = hosted(labeler).start("a").wait("a")
        assert isinstance(host.outcome("a"), Label)
        assert labeler.invoices == {"a": 2}

    def test_a_keyed_labeler_that_goes_on_raising_has_failed(self, toy, hosted):
        labeler = toy("keyed", answer=_raise(OSError("reset")))
        host = hosted(labeler).start("a").wait("a")
        assert host.outcome("a").kind == "infra"
        assert labeler.invoices == {"a": MAX_CALLS}

    def test_a_blind_labeler_is_not_called_again_and_its_outcome_is_unknown(self, toy, hosted):
        labeler = toy("blind", answer=_raise(OSError("reset")))
        host = hosted(labeler).start("a").wait("a")
        assert host.poll("a") == Unknown(started=True, reason="labeler 'toy' raised OSError('reset')")
        assert host.again().poll("a") == Unknown(started=True)
        assert labeler.invoices == {"a": 1}

    @pytest.mark.parametrize(
        ("known", "wanted"),
        [
            (Label({"label": np.int64(0)}), Label),
            (None, LabelFailure),
            (LabelFailure("never"), LabelFailure),
        ],
    )
    def test_a_queryable_labeler_is_asked(self, queried, hosted, known, wanted):
        labeler = queried(_raise(OSError("reset")))
        labeler.known["a"] = known
        outcome = hosted(labeler).start("a").wait("a").outcome("a")
        assert isinstance(outcome, wanted)
        assert labeler.invoices == {"a": 1}

    def test_a_queryable_labeler_that_cannot_say_leaves_the_outcome_unknown(self, queried, hosted):
        labeler = queried(_raise(OSError("reset")))
        labeler.known["a"] = OSError("still down")
        host = hosted(labeler).start("a").wait("a")
        assert host.poll("a").started
        assert "still down" in host.poll("a").reason


class TestNextLife:
    def _killed(self, labeler, hosted):
        """A host whose process died inside the call."""
        host = hosted(labeler)
        host.spool.mark_started("a")
        return host

    @pytest.mark.parametrize("effect", ["keyed", "blind"])
    def test_what_was_begun_and_not_answered_is_known_to_be_begun(self, toy, hosted, effect):
        assert self._killed(toy(effect), hosted).again().poll("a") == Unknown(started=True)

    def test_an_outcome_outlives_the_host(self, toy, hosted):
        host = hosted(toy("blind")).start("a").wait("a")
        again = host.again()
        assert again.outcome("a") == host.outcome("a")
        again.start("a")
        assert again.labeler.invoices == {"a": 1}
        again.host.ack(["a"])
        assert host.again().poll("a") == Unknown(started=False)

    @pytest.mark.parametrize(
        ("known", "wanted"),
        [(None, Unknown(started=False)), (Label({"label": np.int64(1)}), Done), (OSError("down"), Unknown)],
    )
    def test_a_queryable_labeler_is_asked_about_an_earlier_life(self, queried, hosted, known, wanted):
        labeler = queried()
        labeler.known["a"] = known
        found = self._killed(labeler, hosted).again().poll("a")
        assert found == wanted or isinstance(found, wanted)
        if isinstance(found, Unknown) and known is not None:
            assert found.started
            assert "down" in found.reason

    def test_a_labeler_that_only_claims_to_be_queryable_is_not_repeated(self, toy, hosted):
        found = self._killed(toy("queryable"), hosted).again().poll("a")
        assert found.started
        assert "has no lookup" in found.reason


class TestOverlongCalls:
    @pytest.mark.parametrize(("effect", "cost"), [("pure", 0), ("keyed", 3)])
    def test_nobody_waits_for_ever_and_others_go_on(self, toy, hosted, gate, effect, cost):
        labeler = toy(effect, answer=gate, max_cost=3)
        host = hosted(labeler, timeout_s=0.05).start("a")
        assert gate.entered.wait(30)
        labeler._answer = labeler.truth
        _poll_until_heard(host, "a")
        assert host.outcome("a") == LabelFailure("no answer within 0.05 s", "timeout", cost)
        assert host.host.abandoned == 1
        host.start("b").wait("b")
        assert isinstance(host.outcome("b"), Label)

    def test_an_answer_that_comes_after_all_takes_the_place_of_the_timeout(self, toy, hosted, gate):
        host = hosted(toy(answer=gate), timeout_s=0.05).start("a")
        assert gate.entered.wait(30)
        _poll_until_heard(host, "a")
        gate.opened.set()
        host.wait("a", times=2)
        assert isinstance(host.outcome("a"), Label)

    def test_an_answer_is_kept_even_when_the_timeout_was_acknowledged_before_it(self, toy, hosted, gate):
        host = hosted(toy("keyed", answer=gate), timeout_s=0.05).start("a")
        assert gate.entered.wait(30)
        _poll_until_heard(host, "a")
        host.host.ack(["a"])
        gate.opened.set()
        host.wait("a", times=2)
        assert isinstance(host.outcome("a"), Label)

    def test_a_blind_call_is_of_unknown_outcome(self, toy, hosted, gate):
        host = hosted(toy("blind", answer=gate), timeout_s=0.05).start("a")
        assert gate.entered.wait(30)
        _poll_until_heard(host, "a")
        assert host.poll("a") == Unknown(started=True, reason="no answer within 0.05 s")
        gate.opened.set()
        host.wait("a", times=2)
        assert isinstance(host.outcome("a"), Label)

    def test_a_queryable_labeler_is_asked_before_the_timeout_counts(self, queried, hosted, gate):
        labeler = queried(gate)
        labeler.known["a"] = Label({"label": np.int64(0)})
        host = hosted(labeler, timeout_s=0.05).start("a")
        assert gate.entered.wait(30)
        _poll_until_heard(host, "a")
        assert isinstance(host.outcome("a"), Label)

    def test_a_batch_has_as_much_time_as_its_requests_together(self, toy, hosted, gate):
        labeler = toy(answer=gate, preferred_batch=50)
        host = hosted(labeler, timeout_s=0.5)
        host.start("first")
        assert gate.entered.wait(30)
        host.start(*(f"a{number}" for number in range(50)))
        gate.opened.set()
        host.wait("a0")
        assert host.host.abandoned == 0


def test_a_request_that_cannot_be_read_fails_without_a_call(toy, hosted):
    labeler = toy("blind")
    host = hosted(labeler)
    host.host.start("a", host.blobs.put(b"no request"))
    host.wait("a")
    assert host.outcome("a").kind == "infra"
    assert not labeler.invoices
    assert not host.spool.was_started("a")


def test_an_outcome_that_cannot_be_kept_is_known_to_whoever_asks(toy, hosted):
    host = hosted(toy("blind"))
    request, kept = host.request(), host.blobs.put

    def full(content):
        raise RecordError("the disk is full.")

    host.blobs.put = full
    host.host.start("a", request)
    host.wait("a")
    with pytest.raises(RecordError, match="must be kept, but got the disk is full"):
        host.poll("a")
    host.blobs.put = kept
    assert host.again().poll("a") == Unknown(started=True)


def test_times_say_how_long_a_label_waited_and_took(toy, hosted):
    def slow(request):
        time.sleep(0.02)
        return Label({"label": np.int64(1)})

    done = hosted(toy(answer=slow)).start("a").wait("a").poll("a")
    assert done.times.work_s >= 0.02
    assert done.times.queued_s >= 0


def test_who_starts_what_another_process_has_just_answered_is_told(toy, hosted):
    first = hosted(toy(effect="keyed")).start("a").wait("a")
    labeler = toy(effect="keyed")
    second = hosted(labeler).start("a").wait("a")
    assert second.poll("a") == first.poll("a")
    assert labeler.invoices == {}
