"""States that are kept up to date by what is written, and never behind it."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataeff_al import events as ev
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.errors import NotFoundError
from dataeff_al.stores.memory import MemoryStore
from dataeff_al.testing.logs import Story
from services.controller import standing as standings
from services.controller.feed import Feed
from services.controller.standing import Standing


def begun():
    feed = Feed(MemoryStore(), lambda stored: stored)
    standing = Standing(feed.store)
    feed.listen(standing.grow)
    feed.store.append("c", Story("c").begin(), 0, feed.store.epoch)
    return feed, standing


def write(feed, count=1, campaign="c"):
    n = sum(1 for _ in feed.store.read(campaign))
    events = [ev.Paused(cause="user", reason=str(k)) if k % 2 else ev.Resumed() for k in range(n, n + count)]
    feed.store.append(campaign, events, n, feed.store.epoch)


@given(st.lists(st.integers(-2, 3), max_size=20))
def test_a_state_is_what_the_log_says_whenever_it_is_looked_at(steps):
    feed, standing = begun()
    for step in steps:
        if step > 0:
            write(feed, step)
        else:
            assert standing.state("c") == Ledger(feed.store, "c").state
    assert standing.state("c") == Ledger(feed.store, "c").state


def test_what_has_been_written_is_not_read_again(monkeypatch):
    feed, standing = begun()
    standing.state("c")
    write(feed, 5)
    expected = Ledger(feed.store, "c").state

    def unread(*_):
        raise AssertionError("the log must not be read")

    monkeypatch.setattr(feed.store, "read", unread)
    assert standing.state("c") == expected


def test_whoever_was_forgotten_is_read_again(monkeypatch):
    feed, standing = begun()
    monkeypatch.setattr(standings, "KEPT", 1)
    feed.store.append("d", Story("d").begin(), 0, feed.store.epoch)
    standing.state("c")
    standing.state("d")
    write(feed)
    assert standing.state("c") == Ledger(feed.store, "c").state
    assert standing.state("d") == Ledger(feed.store, "d").state


def test_strangers_are_not_found():
    _, standing = begun()
    with pytest.raises(NotFoundError):
        standing.state("nobody")


def test_nobody_sees_less_than_what_was_written_before_they_looked():
    feed, standing = begun()
    behind = []

    def look():
        while not done.is_set():
            floor = ends[-1]
            if standing.state("c").n < floor:
                behind.append(floor)

    ends, done = [standing.state("c").n], threading.Event()
    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        write(feed)
        ends.append(ends[-1] + 1)
    done.set()
    for thread in threads:
        thread.join()
    assert behind == []
    assert standing.state("c") == Ledger(feed.store, "c").state
