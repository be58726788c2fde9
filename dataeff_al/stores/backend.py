"""Where a SQL record lies: how to connect, how to keep a second controller out, how to check what is there."""

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from dataeff_al.errors import CorruptError, LockedError, NotFoundError, RecordError, UnavailableError
from dataeff_al.stores.lockfile import LockFile

BUSY_S = 30.0
LOCK_TRIES = 10
LOCK_PAUSE_S = 0.1
OLDEST_SQLITE = (3, 35, 0)
_ADVISORY_KEY = int.from_bytes(hashlib.sha256(b"dataeff_al.record").digest()[:8], "big", signed=True)


@dataclass(frozen=True)
class Backend:
    """An open database: one connection for the whole process, how to check it, and how to let go of it.

    ``reconnect`` brings back a connection that was lost, and with it the lock; None where none can be lost.
    """

    engine: Engine
    place: str
    check: Callable[[Connection], None]
    close: Callable[[], None]
    reconnect: Callable[[], None] | None = None


def connect(url: str, writer: bool) -> Backend:
    """Open ``sqlite:///path`` or ``postgresql+psycopg://...``.

    Raises LockedError when another process writes it, NotFoundError when a reader finds nothing, RecordError when the
    database cannot be reached or the URL names another kind.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RecordError(f"a record's URL must be one that SQLAlchemy reads, but got {error}.") from error
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return _sqlite(Path(parsed.database), writer)
    if parsed.drivername == "postgresql+psycopg":
        return _postgres(url, writer)
    shown = parsed.render_as_string(hide_password=True)
    raise RecordError(f"a record's URL must begin with sqlite:/// or postgresql+psycopg://, but got {shown!r}.")


def _sqlite(path: Path, writer: bool) -> Backend:
    """A rollback journal and one connection: SQLite before 3.51.3 can lose a WAL's commits with two connections."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise RecordError(f"SQLite must be at least {OLDEST_SQLITE}, but got {sqlite3.sqlite_version}.")
    if not writer and not path.is_file():
        raise NotFoundError(f"a record must exist, but got none at {str(path)!r}.")
    lock = _lock_beside(path) if writer else None
    # A reader may write so far as to roll back what a killed writer left half done; query_only forbids it the rest.
    mode = "rwc" if writer else "rw"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connection() -> sqlite3.Connection:
        opened = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=True)
        try:
            _set_up_sqlite(opened, writer)
        except BaseException:
            opened.close()
            raise
        return opened

    engine = create_engine("sqlite+pysqlite://", creator=connection, poolclass=StaticPool)
    event.listen(engine, "begin", _begin)

    def close() -> None:
        engine.dispose()
        if lock:
            lock.release()

    return Backend(engine, str(path), _check_sqlite, close)


def _lock_beside(path: Path) -> LockFile:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return LockFile(path.with_suffix(".lock"))
    except OSError as error:
        raise RecordError(f"a record's folder must be writable, but got {error}.") from error


def _set_up_sqlite(opened: sqlite3.Connection, writer: bool) -> None:
    if writer:
        (mode,) = opened.execute("PRAGMA journal_mode=PERSIST").fetchone()
        if mode != "persist":
            raise RecordError(f"the record's journal must be a rollback journal, but got {mode!r}.")
    opened.execute("PRAGMA synchronous=FULL")
    # Without this, INSERT OR REPLACE would delete a row past the triggers.
    opened.execute("PRAGMA recursive_triggers=ON")
    opened.execute(f"PRAGMA query_only={'OFF' if writer else 'ON'}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_sqlite(connection: Connection) -> None:
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise CorruptError(f"the record must be a whole SQLite file, but got {found!r}.")


def _postgres(url: str, writer: bool) -> Backend:
    place = make_url(url).render_as_string(hide_password=True)
    options = {"connect_timeout": int(BUSY_S), "options": "-c synchronous_commit=on"}
    try:
        engine = create_engine(url, poolclass=StaticPool, connect_args=options)
    except ModuleNotFoundError as error:
        raise RecordError(f"a record on PostgreSQL needs the package psycopg[binary], but got {error}.") from error
    try:
        if writer:
            _advise(engine)
    except BaseException:
        engine.dispose()
        raise

    def close() -> None:
        # Said aloud, because the server may notice a closed connection later than the next controller knocks.
        if writer:
            with contextlib.suppress(DBAPIError), engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})
        engine.dispose()

    def reconnect() -> None:
        engine.dispose()
        if writer:
            _advise(engine)

    return Backend(engine, place, _trust, close, reconnect)


def _trust(_: Connection) -> None:
    """PostgreSQL looks after its own files."""


def _advise(engine: Engine) -> None:
    """Take the session's advisory lock, waiting a little for a killed holder's connection to be noticed."""
    query = text("SELECT pg_try_advisory_lock(:key)")
    try:
        for _ in range(LOCK_TRIES):
            with engine.begin() as connection:
                if connection.execute(query, {"key": _ADVISORY_KEY}).scalar_one():
                    return
            time.sleep(LOCK_PAUSE_S)
    except DBAPIError as error:
        raise UnavailableError(f"the record's database must be reachable, but got {error.orig}.") from error
    raise LockedError("another process is running this record")
