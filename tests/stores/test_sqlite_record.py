import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from dataeff_al import events as ev
from dataeff_al.errors import ConflictError, CorruptError, LockedError, NotFoundError, RecordError
from dataeff_al.stores import migrate, schema
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from dataeff_al.stores.protocol import RequestKey
from dataeff_al.stores.statements import PAGE
from dataeff_al.testing.logs import Story, told_story
from dataeff_al.testing.stores import append_all


def _whole(story):
    blobs = MemoryBlobs()
    for content in story.blobs.values():
        blobs.put(content)
    return blobs


@pytest.fixture
def record(tmp_path):
    """A folder with a finished story in its record."""
    store = open_store(tmp_path, writer=True)
    store.append("c", told_story()[1], 0, store.epoch, RequestKey("r", "digest"))
    store.close()
    return tmp_path


@pytest.mark.parametrize("table", ["events", "requests"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET n = 7", "DELETE FROM {}", "REPLACE INTO {0} SELECT * FROM {0}"])
def test_triggers_refuse_to_change_the_record(record, table, statement):
    database = sqlite3.connect(record / "record.sqlite")
    database.execute("PRAGMA recursive_triggers=ON")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement.format(table))
    database.close()


def test_the_migrations_lead_to_the_schema_that_the_code_uses(record):
    assert migrate.heads() == [schema.HEAD]
    engine = create_engine(f"sqlite:///{record / 'record.sqlite'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'table'")).scalars().all()
    engine.dispose()
    assert sum("WITHOUT ROWID" in sql for sql in made) == 4


def test_it_is_durable_and_has_a_rollback_journal(record):
    store = open_store(record, writer=True)
    with store._session.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "persist"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
    store.close()


def test_a_second_opener_is_refused_with_one_sentence(tmp_path):
    store = open_store(tmp_path, writer=True)
    child = f"from dataeff_al.stores.open import open_store; open_store({str(tmp_path)!r}, writer=True)"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("LockedError: another process is running this campaign folder")
    with pytest.raises(LockedError, match="another process is running this campaign folder"):
        open_store(tmp_path, writer=True)
    store.close()


def test_a_reader_sees_what_the_writer_commits_and_writes_nothing(tmp_path):
    writer = open_store(tmp_path, writer=True)
    append_all(writer, "c", Story().begin())
    reader = open_store(tmp_path, writer=False)
    assert [stored.n for stored in reader.read("c")] == [1, 2]
    append_all(writer, "c", [ev.Paused(cause="user", reason="lunch")])
    assert [stored.event.kind for stored in reader.read("c", after=2)] == ["paused"]
    for epoch in (writer.epoch, reader.epoch):
        with pytest.raises(ConflictError, match="open for writing"):
            reader.append("c", [ev.Resumed()], 3, epoch)
    with pytest.raises(ConflictError, match="open for writing"):
        reader.rebuild_projections()
    assert (reader.epoch, writer.epoch) == (0, 1)
    reader.close()
    writer.close()


def test_the_record_is_synced_in_full_and_has_no_write_ahead_log(record):
    """Before 3.51.3 SQLite can lose what is in a write-ahead log when two connections use it."""
    for writer, journal in ((True, "persist"), (False, "delete")):
        store = open_store(record, writer=writer)
        with store._session.reading() as connection:
            asked = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "journal_mode")
            ]
        store.close()
        assert asked == [2, journal], "2 is FULL"
    assert not (record / "record.sqlite-wal").exists()


def test_a_write_ahead_log_that_somebody_turned_on_is_folded_in(record):
    database = sqlite3.connect(record / "record.sqlite")
    assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    database.close()
    store = open_store(record, writer=True)
    with store._session.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "persist"
    store.close()


def test_a_sqlite_that_is_too_old_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(RecordError, match="at least"):
        open_store(tmp_path, writer=True)


def test_a_readers_connection_itself_refuses_to_write(record):
    reader = open_store(record, writer=False)
    with pytest.raises(RecordError, match="readonly"), reader._session.reading() as connection:
        connection.execute(text("UPDATE meta SET epoch = 9"))
    assert list(reader.campaigns()) == ["c"]
    reader.close()


@pytest.mark.parametrize("length", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_a_log_longer_than_a_page_is_read_whole(tmp_path, length):
    store = open_store(tmp_path, writer=True)
    log = [*Story().begin(), *(ev.Extended(amount=k) for k in range(1, length - 1))]
    store.append("c", log, 0, store.epoch)
    for after in (0, 1, PAGE - 1, PAGE, PAGE + 1):
        assert [stored.event for stored in store.read("c", after)] == log[after:]
    store.close()


def test_a_reader_of_nothing_is_told_so_and_makes_nothing(tmp_path):
    with pytest.raises(NotFoundError, match="must exist"):
        open_store(tmp_path / "no", writer=False)
    assert not (tmp_path / "no").exists()


def test_a_slow_reader_does_not_hold_up_the_writer(record):
    reader, writer = open_store(record, writer=False), open_store(record, writer=True)
    events = reader.read("c")
    next(events)
    end = sum(1 for _ in writer.read("c"))
    writer.append("c", [ev.Resumed()], end, writer.epoch)
    assert sum(1 for _ in events) >= end - 1
    reader.close()
    writer.close()


def test_a_controller_that_lost_its_lock_and_wakes_writes_nothing(record):
    """The lock file was taken away under a paused controller: the epoch still fences it."""
    first = open_store(record, writer=True)
    (record / "record.lock").unlink()
    second = open_store(record, writer=True)
    end = sum(1 for _ in second.read("c"))
    with pytest.raises(ConflictError, match="newest epoch"):
        first.append("c", [ev.Resumed()], end, first.epoch)
    assert second.append("c", [ev.Resumed()], end, second.epoch).n == end + 1
    first.close()
    second.close()


def test_a_closed_store_says_so(tmp_path):
    store = open_store(tmp_path, writer=True)
    store.close()
    with pytest.raises(RecordError, match="closed"):
        store.campaigns()
    with pytest.raises(RecordError, match="closed"):
        store.append("c", Story().begin(), 0, store.epoch)


def test_a_file_that_is_no_record_is_refused(tmp_path):
    (tmp_path / "record.sqlite").write_bytes(b"not a database" * 100)
    for writer in (True, False):
        with pytest.raises(CorruptError, match="must be whole"):
            open_store(tmp_path, writer=writer)


def test_a_database_of_somebody_else_is_refused_and_left_alone(tmp_path):
    database = sqlite3.connect(tmp_path / "record.sqlite")
    database.execute("CREATE TABLE songs (name TEXT)")
    database.commit()
    with pytest.raises(RecordError, match="of its own"):
        open_store(tmp_path, writer=True)
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    database.close()


def test_a_record_of_a_later_version_is_refused(record):
    database = sqlite3.connect(record / "record.sqlite")
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    for writer in (True, False):
        with pytest.raises(RecordError, match="'9999'"):
            open_store(record, writer=writer)


def test_damage_in_a_page_that_opening_does_not_need_is_found_on_opening(record):
    database = sqlite3.connect(record / "record.sqlite")
    (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'blob_refs'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    with (record / "record.sqlite").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    with pytest.raises(CorruptError, match="must be"):
        open_store(record, writer=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://localhost/x", "must begin with"),
        ("sqlite://", "must begin with"),
        ("postgresql://u:secret@localhost/x", "must begin with"),
        ("://", "SQLAlchemy reads"),
    ],
)
def test_other_urls_are_refused_without_showing_passwords(url, words):
    with pytest.raises(RecordError, match=words) as refused:
        open_store(url, writer=True)
    assert "secret" not in str(refused.value)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="folder must be writable"):
        open_store(tmp_path / "file" / "run", writer=True)


def test_an_id_or_an_event_that_is_too_large_is_refused(tmp_path):
    store = open_store(tmp_path, writer=True)
    for name in ("", "c" * 201):
        with pytest.raises(RecordError, match="1 to 200"):
            store.append(name, Story().begin(), 0, store.epoch)
    huge = ev.Created(name="x", spec={"budget": {"total": 1}, "note": "n" * (17 * 2**20)}, spec_digest="")
    with pytest.raises(RecordError, match="at most"):
        store.append("c", [huge], 0, store.epoch)
    assert list(store.campaigns()) == []
    store.close()


def test_a_write_that_failed_is_final_until_the_store_is_opened_anew(tmp_path):
    """A file that may not grow stands for a full disk."""
    child = textwrap.dedent("""
        import os, resource, signal, sys
        from dataeff_al import events as ev
        from dataeff_al.errors import RecordError
        from dataeff_al.stores.open import open_store
        from dataeff_al.testing.logs import Story
        from dataeff_al.testing.stores import append_all
        store = open_store(sys.argv[1], writer=True)
        append_all(store, "c", Story().begin())
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = os.path.getsize(sys.argv[1] + "/record.sqlite")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        big = [ev.Paused(cause="user", reason="x" * 100_000)]
        for events in (big, [ev.Resumed()]):
            try: store.append("c", events, 2, store.epoch)
            except RecordError as error: print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.close()
        store = open_store(sys.argv[1], writer=True)
        print(store.append("c", big, 2, store.epoch).n)
    """)
    done = subprocess.run([sys.executable, "-c", child, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    first, second, n = done.stdout.splitlines()
    assert "in working order" in first
    assert "opened anew" in second
    assert n == "3"


HOT = bytes.fromhex("d9d505f920a163d7")
"""With which the journal of an unfinished transaction begins (https://www.sqlite.org/fileformat2.html#rollbackjournal)."""

WRITER = """
import sys
from dataeff_al import events as ev, failpoints
from dataeff_al.stores.protocol import RequestKey
from dataeff_al.stores.sql import SqlStore
from dataeff_al.testing.logs import Story

folder, point, count = sys.argv[1:]
if point != "random":
    failpoints.arm(f"{point}:{count}=kill")
store = SqlStore(f"sqlite:///{folder}/record.sqlite")
with store._session.reading() as connection:
    connection.exec_driver_sql("PRAGMA cache_size=2")
story = Story()
store.append("c", story.begin(), 0, store.epoch)
n = 2
while True:
    proposed = story.propose(60)
    names = [query.id for query in proposed.queries]
    n = store.append("c", [proposed, story.lease(names), *(story.tell(name, 0) for name in names)], n, store.epoch).n
    print(n, flush=True)
"""


@pytest.mark.parametrize(
    ("point", "count", "lost"),
    [("append.begin", 4, 0), ("append.written", 4, 0), ("append.committed", 4, 1), ("random", 0, 1)],
)
def test_a_killed_writer_leaves_a_readable_log_with_all_it_acknowledged(tmp_path, point, count, lost):
    """The small cache makes pages reach the file before the commit, so that a kill leaves a journal to roll back."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), point, str(count)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    acknowledged = 2
    for line in child.stdout:
        acknowledged = int(line)
        if point == "random" and acknowledged > 500:
            os.kill(child.pid, signal.SIGKILL)
            break
    child.stdout.close()
    assert child.wait(timeout=60) == -signal.SIGKILL
    if point == "append.written":
        assert (tmp_path / "record.sqlite-journal").read_bytes()[:8] == HOT, "there must be something to roll back"
    reader = open_store(tmp_path, writer=False)
    seen = [stored.n for stored in reader.read("c")]
    reader.close()
    store = open_store(tmp_path, writer=True)
    story = Story()
    story.begin(), story.propose(1)
    for slot in range(len(seen)):
        story.blob(f"request {slot}"), story.label(f"q{slot}")
    log = list(store.read("c"))
    assert [stored.n for stored in log] == seen == list(range(1, len(log) + 1))
    assert acknowledged <= len(log) <= acknowledged + 62 * lost
    assert (len(log) - 2) % 62 == 0
    assert store.epoch == 2
    report = fsck(store, _whole(story))
    assert report.ok, str(report)
    store.close()
