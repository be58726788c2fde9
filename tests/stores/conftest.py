"""Records to test on: in memory, in a SQLite file, and in a PostgreSQL server of the test session's own."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.stores.sql import SqlStore

USER = "postgres"


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    onpath = shutil.which("initdb")
    return found[-1].parent if found else Path(onpath).resolve().parent if onpath else None


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; anybody else runs it as they are. Empty: root without that user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER).pw_name
    except KeyError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A server of the tests' own, on loopback."""

    def __init__(self, binaries: Path, user: str | None) -> None:
        self._binaries, self._user = binaries, user
        self.folder = Path(tempfile.mkdtemp(prefix="dataeff-postgres-"))
        if user:
            shutil.chown(self.folder, user)
        port = _free_port()
        self._options = f"-c listen_addresses=127.0.0.1 -p {port} -k {self.folder}"
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{port}/"
        self._counter = itertools.count()

    def _run(self, name: str, *options: str) -> None:
        command = [str(self._binaries / name), "-D", str(self.folder / "data"), *options]
        subprocess.run(command, user=self._user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=240)

    def make(self) -> None:
        self._run("initdb", "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        self._run("pg_ctl", "-l", str(self.folder / "log"), "-w", "-o", self._options, "start")

    def stop(self) -> None:
        """As a crash would: nothing is finished, connections are cut."""
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        name = f"record{next(self._counter)}"
        engine = create_engine(self.url + USER, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url + name


@contextmanager
def _postgres() -> Iterator[Postgres]:
    binaries, user = _binaries(), _server_user()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    if user == "":
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER}")
    server = Postgres(binaries, user)
    try:
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with _postgres() as server:
        yield server


@pytest.fixture(scope="module")
def shaky_server() -> Iterator[Postgres]:
    """A server that tests may stop and start."""
    with _postgres() as server:
        yield server


@pytest.fixture(scope="session")
def new_database(postgres_server: Postgres) -> Callable[[], str]:
    return postgres_server.new_database


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'record.sqlite'}"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], MemoryStore | SqlStore]:
    """Opens one and the same empty record anew at each call."""
    if request.param == "memory":
        record = MemoryRecord()
        return lambda: MemoryStore(record)
    if request.param == "sqlite":
        return lambda: SqlStore(f"sqlite:///{tmp_path / 'record.sqlite'}")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url = request.getfixturevalue("new_database")()
    return lambda: SqlStore(url)
