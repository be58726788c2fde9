"""Transactions over a backend's one connection: one thread at a time, and none after a write that failed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from dataeff_al.errors import ConflictError, CorruptError, RecordError
from dataeff_al.stores.backend import Backend

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


class Session:
    """Hands out transactions.

    After a write that the database did not merely refuse (a full disk, a failed fsync, a lost connection) nobody
    knows what is on the disk: every later write is refused until the store is opened anew.
    """

    def __init__(self, backend: Backend, writer: bool) -> None:
        self._backend = backend
        self._writer = writer
        self._lock = threading.RLock()
        self._failed = ""
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on the disk when it ends; an error undoes it.

        Raises ConflictError for a reader, RecordError when a row is refused or the database fails.
        """
        if not self._writer:
            raise ConflictError("a store must be open for writing, but got one that was opened for reading.")
        with self._lock:
            if self._failed:
                raise RecordError(f"a record must be opened anew after a failure, but got {self._failed} before.")
            with self._transaction(writes=True) as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; keep it short, since it holds up the writer's commit."""
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

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Connection]:
        if self._closed:
            raise RecordError("a store must be open, but got a closed one.")
        try:
            with self._backend.engine.connect() as connection:
                connection.execution_options(writes=writes)
                with connection.begin():
                    yield connection
        except IntegrityError as error:
            raise RecordError(f"the record must accept every new row, but got {error.orig}.") from error
        except DBAPIError as error:
            raise self._failure(error, writes) from error

    def _failure(self, error: DBAPIError, writes: bool) -> RecordError:
        name = getattr(error.orig, "sqlite_errorname", "").removesuffix("_SNAPSHOT")
        if writes and name not in _BUSY:
            self._failed = str(error.orig)
        if name in _DAMAGED:
            return CorruptError(f"the record at {self._backend.place!r} must be whole, but got {error.orig}.")
        return RecordError(f"the record at {self._backend.place!r} must be in working order, but got {error.orig}.")
