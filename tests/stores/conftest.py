"""Records to test on: in memory, in a SQLite file, and in a PostgreSQL server of the test session's own."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    binaries, user = _binaries(), _server_user()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    if user == "":
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER}")
    folder = Path(tempfile.mkdtemp(prefix="dataeff-postgres-"))
    if user:
        shutil.chown(folder, user)
    port = _free_port()
    data = str(folder / "data")
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}"

    def run(*command: str) -> None:
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

    try:
        run(str(binaries / "initdb"), "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")
        run(str(binaries / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}/"
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Callable[[], str]:
    counter = itertools.count()

    def make() -> str:
        name = f"record{next(counter)}"
        engine = create_engine(postgres_server + USER, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return postgres_server + name

    return make


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
