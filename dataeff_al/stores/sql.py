"""The record in a SQL database: SQLite beside a campaign folder, or PostgreSQL.

One process writes, over one connection, under a lock. Every append is one transaction that fences itself against
later controllers, writes events and their rows, and is on the disk before it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from dataeff_al.errors import CorruptError, NotFoundError
from dataeff_al.events import Event, from_json, to_json
from dataeff_al.stores import migrate, statements
from dataeff_al.stores.backend import connect
from dataeff_al.stores.blobs import Probe, no_probe
from dataeff_al.stores.chain import check_body, check_campaign, check_end, check_epoch, link, repeated
from dataeff_al.stores.projections import KEYS, Row, changes
from dataeff_al.stores.protocol import Committed, RequestKey, StoredEvent
from dataeff_al.stores.schema import metadata
from dataeff_al.stores.session import Session
from dataeff_al.stores.tables import Tables


class SqlStore:
    """The record at ``url`` (``sqlite:///path`` or ``postgresql+psycopg://...``), open for writing.

    Opening it locks out other writers, migrates, checks the file and takes the next epoch. Threads may share it.

    Args:
        url: where the record lies; a SQLite file and its folder are made when they do not exist.
        writer: False for :meth:`open_reader`.
        clock: seconds since the epoch.
        probe: called at ``append.begin``, ``append.written`` and ``append.committed``.

    Raises LockedError, CorruptError, RecordError.
    """

    def __init__(
        self, url: str, *, writer: bool = True, clock: Callable[[], float] = time.time, probe: Probe = no_probe
    ) -> None:
        self._session = Session(connect(url, writer), writer)
        self._clock = clock
        self._probe = probe
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
        self, campaign: str, events: Sequence[Event], expected_n: int, epoch: int, request: RequestKey | None = None
    ) -> Committed:
        """Write events and their rows; see :class:`~dataeff_al.stores.protocol.Store`."""
        check_campaign(campaign)
        self._probe("append.begin")
        with self._session.writing() as connection:
            check_epoch(epoch, statements.newest_epoch(connection))
            if request and (found := statements.answered(connection, campaign, request.id)):
                return repeated(request, *found)
            end, digest = statements.end(connection, campaign)
            check_end(campaign, events, expected_n, end)
            self._write(connection, campaign, events, end, digest)
            if request:
                statements.add_request(connection, campaign, request, end + len(events))
            self._probe("append.written")
        self._probe("append.committed")
        return Committed(n=end + len(events))

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None. Raises ConflictError."""
        with self._session.reading() as connection:
            found = statements.answered(connection, campaign, request.id)
        return repeated(request, *found) if found else None

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order, each checked against the chain of digests.

        Raises NotFoundError at once, CorruptError on the way.
        """
        with self._session.reading() as connection:
            end, _ = statements.end(connection, campaign)
        if end == 0:
            raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
        return self._events(campaign, max(after, 0))

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""
        with self._session.reading() as connection:
            return statements.campaigns(connection)

    def rows(self, table: str, campaign: str) -> list[Row]:
        """Rows of a projected table, ordered by key."""
        columns = metadata.tables[table]
        with self._session.reading() as connection:
            found = connection.execute(select(columns).where(columns.c.campaign == campaign)).mappings()
            rows = [dict(row) for row in found]
        return sorted(rows, key=lambda row: tuple(row[column] for column in KEYS[table]))

    def rebuild_projections(self) -> None:
        """Make the projected tables anew from the events, in one transaction."""
        tables = Tables()
        campaigns = self.campaigns()
        for campaign in campaigns:
            tables.add(self._events(campaign, 0))
        with self._session.writing() as connection:
            check_epoch(self._epoch, statements.newest_epoch(connection))
            for table in KEYS:
                connection.execute(metadata.tables[table].delete())
                for campaign in campaigns:
                    statements.add_rows(connection, table, tables.rows(table, campaign))

    def close(self) -> None:
        """Let go of the connection and the lock; harmless when repeated."""
        self._session.close()

    def _start(self) -> int:
        with self._session.writing() as connection:
            self._session.check(connection)
            migrate.upgrade(connection)
            return statements.take_epoch(connection)

    def _look(self) -> int:
        with self._session.reading() as connection:
            migrate.check(connection)
        return 0

    def _write(self, connection: Connection, campaign: str, events: Sequence[Event], end: int, digest: str) -> None:
        at = self._clock()
        rows: list[dict[str, Any]] = []
        for n, event in enumerate(events, start=end + 1):
            body = to_json(event)
            check_body(campaign, body)
            digest = link(digest, campaign, n, self._epoch, at, body)
            place = {"campaign": campaign, "n": n, "epoch": self._epoch, "at": at}
            rows.append({**place, "kind": event.kind, "body": body, "digest": digest})
        statements.add_rows(connection, "events", rows)
        for n, event in enumerate(events, start=end + 1):
            stored = StoredEvent(campaign, n, self._epoch, at, event)
            for change in changes(stored, lambda query: statements.facts(connection, campaign, query)):
                statements.make(connection, change)

    def _events(self, campaign: str, after: int) -> Iterator[StoredEvent]:
        """Page by page, so that no reader holds up the writer."""
        with self._session.reading() as connection:
            digest = statements.digest_at(connection, campaign, after) if after else ""
        n = after
        while True:
            with self._session.reading() as connection:
                page = statements.page(connection, campaign, n)
            for row in page:
                n += 1
                digest = _checked(campaign, n, digest, row)
                yield StoredEvent(campaign, n, row.epoch, row.at, _parsed(campaign, n, row.body))
            if len(page) < statements.PAGE:
                return


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
