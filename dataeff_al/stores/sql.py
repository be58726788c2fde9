"""The record in a SQL database: SQLite beside a campaign folder, or PostgreSQL.

One process writes, over one connection, under a lock. Every append is one transaction that fences itself against
later controllers, writes events and their rows, and is on the disk before it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from dataeff_al.errors import ConflictError, CorruptError, NotFoundError, RecordError
from dataeff_al.events import Event, account_of, from_json, to_json
from dataeff_al.failpoints import reached
from dataeff_al.stores import migrate, snapshots, statements
from dataeff_al.stores.backend import connect
from dataeff_al.stores.batches import batched
from dataeff_al.stores.chain import check_body, check_campaign, check_end, check_epoch, link, repeated
from dataeff_al.stores.projections import KEYS, Change, Insert, QueryFacts, Row, changes
from dataeff_al.stores.protocol import About, Committed, Mark, RequestKey, Snapshot, StoredEvent
from dataeff_al.stores.schema import HEAD, metadata
from dataeff_al.stores.session import Session
from dataeff_al.stores.tables import Tables, unknown_query


class SqlStore:
    """The record at ``url`` (``sqlite:///path`` or ``postgresql+psycopg://...``), open for writing.

    Opening it locks out other writers, migrates, checks the file and takes the next epoch. Threads may share it.

    Args:
        url: where the record lies; a SQLite file and its folder are made when they do not exist.
        writer: False for :meth:`open_reader`.
        clock: seconds since the epoch.

    Raises LockedError, CorruptError, RecordError.
    """

    def __init__(self, url: str, *, writer: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._session = Session(connect(url, writer), writer)
        self._clock = clock
        self._has_snapshots = True
        try:
            self._epoch = self._start() if writer else self._look()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open_reader(cls, url: str) -> SqlStore:
        """Open for reading only, beside a writer or without one. Raises NotFoundError when there is nothing."""
        return cls(url, writer=False)

    @property
    def epoch(self) -> int:
        """The fencing epoch of this holder; 0 for a reader, with which nothing can be written."""
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
        check_campaign(campaign)
        draft = Draft(campaign, events, expected_n, epoch, self._clock())
        reached("append.begin")
        done = self._session.write(lambda connection: _append(connection, draft, request, marks))
        reached("append.committed")
        return done

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None. Raises ConflictError."""
        found = self._session.read(lambda connection: statements.answered(connection, campaign, request.id))
        return repeated(request, *found) if found else None

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order, each checked against the chain of digests.

        Raises NotFoundError at once, CorruptError on the way.
        """
        end, _ = self._session.read(lambda connection: statements.end(connection, campaign))
        if end == 0:
            raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
        return self._events(campaign, max(after, 0))

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""
        return self._session.read(statements.campaigns)

    def about(self, campaign: str) -> About:
        """A campaign at a glance. Raises NotFoundError."""
        found = self._session.read(lambda connection: statements.about(connection, campaign))
        if found is None:
            raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
        return About(*found)

    def keep(self, campaign: str, snapshot: Snapshot, epoch: int, onto: int = 0) -> None:
        """Put a snapshot in the place of the one before. Raises ConflictError."""

        def write(connection: Connection) -> None:
            check_epoch(epoch, statements.newest_epoch(connection))
            snapshots.keep(connection, campaign, snapshot, epoch, onto)
            reached("snapshot.written")

        reached("snapshot.before")
        self._session.write(write)
        reached("snapshot.after")

    def snapshot(self, campaign: str, *, whole: bool = True) -> Snapshot | None:
        """The newest snapshot, or None."""
        if not self._has_snapshots:
            return None
        return self._session.read(lambda connection: snapshots.recalled(connection, campaign, whole=whole))

    def rows(self, table: str, campaign: str) -> list[Row]:
        """Rows of a projected table, ordered by key."""
        columns = metadata.tables[table]
        wanted = select(columns).where(columns.c.campaign == campaign)
        rows = self._session.read(lambda connection: [dict(row) for row in connection.execute(wanted).mappings()])
        return sorted(rows, key=lambda row: tuple(row[column] for column in KEYS[table]))

    def rebuild_projections(self) -> None:
        """Make the projected tables anew from the events, in one transaction."""
        tables = Tables()
        campaigns = self.campaigns()
        for campaign in campaigns:
            tables.add(self._events(campaign, 0))

        def write(connection: Connection) -> None:
            check_epoch(self._epoch, statements.newest_epoch(connection))
            for table in KEYS:
                connection.execute(metadata.tables[table].delete())
                for campaign in campaigns:
                    statements.add_rows(connection, table, tables.rows(table, campaign))

        self._session.write(write)

    def close(self) -> None:
        """Let go of the connection and the lock; harmless when repeated."""
        self._session.close()

    def _start(self) -> int:
        reached("open.locked")
        epoch = self._session.write(self._take_over)
        reached("open.fenced")
        return epoch

    def _take_over(self, connection: Connection) -> int:
        self._session.check(connection)
        migrate.upgrade(connection)
        reached("open.migrated")
        return statements.take_epoch(connection)

    def _look(self) -> int:
        self._has_snapshots = self._session.read(migrate.check) == HEAD
        return 0

    def _events(self, campaign: str, after: int) -> Iterator[StoredEvent]:
        """Page by page, so that no reader holds up the writer."""
        digest = self._session.read(lambda connection: statements.digest_at(connection, campaign, after))
        n = after
        while True:
            page = self._session.read(partial(statements.page, campaign=campaign, after=n))
            for row in page:
                n += 1
                digest = _checked(campaign, n, digest, row)
                yield StoredEvent(campaign, n, row.epoch, row.at, _parsed(campaign, n, row.body))
            if len(page) < statements.PAGE:
                return


class Draft:
    """Events on their way into the log; written again after a lost connection, they are the same to the last digit."""

    def __init__(self, campaign: str, events: Sequence[Event], after: int, epoch: int, at: float) -> None:
        self.campaign, self.events, self.after, self.epoch, self.at = campaign, events, after, epoch, at
        self.end = after + len(events)
        self._last, self._tried = "", False

    def write(self, connection: Connection, digest: str) -> None:
        """Write the events, which follow one with this digest, and what follows from them."""
        rows: list[dict[str, Any]] = []
        for n, event in enumerate(self.events, start=self.after + 1):
            body = to_json(event)
            check_body(self.campaign, body)
            digest = self._last = link(digest, self.campaign, n, self.epoch, self.at, body)
            place = {"campaign": self.campaign, "n": n, "epoch": self.epoch, "at": self.at}
            rows.append({**place, "kind": event.kind, "body": body, "digest": digest})
        statements.add_rows(connection, "events", rows)
        for batch in batched(self._changes(connection)):
            statements.make(connection, batch)

    def _changes(self, connection: Connection) -> Iterator[Change]:
        named = {name for event in self.events if (name := getattr(event, "query", None))}
        facts = statements.facts(connection, self.campaign, sorted(named))
        for n, event in enumerate(self.events, start=self.after + 1):
            found = changes(StoredEvent(self.campaign, n, self.epoch, self.at, event), partial(_fact, facts, self))
            facts |= {row["query"]: QueryFacts(row["max_cost"], account_of(row["purpose"])) for row in _proposed(found)}
            yield from found

    def is_written(self, connection: Connection, marks: Sequence[Mark]) -> bool:
        """Whether an earlier try, whose outcome was never heard of, has reached the log."""
        tried, self._tried = self._tried, True
        if tried and not self.events and marks:
            return statements.answered(connection, self.campaign, marks[0].request.id) is not None
        return self._last != "" and statements.digest_at(connection, self.campaign, self.end) == self._last


def _fact(facts: Mapping[str, QueryFacts], draft: Draft, query: str) -> QueryFacts:
    if query not in facts:
        raise RecordError(unknown_query(draft.campaign, query))
    return facts[query]


def _proposed(found: Iterable[Change]) -> list[Row]:
    """Rows of new queries, which later events of the same draft may name."""
    return [row for each in found if isinstance(each, Insert) and each.table == "queries" for row in each.rows]


def _append(connection: Connection, draft: Draft, request: RequestKey | None, marks: Sequence[Mark]) -> Committed:
    check_epoch(draft.epoch, statements.newest_epoch(connection))
    if draft.is_written(connection, marks):
        return Committed(n=draft.end)
    if request and (found := statements.answered(connection, draft.campaign, request.id)):
        return repeated(request, *found)
    if marks and (old := statements.first_known(connection, draft.campaign, [mark.request.id for mark in marks])):
        raise ConflictError(f"requests that share a transaction must be new, but got {old!r} again.")
    end, digest = statements.end(connection, draft.campaign)
    check_end(draft.campaign, draft.events, draft.after, end)
    draft.write(connection, digest)
    statements.add_requests(connection, draft.campaign, [*marks, *([Mark(request, draft.end)] if request else [])])
    reached("append.written")
    return Committed(n=draft.end)


def _checked(campaign: str, n: int, previous: str, row: Any) -> str:
    if row.n != n:
        raise CorruptError(f"the log of campaign {campaign!r} must go on with event {n}, but got {row.n}.")
    found = link(previous, campaign, n, row.epoch, row.at, row.body)
    if found != row.digest:
        raise CorruptError(f"event {n} of campaign {campaign!r} must match its digest {row.digest}, but got {found}.")
    return found


def _parsed(campaign: str, n: int, body: str) -> Event:
    try:
        return from_json(body)
    except ValueError as error:
        raise CorruptError(f"event {n} of campaign {campaign!r} must be a known event, but got {error}.") from error
