"""Transactions over a backend's one connection: one thread at a time, and none after a write that failed."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from dataeff_al.errors import ConflictError, CorruptError, DataeffError, NoRoomError, RecordError, UnavailableError
from dataeff_al.stores.backend import Backend

T = TypeVar("T")
log = logging.getLogger(__name__)
PATIENCE_S = 20.0
PAUSE_S = 0.2
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_FULL = ("SQLITE_FULL", "53100")
"""What SQLite calls a disk without room, and PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html):
both have undone the transaction. Room that is missed only by fsync goes by other names, and is final."""


class Session:
    """Hands out transactions.

    After a write that the database did not merely refuse (a failed fsync, a broken file) nobody knows what is on the
    disk: every later write is refused until the store is opened anew. A connection to a server that was lost is another
    matter: the server knows what it has committed. It is asked again, with the lock taken anew, for a while.
    """

    def __init__(self, backend: Backend, writer: bool) -> None:
        self._backend = backend
        self._writer = writer
        self._lock = threading.RLock()
        self._failed = ""
        self._worked = self._lost = False
        self._closed = False

    def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, once all that it wrote is on the disk; an error undoes it.

        With a server, ``work`` may be called again after a commit of which nobody heard whether it came about.

        Raises ConflictError for a reader, NoRoomError when the disk is full, RecordError when a row is refused or the
        database fails, LockedError when another controller took over, UnavailableError when the server stays away.
        """

        def once() -> T:
            with self.writing() as connection:
                return work(connection)

        return self._patiently(once)

    def read(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, which only reads; keep it short, since it holds up the writer's commit."""

        def once() -> T:
            with self.reading() as connection:
                return work(connection)

        return self._patiently(once)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on the disk when it ends; see :meth:`write`."""
        if not self._writer:
            raise ConflictError("a store must be open for writing, but got one that was opened for reading.")
        with self._lock:
            if self._failed:
                raise RecordError(f"a record must be opened anew after a failure, but got {self._failed} before.")
            with self._transaction(writes=True) as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; see :meth:`read`."""
        with self._lock, self._transaction(writes=False) as connection:
            yield connection

    def check(self, connection: Connection) -> None:
        """Raises CorruptError when the database's own check finds damage."""
        self._backend.check(connection)

    def close(self) -> None:
        """Let go of the database; harmless when repeated."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._backend.close()

    def _patiently(self, once: Callable[[], T]) -> T:
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                return once()
            except UnavailableError:
                if time.monotonic() >= ends or self._closed or not self._worked:
                    raise
            time.sleep(PAUSE_S)

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Connection]:
        if self._closed:
            raise RecordError("a store must be open, but got a closed one.")
        if self._lost and self._backend.reconnect is not None:
            self._backend.reconnect()
            self._lost = False
        try:
            with self._connected() as connection:
                connection.execution_options(writes=writes)
                with connection.begin():
                    yield connection
            self._worked = True
        except IntegrityError as error:
            raise RecordError(f"the record must accept every new row, but got {error.orig}.") from error
        except DBAPIError as error:
            raise self._failure(error, writes) from error

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = self._backend.engine.connect()
        except DBAPIError as error:
            error.connection_invalidated = True
            raise
        with connection:
            yield connection

    def _failure(self, error: DBAPIError, writes: bool) -> DataeffError:
        place, said = self._backend.place, str(error.orig).strip()
        if error.connection_invalidated and self._backend.reconnect is not None:
            self._lost = True
            log.warning("the connection to the record was lost: %s", said)
            return UnavailableError(f"the record at {place!r} must be reachable, but got {said}.")
        name = getattr(error.orig, "sqlite_errorname", getattr(error.orig, "sqlstate", None)) or ""
        name = name.removesuffix("_SNAPSHOT")
        if name in _FULL:
            return NoRoomError(f"the record at {place!r} must have room to grow, but got {said}.")
        if writes and name not in _BUSY:
            self._failed = said
        if name in _DAMAGED:
            return CorruptError(f"the record at {place!r} must be whole, but got {said}.")
        return RecordError(f"the record at {place!r} must be in working order, but got {said}.")
