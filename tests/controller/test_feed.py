import threading

import pytest

from dataeff_al import events as ev
from dataeff_al.errors import NotFoundError, RequestError
from dataeff_al.stores.memory import MemoryStore
from dataeff_al.testing.logs import Story
from services.controller import feed as feeding
from services.controller.feed import Feed, root_of


@pytest.fixture
def feed():
    return Feed(MemoryStore(), lambda stored: (stored.campaign, stored.n))


def begin(feed, campaign="c"):
    events = Story(campaign).begin()
    feed.store.append(campaign, events, 0, feed.store.epoch)
    return len(events)


def grow(feed, n, count, campaign="c"):
    for k in range(count):
        event = ev.Paused(cause="user", reason="x") if k % 2 else ev.Resumed()
        feed.store.append(campaign, [event], n + k, feed.store.epoch)
    return n + count


def numbers(found):
    return [n for _, n in found]


@pytest.mark.parametrize(
    ("campaign", "root"), [("a", "a"), ("a.b", "a"), ("a~1", "a"), ("a~1.b", "a"), ("a-b_c+d.e+f", "a-b_c+d")]
)
def test_a_family_has_one_root(campaign, root):
    assert root_of(campaign) == root


def test_a_reader_gets_every_event_once_and_in_order(feed):
    n = grow(feed, begin(feed), 50)
    got, after = [], 0
    while batch := feed.read("c", after, 7):
        got += numbers(batch)
        after = got[-1]
    assert got == list(range(1, n + 1))


def test_a_reader_that_keeps_up_needs_no_store(feed):
    n = begin(feed)
    assert feed.at_hand("c", 0, 10) is None
    feed.read("c", 0, 10)
    assert feed.at_hand("c", n, 10) == []
    n = grow(feed, n, 3)
    assert feed.at_hand("c", n - 3, 10) is None
    assert numbers(feed.read("c", n - 3, 10)) == [n - 2, n - 1, n]
    assert numbers(feed.at_hand("c", n - 1, 10)) == [n]


def test_a_reader_that_fell_behind_reads_the_store(feed, monkeypatch):
    monkeypatch.setattr(feeding, "KEPT_EVENTS", 8)
    n = grow(feed, begin(feed), 40)
    assert numbers(feed.read("c", n, 5)) == []
    n = grow(feed, n, 30)
    ahead, behind = feed.read("c", n - 2, 5), feed.read("c", 0, 5)
    assert numbers(ahead) == [n - 1, n]
    assert numbers(behind) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kept", [1, 3, 8, 1000])
def test_readers_at_different_places_all_get_everything(feed, monkeypatch, kept):
    monkeypatch.setattr(feeding, "KEPT_EVENTS", kept)
    end = begin(feed)
    places, got = [0, 1, end], {k: [] for k in range(3)}
    for round_ in range(12):
        end = grow(feed, end, round_)
        for k in range(3):
            found = feed.at_hand("c", places[k], 2 + k)
            found = feed.read("c", places[k], 2 + k) if found is None else found
            got[k] += numbers(found)
            places[k] = got[k][-1] if got[k] else places[k]
    for k, first in enumerate((0, 1, 2)):
        while batch := feed.read("c", places[k], 100):
            got[k] += numbers(batch)
            places[k] = got[k][-1]
        assert got[k] == list(range(first + 1, end + 1))


def test_only_so_many_tails_are_kept(feed, monkeypatch):
    monkeypatch.setattr(feeding, "KEPT_TAILS", 2)
    for name in "abcd":
        begin(feed, name)
        feed.read(name, 0, 10)
    assert list(feed._tails) == ["c", "d"]
    assert numbers(feed.read("a", 0, 10)) == [1, 2]


def test_subscribers_of_a_family_are_woken_and_others_are_not(feed):
    woken = []
    leave = feed.subscribe("c", lambda: woken.append("c"))
    feed.subscribe("d", lambda: woken.append("d"))
    begin(feed, "c")
    begin(feed, "c.twin")
    assert woken == ["c", "c"]
    leave()
    grow(feed, 2, 1)
    assert woken == ["c", "c"]


def test_a_repeated_request_wakes_nobody(feed):
    woken = []
    feed.subscribe("c", lambda: woken.append("c"))
    begin(feed)
    feed.store.append("c", [], 2, feed.store.epoch)
    assert woken == ["c"]


def test_members_come_in_order_of_creation(feed):
    for name in ("c", "b", "c.twin", "c~1"):
        begin(feed, name)
    assert feed.roots() == ["c", "b"]
    assert feed.members("c") == ["c", "c.twin", "c~1"]
    assert feed.members("c.twin") == ["c.twin"]


def test_a_feed_over_an_old_record_knows_its_families():
    store = MemoryStore()
    earlier = Feed(store, lambda stored: stored)
    for name in ("c", "c.twin"):
        begin(earlier, name)
    assert Feed(store, lambda stored: stored).members("c") == ["c", "c.twin"]


def test_a_cursor_must_lie_in_the_log(feed):
    n = begin(feed)
    assert feed.start("c", {"c": n}) == {"c": n}
    for wrong in ({"c": n + 1}, {"c": -1}, {"d": 0}):
        with pytest.raises(RequestError):
            feed.start("c", wrong)


def test_reading_what_does_not_exist_is_not_found(feed):
    with pytest.raises(NotFoundError):
        feed.read("c", 0, 1)


def test_many_threads_read_while_one_writes(feed):
    n, total = begin(feed), 300
    got = [[] for _ in range(8)]

    def read(k):
        while len(got[k]) < n + total:
            after = got[k][-1] if got[k] else 0
            found = feed.at_hand("c", after, 50)
            got[k] += numbers(feed.read("c", after, 50) if found is None else found)

    threads = [threading.Thread(target=read, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    grow(feed, n, total)
    for thread in threads:
        thread.join()
    assert got == [list(range(1, n + total + 1))] * 8
