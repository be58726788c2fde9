"""Several callers of one campaign at once: one transaction, and to each their own answer."""

import threading

import pytest

from dataeff_al.campaign.commands import Cancel, ConfirmCancel, Extend, Pause, Resume
from dataeff_al.campaign.inbox import Asked, answer_all
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.session import Session
from dataeff_al.errors import BudgetError, ConflictError, RecordError, StateError
from dataeff_al.stores.memory import MemoryStore
from dataeff_al.stores.protocol import RequestKey
from dataeff_al.testing.logs import Story


@pytest.fixture
def store():
    made = MemoryStore()
    made.append("c", Story("c").begin(), 0, made.epoch)
    return made


@pytest.fixture
def ledger(store):
    return Ledger(store, "c")


def key(name, content="same"):
    return RequestKey(name, content)


def kinds(answers):
    return [[event.kind for event in found] if not isinstance(found, Exception) else type(found) for found in answers]


def counting(store, monkeypatch):
    """How many transactions are written from now on."""
    sizes, append = [], store.append

    def counted(campaign, events, *rest, **more):
        done = append(campaign, events, *rest, **more)
        sizes.append(len(events))
        return done

    monkeypatch.setattr(store, "append", counted)
    return sizes


def test_all_are_written_together_and_each_gets_their_own(store, ledger, monkeypatch):
    sizes = counting(store, monkeypatch)
    asked = [(Pause("user", "tea"), key("1")), (Pause("user", "again"), key("2")), (Resume(), None)]
    assert kinds(ledger.execute_each(asked)) == [["paused"], [], ["resumed"]]
    assert sizes == [2]
    assert ledger.state == Ledger(store, "c").state
    n = ledger.state.n
    assert [store.committed("c", key(name)).n for name in "12"] == [n - 1, n - 1]


def test_who_is_refused_does_not_keep_the_others_from_it(ledger):
    asked = [(Pause("user", "tea"), key("1")), (Extend(0), key("2")), (Resume(), key("3"))]
    assert kinds(ledger.execute_each(asked)) == [["paused"], BudgetError, ["resumed"]]
    assert ledger.state.paused is None


def test_a_refusal_is_an_answer(ledger, store):
    ledger.execute(Cancel("enough"))
    ledger.execute(ConfirmCancel())
    assert kinds(ledger.execute_each([(Pause("user", "x"), key("1")), (Resume(), None)])) == [StateError, StateError]
    assert store.committed("c", key("1")) is None


def test_what_was_answered_before_is_not_done_again_beside_what_is_new(ledger, store):
    ledger.execute_each([(Pause("user", "x"), key("1"))])
    ledger.execute(Resume())
    n = ledger.state.n
    answers = ledger.execute_each([(Pause("user", "x"), key("1")), (Pause("user", "y"), key("2"))])
    assert kinds(answers) == [[], ["paused"]]
    assert ledger.state.paused.reason == "y"
    assert ledger.state.n == n + 1
    assert kinds(ledger.execute_each([(Pause("user", "z"), key("2", "other"))])) == [ConflictError]


def test_the_same_request_twice_at_once_is_done_once(ledger):
    answers = ledger.execute_each([(Pause("user", "x"), key("1"))] * 2 + [(Pause("user", "x"), key("1", "other"))])
    assert kinds(answers) == [["paused"], [], ConflictError]


def test_what_was_answered_before_is_not_refused_when_it_comes_too_late(ledger):
    ledger.execute_each([(Pause("user", "x"), key("1"))])
    ledger.execute_each([(Cancel("enough"), None), (ConfirmCancel(), None)])
    assert kinds(ledger.execute_each([(Pause("user", "x"), key("1"))])) == [[]]


def test_when_the_record_fails_everybody_hears_of_it_and_nothing_has_changed(ledger, store, monkeypatch):
    def broken(*_, **__):
        raise RecordError("the disk is gone.")

    before = ledger.state
    monkeypatch.setattr(store, "append", broken)
    asked = [Asked(Pause("user", "x")), Asked(Resume())]
    assert answer_all(ledger, asked) == []
    for each in asked:
        with pytest.raises(RecordError, match="disk"):
            each.reply.result(0)
    assert ledger.state is before


def test_many_threads_share_few_transactions(store, monkeypatch):
    """While one writes, the others gather, and the next one takes them all along."""
    session = Session(None, "c", store, None)
    sizes = counting(store, monkeypatch)
    replies = []
    with session._doors:
        threads = [
            threading.Thread(target=lambda k=k: replies.append(session.submit("c", Pause("user", "x"), key(str(k)))))
            for k in range(20)
        ]
        for thread in threads:
            thread.start()
        while session._queues.get("c") is None or session._queues["c"]._queue.qsize() < 20:
            pass
    for thread in threads:
        thread.join()
    assert sizes == [1]
    assert sorted(len(reply.result(0)) for reply in replies) == [0] * 19 + [1]
