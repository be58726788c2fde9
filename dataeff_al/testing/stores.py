"""The contract that every record and every blob store keeps.

Run it over a new one::

    def make() -> Callable[[], Store]:          # a new, empty place
        url = ...
        return lambda: MyStore(url)             # each call opens it anew for writing

    check_store(make)
"""

from collections.abc import Callable, Sequence
from functools import partial

from dataeff_al import events as ev
from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import ConflictError, LockedError, NotFoundError, RecordError
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import Inspected, fsck
from dataeff_al.stores.protocol import Committed, Mark, RequestKey, StoredEvent
from dataeff_al.testing.logs import Story, told_story

Open = Callable[[], Inspected]
Make = Callable[[], Open]


def check_store(make: Make) -> None:
    """Run every check, each on a new place. Raises AssertionError with a sentence."""
    for check in STORE_CHECKS:
        check(make())


def append_all(store: Inspected, campaign: str, events: Sequence[ev.Event]) -> int:
    """Append events one commit each; returns where the log ends."""
    n = sum(1 for _ in store.read(campaign)) if campaign in store.campaigns() else 0
    for event in events:
        n = store.append(campaign, [event], n, store.epoch).n
    return n


def _refused(error: type[Exception], what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except error:
        return
    raise AssertionError(f"{what} must raise {error.__name__}, but it raised nothing.")


def _log(store: Inspected, campaign: str = "c") -> list[StoredEvent]:
    return list(store.read(campaign))


def events_come_back_as_they_went(open_store: Open) -> None:
    """Order, numbers, epoch and content of events survive."""
    store = open_store()
    _, story = told_story()
    append_all(store, "c", story[:3])
    store.append("c", story[3:], 3, store.epoch)
    found = _log(store)
    assert [stored.event for stored in found] == story, "events must come back equal and in order."
    assert [stored.n for stored in found] == list(range(1, len(story) + 1)), "events must count from 1 without gaps."
    assert {(stored.campaign, stored.epoch) for stored in found} == {("c", store.epoch)}, "a place must come back."
    assert [stored.n for stored in store.read("c", after=4)] == list(range(5, len(story) + 1)), "read starts after n."
    assert not list(store.read("c", after=len(story))), "nothing must follow the end."
    store.close()


def an_unknown_campaign_is_refused(open_store: Open) -> None:
    """Neither read nor written before it was created."""
    store = open_store()
    _refused(NotFoundError, "reading an unknown campaign", lambda: store.read("c"))
    event = ev.Resumed()
    _refused(NotFoundError, "writing to an unknown campaign", lambda: store.append("c", [event], 0, store.epoch))
    assert list(store.campaigns()) == [], "a refused append must leave no campaign."
    store.close()


def campaigns_come_in_order_of_creation(open_store: Open) -> None:
    """Names do not sort them, and reopening keeps the order."""
    store = open_store()
    for name in ("b", "a", "c"):
        append_all(store, name, Story(name).begin())
    store.close()
    store = open_store()
    assert list(store.campaigns()) == ["b", "a", "c"], "campaigns must come in order of creation."
    store.close()


def a_log_grows_only_at_its_end(open_store: Open) -> None:
    """A wrong ``expected_n`` or a second ``created`` writes nothing."""
    store = open_store()
    story = Story()
    append_all(store, "c", story.begin())
    for wrong in (0, 1, 3, -1):
        _refused(ConflictError, "a wrong end", partial(store.append, "c", [ev.Resumed()], wrong, store.epoch))
    _refused(RecordError, "a second created", lambda: store.append("c", story.begin()[:1], 2, store.epoch))
    assert len(_log(store)) == 2, "a refused append must write nothing."
    store.close()


def an_append_is_all_or_nothing(open_store: Open) -> None:
    """When one event's rows are refused, none of the batch is there."""
    store = open_store()
    story = Story()
    log: list[ev.Event] = [*story.begin(), story.propose(2), story.lease(["q0"]), story.tell("q0")]
    n = append_all(store, "c", log)
    again: list[ev.Event] = [story.lease(["q1"]), story.tell("q1"), story.tell("q0", number=1)]
    before = {table: store.rows(table, "c") for table in ("queries", "attempts", "entries", "blob_refs")}
    _refused(RecordError, "a second post of one attempt", lambda: store.append("c", again, n, store.epoch))
    assert [stored.event for stored in _log(store)] == log, "a refused append must write nothing."
    for table, rows in before.items():
        assert store.rows(table, "c") == rows, f"a refused append must leave {table} as it was."
    assert store.append("c", again[:2], n, store.epoch).n == n + 2, "a store must go on after it refused."
    store.close()


def a_reservation_is_released_once(open_store: Open) -> None:
    """Two answers to one query, or an answer after the release, are refused."""
    store = open_store()
    story = Story()
    n = append_all(store, "c", [*story.begin(), story.propose(1), story.lease(["q0"]), story.tell("q0", cost=3)])
    dead = ev.DeadLettered(query="q0", reason="again")
    _refused(RecordError, "a second release", lambda: store.append("c", [dead], n, store.epoch))
    stranger = ev.DeadLettered(query="nobody", reason="unknown")
    _refused(RecordError, "a release of nothing", lambda: store.append("c", [stranger], n, store.epoch))
    store.close()


def a_request_is_done_once(open_store: Open) -> None:
    """The same request again gives the first answer, other content under its id is refused; also after reopening."""
    store = open_store()
    request = RequestKey("r1", "content")
    assert store.committed("c", request) is None, "a new request must not be known."
    first = store.append("c", Story().begin(), 0, store.epoch, request)
    assert store.committed("c", RequestKey("r2", "content")) is None, "another request must not be known."
    append_all(store, "c", [ev.Paused(cause="user", reason="lunch")])
    for reopened in (False, True):
        if reopened:
            store.close()
            store = open_store()
        assert store.committed("c", request) == Committed(first.n, replayed=True), "an answered request must be known."
        other = RequestKey("r1", "other")
        _refused(ConflictError, "asking for a request with other content", partial(store.committed, "c", other))
        again = store.append("c", Story().begin(), 0, store.epoch, request)
        assert (again.n, again.replayed) == (first.n, True), "a repeated request must give its first answer."
        other = RequestKey("r1", "other")
        _refused(ConflictError, "other content", partial(store.append, "c", [], 3, store.epoch, other))
    assert not first.replayed, "a first answer must not be called a repetition."
    assert len(_log(store)) == 3, "a repeated request must write nothing."
    assert store.append("c", [], 3, store.epoch, RequestKey("r2", "x")).n == 3, "a request may lead to no event."
    assert store.append("c", [ev.Resumed()], 3, store.epoch, RequestKey("r2", "x")).replayed, "and is kept."
    store.close()


def requests_share_a_transaction(open_store: Open) -> None:
    """Each is known by where the log ends for it; when one was answered before, nothing of them is written."""
    store = open_store()
    append_all(store, "c", Story().begin())
    one, two = Mark(RequestKey("r1", "x"), 3), Mark(RequestKey("r2", "y"), 4)
    events: list[ev.Event] = [ev.Paused(cause="user", reason="lunch"), ev.Resumed()]
    store.append("c", events, 2, store.epoch, marks=[one, two])
    for mark in (one, two):
        found = store.committed("c", mark.request)
        assert found == Committed(mark.n, replayed=True), "a request must be known by the end of its own events."
    new = Mark(RequestKey("r3", "z"), 5)
    shared = partial(store.append, "c", events[:1], 4, store.epoch, marks=[new, two])
    _refused(ConflictError, "a transaction with a request that was answered before", shared)
    assert len(_log(store)) == 4, "a refused transaction must write no event."
    assert store.committed("c", new.request) is None, "a refused transaction must keep no request."
    assert store.append("c", [], 4, store.epoch, marks=[new]).n == 4, "requests may lead to no event."
    assert store.committed("c", new.request) is not None, "and are kept."
    store.close()


def a_stale_epoch_writes_nothing(open_store: Open) -> None:
    """Each opening takes a higher epoch, and only the newest writes."""
    store = open_store()
    old = store.epoch
    append_all(store, "c", Story().begin())
    store.close()
    store = open_store()
    assert store.epoch > old, "an opening must take a higher epoch."
    for wrong in (old, store.epoch + 1, 0):
        _refused(ConflictError, "a wrong epoch", partial(store.append, "c", [ev.Resumed()], 2, wrong))
    assert len(_log(store)) == 2, "a stale epoch must write nothing."
    store.close()


def a_second_opener_is_refused(open_store: Open) -> None:
    """While one holds it; and it can be opened again once let go of."""
    store = open_store()
    _refused(LockedError, "a second opener", open_store)
    append_all(store, "c", Story().begin())
    store.close()
    store.close()
    open_store().close()


def reopening_keeps_everything(open_store: Open) -> None:
    """Events and tables are the same afterwards, and remaking the tables changes nothing."""
    store = open_store()
    story, log = told_story()
    append_all(store, "c", log)
    tables = ("campaigns", "queries", "attempts", "entries", "blob_refs")
    before, rows = _log(store), {table: store.rows(table, "c") for table in tables}
    assert [stored.event for stored in before] == log, "what was acknowledged must be in the log."
    assert all(rows.values()), "the story must have left rows in every table."
    store.close()
    store = open_store()
    assert _log(store) == before, "events must survive reopening."
    store.rebuild_projections()
    assert {table: store.rows(table, "c") for table in tables} == rows, "tables must be what the events give."
    blobs = MemoryBlobs()
    for content in story.blobs.values():
        blobs.put(content)
    report = fsck(store, blobs)
    assert report.ok, f"a valid story must be found valid, but got {report}."
    store.close()


STORE_CHECKS: tuple[Callable[[Open], None], ...] = (
    events_come_back_as_they_went,
    an_unknown_campaign_is_refused,
    campaigns_come_in_order_of_creation,
    a_log_grows_only_at_its_end,
    an_append_is_all_or_nothing,
    a_reservation_is_released_once,
    a_request_is_done_once,
    requests_share_a_transaction,
    a_stale_epoch_writes_nothing,
    a_second_opener_is_refused,
    reopening_keeps_everything,
)


def check_blobs(blobs: Blobs) -> None:
    """What comes out is what went in, under its digest; what is not there is said to be so."""
    for content in (b"", b"a", bytes(range(256)) * 1000):
        ref = blobs.put(content)
        assert ref == digest_bytes(content), "a ref must be the content's digest."
        assert blobs.put(content) == ref, "to put the same content again must change nothing."
        assert blobs.has(ref), "a blob that was put must be there."
        assert blobs.get(ref) == content, "a blob must come back as it went."
    for absent in (Ref("0" * 64), Ref("../../etc/passwd"), Ref("")):
        assert not blobs.has(absent), "an absent blob must not be there."
        _refused(NotFoundError, "an absent blob", partial(blobs.get, absent))
