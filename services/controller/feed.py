"""Events as they are written, for any number of readers.

Every append is announced; readers take what they lack from a short tail that all of them share, or from the store when
they are further behind. Nothing is kept for a reader, so that one that stands still costs nothing and loses nothing.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from dataeff_al.errors import RequestError
from dataeff_al.events import Event
from dataeff_al.stores.protocol import About, Committed, Mark, RequestKey, Snapshot, Store, StoredEvent

T = TypeVar("T")
KEPT_EVENTS = 4096
KEPT_TAILS = 64
TWIN, REPEAT = ".", "~"


def root_of(campaign: str) -> str:
    """The campaign to whose family a twin or repeat belongs; of any other, itself."""
    ends = [campaign.index(mark) for mark in (TWIN, REPEAT) if mark in campaign]
    return campaign[: min(ends)] if ends else campaign


class AnnouncingStore:
    """A record that tells of every append, after it is durable: what was written, and where the log ends now."""

    def __init__(self, store: Store, announce: Callable[[str, Sequence[Event], int], None]) -> None:
        self._store, self._announce = store, announce

    @property
    def epoch(self) -> int:
        """The fencing epoch of this holder."""
        return self._store.epoch

    def append(
        self,
        campaign: str,
        events: Sequence[Event],
        expected_n: int,
        epoch: int,
        request: RequestKey | None = None,
        marks: Sequence[Mark] = (),
    ) -> Committed:
        """Write events; see :class:`~dataeff_al.stores.protocol.Store`."""
        done = self._store.append(campaign, events, expected_n, epoch, request, marks)
        if events and not done.replayed:
            self._announce(campaign, events, done.n)
        return done

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None. Raises ConflictError."""
        return self._store.committed(campaign, request)

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order. Raises NotFoundError."""
        return self._store.read(campaign, after)

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""
        return self._store.campaigns()

    def about(self, campaign: str) -> About:
        """A campaign at a glance. Raises NotFoundError."""
        return self._store.about(campaign)

    def keep(self, campaign: str, snapshot: Snapshot, epoch: int, onto: int = 0) -> None:
        """Put a snapshot in the place of the one before. Raises ConflictError."""
        self._store.keep(campaign, snapshot, epoch, onto)

    def snapshot(self, campaign: str, *, whole: bool = True) -> Snapshot | None:
        """The newest snapshot, or None."""
        return self._store.snapshot(campaign, whole=whole)

    def close(self) -> None:
        """Let go of the record."""
        self._store.close()


@dataclass
class _Tail(Generic[T]):
    """The newest events of a campaign, ready to send; ``end`` is the number of the last of them."""

    end: int
    items: deque[T] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))

    def after(self, n: int, most: int) -> list[T] | None:
        """Up to ``most`` items that follow ``n``; None when the first of them has been dropped."""
        skipped = n - (self.end - len(self.items))
        return None if skipped < 0 else list(islice(self.items, skipped, skipped + most))


class Feed(Generic[T]):
    """Hands out the events of campaigns in the form that ``encode`` gives them.

    Args:
        store: the record.
        encode: makes what is sent of an event; called once for all readers that keep up.
    """

    def __init__(self, store: Store, encode: Callable[[StoredEvent], T]) -> None:
        self._encode = encode
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._tails: OrderedDict[str, _Tail[T]] = OrderedDict()
        self._ends: dict[str, int] = {}
        self._wakers: dict[str, dict[int, Callable[[], None]]] = {}
        self._members: dict[str, list[str]] = {}
        self._counter = 0
        self._listeners: list[Callable[[str, Sequence[Event], int], None]] = []
        for campaign in store.campaigns():
            self._members.setdefault(root_of(campaign), []).append(campaign)
        self.store = AnnouncingStore(store, self.announce)

    def listen(self, listener: Callable[[str, Sequence[Event], int], None]) -> None:
        """Have ``listener`` told of all that is written, by whoever writes it, before they go on."""
        self._listeners.append(listener)

    def announce(self, campaign: str, events: Sequence[Event], n: int) -> None:
        """The campaign's log has grown by events and ends at ``n`` now: wake whoever follows its family."""
        for listener in self._listeners:
            listener(campaign, events, n)
        root = root_of(campaign)
        with self._lock:
            known = self._members.setdefault(root, [])
            if campaign not in known:
                known.append(campaign)
            self._ends[campaign] = max(n, self._ends.get(campaign, 0))
            wakers = list(self._wakers.get(root, {}).values())
        for wake in wakers:
            wake()

    def rouse(self, root: str) -> None:
        """Wake whoever follows a family, without news."""
        with self._lock:
            wakers = list(self._wakers.get(root, {}).values())
        for wake in wakers:
            wake()

    def subscribe(self, root: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called, from any thread and at once, when there may be news; returns what ends that."""
        with self._lock:
            self._counter += 1
            key = self._counter
            self._wakers.setdefault(root, {})[key] = wake

        def leave() -> None:
            with self._lock:
                self._wakers[root].pop(key, None)
                if not self._wakers[root]:
                    del self._wakers[root]

        return leave

    def roots(self) -> list[str]:
        """Campaigns in order of creation, without twins and repeats."""
        with self._lock:
            return list(self._members)

    def members(self, campaign: str) -> list[str]:
        """A campaign's family in order of creation, itself first; a twin or repeat is alone."""
        with self._lock:
            return list(self._members.get(campaign, ())) if root_of(campaign) == campaign else [campaign]

    def start(self, campaign: str, after: Mapping[str, int]) -> dict[str, int]:
        """Where a new reader stands in each campaign of a family.

        Raises RequestError for a cursor that names strangers, or a place where no log has been.
        """
        members = self.members(campaign)
        strangers = sorted(after.keys() - set(members))
        if strangers:
            raise RequestError(f"a cursor must name campaigns of the family {campaign!r}, but got {strangers[0]!r}.")
        for name, n in after.items():
            if n < 0 or (n and next(self.store.read(name, n - 1), None) is None):
                raise RequestError(f"a cursor must lie within the log of campaign {name!r}, but got {n!r}.")
        return {name: after.get(name, 0) for name in members}

    def at_hand(self, campaign: str, after: int, most: int) -> list[T] | None:
        """What follows ``after``, perhaps not all of it; None when that takes a look into the store. Never blocks."""
        with self._lock:
            end, tail = self._ends.get(campaign), self._tails.get(campaign)
            if tail is not None and after < tail.end:
                return tail.after(after, most)
            return [] if end is not None and after >= end else None

    def read(self, campaign: str, after: int, most: int) -> list[T]:
        """Up to ``most`` events that follow ``after``. Raises NotFoundError."""
        tail = self._filled(campaign, after)
        found = tail.after(after, most) if after <= tail.end else None
        if found is None:
            found = [self._encode(stored) for stored in islice(self.store.read(campaign, after), most)]
        return found

    def _filled(self, campaign: str, near: int) -> _Tail[T]:
        """The tail, with what the log has grown by; the first reader reads it for all."""
        with self._filling:
            with self._lock:
                tail, end = self._tails.get(campaign), self._ends.get(campaign)
                if tail is not None and end is not None and tail.end >= end:
                    self._tails.move_to_end(campaign)
                    return tail
            start = tail.end if tail else near
            items = [self._encode(stored) for stored in islice(self.store.read(campaign, start), KEPT_EVENTS)]
            with self._lock:
                return self._grown(campaign, start, items)

    def _grown(self, campaign: str, start: int, items: Sequence[T]) -> _Tail[T]:
        tail = self._tails.get(campaign) or _Tail(end=start)
        grown = _Tail(tail.end + len(items), deque([*tail.items, *items], maxlen=KEPT_EVENTS))
        self._tails[campaign] = grown
        self._tails.move_to_end(campaign)
        while len(self._tails) > KEPT_TAILS:
            self._tails.popitem(last=False)
        if len(items) < KEPT_EVENTS:
            self._ends[campaign] = max(grown.end, self._ends.get(campaign, 0))
        return grown
