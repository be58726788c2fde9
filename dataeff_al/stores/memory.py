"""A record that lives as long as the process: for tests, notebooks and dry runs."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dataeff_al.errors import ConflictError, LockedError, NotFoundError, RecordError
from dataeff_al.events import Event, to_json
from dataeff_al.stores.chain import check_body, check_campaign, check_end, check_epoch, repeated
from dataeff_al.stores.projections import Row
from dataeff_al.stores.protocol import About, Committed, Mark, RequestKey, Snapshot, StoredEvent
from dataeff_al.stores.tables import Tables

LOCKED = "another process is running this campaign folder"


@dataclass
class MemoryRecord:
    """What outlives a :class:`MemoryStore`: hand it to the next one to open the same record again."""

    epoch: int = 0
    held: bool = False
    logs: dict[str, list[StoredEvent]] = field(default_factory=dict)
    requests: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    tables: Tables = field(default_factory=Tables)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryStore:
    """The record in memory. Raises LockedError when ``record`` is already held by another one."""

    def __init__(self, record: MemoryRecord | None = None, clock: Callable[[], float] = time.time) -> None:
        self._record = record or MemoryRecord()
        self._clock = clock
        self._closed = False
        with self._record.lock:
            if self._record.held:
                raise LockedError(LOCKED)
            self._record.held = True
            self._record.epoch += 1
            self._epoch = self._record.epoch

    @property
    def epoch(self) -> int:
        """The fencing epoch of this holder."""
        return self._epoch

    def append(
        self,
        campaign: str,
        events: Sequence[Event],
        expected_n: int,
        epoch: int,
        request: RequestKey | None = None,
        marks: Sequence[Mark] = (),
    ) -> Committed:
        """Write events and their rows; see :class:`~dataeff_al.stores.protocol.Store`."""
        record = self._record
        with record.lock:
            self._check_open()
            check_campaign(campaign)
            check_epoch(epoch, record.epoch)
            if request and (campaign, request.id) in record.requests:
                return repeated(request, *record.requests[campaign, request.id])
            check_end(campaign, events, expected_n, len(record.logs.get(campaign, ())))
            self._check_new(campaign, marks)
            added = self._placed(campaign, events, expected_n, epoch)
            record.tables.add(added)
            record.logs.setdefault(campaign, []).extend(added)
            for mark in (*marks, *([Mark(request, expected_n + len(added))] if request else [])):
                record.requests[campaign, mark.request.id] = (mark.request.digest, mark.n)
            return Committed(n=expected_n + len(added))

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None. Raises ConflictError."""
        with self._record.lock:
            found = self._record.requests.get((campaign, request.id))
            return repeated(request, *found) if found else None

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order. Raises NotFoundError."""
        with self._record.lock:
            if campaign not in self._record.logs:
                raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
            return iter(self._record.logs[campaign][max(after, 0) :])

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""
        with self._record.lock:
            return list(self._record.logs)

    def about(self, campaign: str) -> About:
        """A campaign at a glance. Raises NotFoundError."""
        rows = self.rows("campaigns", campaign)
        if not rows:
            raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
        return About(rows[0]["created_at"], rows[0]["state"])

    def keep(self, campaign: str, snapshot: Snapshot, epoch: int, onto: int = 0) -> None:
        """Put a snapshot in the place of the one before. Raises ConflictError."""
        record = self._record
        with record.lock:
            self._check_open()
            check_epoch(epoch, record.epoch)
            if not 0 < snapshot.n <= len(record.logs.get(campaign, ())):
                said = f"a snapshot of campaign {campaign!r} must stand at one of its events, but got {snapshot.n!r}."
                raise ConflictError(said)
            known = record.snapshots.get(campaign)
            standing = known.n if known else None
            if onto and standing != onto:
                said = f"the snapshot of campaign {campaign!r} must stand at {onto}, but got {standing!r}."
                raise ConflictError(said)
            blocks = {**known.blocks, **snapshot.blocks} if known and onto else dict(snapshot.blocks)
            record.snapshots[campaign] = Snapshot(snapshot.n, snapshot.head, blocks)

    def snapshot(self, campaign: str, *, whole: bool = True) -> Snapshot | None:
        """The newest snapshot, or None."""
        with self._record.lock:
            found = self._record.snapshots.get(campaign)
        return found if found is None or whole else Snapshot(found.n, found.head)

    def rows(self, table: str, campaign: str) -> list[Row]:
        """Rows of a projected table, ordered by key."""
        with self._record.lock:
            return [dict(row) for row in self._record.tables.rows(table, campaign)]

    def rebuild_projections(self) -> None:
        """Make the projected tables anew from the events."""
        with self._record.lock:
            self._check_open()
            tables = Tables()
            for log in self._record.logs.values():
                tables.add(log)
            self._record.tables = tables

    def close(self) -> None:
        """Let go of the record."""
        with self._record.lock:
            if not self._closed:
                self._closed, self._record.held = True, False

    def _check_new(self, campaign: str, marks: Sequence[Mark]) -> None:
        names = [mark.request.id for mark in marks]
        taken = [name for name in names if (campaign, name) in self._record.requests or names.count(name) > 1]
        if taken:
            raise ConflictError(f"requests that share a transaction must be new, but got {taken[0]!r} again.")

    def _check_open(self) -> None:
        if self._closed:
            raise RecordError("a store must be open to be written, but got a closed one.")

    def _placed(self, campaign: str, events: Sequence[Event], after: int, epoch: int) -> list[StoredEvent]:
        at = self._clock()
        for event in events:
            check_body(campaign, to_json(event))
        return [StoredEvent(campaign, after + k, epoch, at, event) for k, event in enumerate(events, start=1)]
