import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from dataeff_al import events as ev
from dataeff_al.errors import ConflictError, LockedError, UnavailableError
from dataeff_al.stores import schema
from dataeff_al.stores.blobs import FileBlobs, MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from dataeff_al.testing.logs import told_story
from dataeff_al.testing.stores import append_all
from services.checkup import check_record

pytest.importorskip("psycopg", reason="psycopg is not installed")


@pytest.fixture
def url(new_database):
    return new_database()


@pytest.mark.parametrize("table", ["events", "requests"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET n = 7", "DELETE FROM {}", "TRUNCATE {}"])
def test_triggers_refuse_to_change_the_record(url, table, statement):
    store = open_store(url, writer=True)
    append_all(store, "c", told_story()[1])
    store.close()
    engine = create_engine(url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))
    engine.dispose()


def test_the_migrations_lead_to_the_schema_that_the_code_uses(url):
    open_store(url, writer=True).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_second_controller_is_refused_and_a_reader_is_not(url):
    store = open_store(url, writer=True)
    story, log = told_story()
    append_all(store, "c", log)
    with pytest.raises(LockedError, match="another process is running this record"):
        open_store(url, writer=True)
    reader = open_store(url, writer=False)
    blobs = MemoryBlobs()
    for content in story.blobs.values():
        blobs.put(content)
    assert fsck(reader, blobs).ok
    with pytest.raises(ConflictError, match="open for writing"):
        reader.append("c", [ev.Resumed()], len(log), store.epoch)
    reader.close()
    store.close()


def test_a_controller_without_its_connection_writes_nothing_once_another_took_over(url):
    """With the connection went the lock: the old holder must not write again, whatever it believes."""
    first = open_store(url, writer=True)
    _, log = told_story()
    n = append_all(first, "c", log)
    engine = create_engine(url)
    with engine.begin() as connection:
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = :name"
        )
        assert connection.execute(text(ended), {"name": engine.url.database}).scalars().all() == [True]
    engine.dispose()
    second = open_store(url, writer=True)
    for _ in range(2):
        with pytest.raises(LockedError, match="another process is running this record"):
            first.append("c", [ev.Extended(amount=1)], n, first.epoch)
    assert second.append("c", [ev.Extended(amount=1)], n, second.epoch).n == n + 1
    assert second.epoch == first.epoch + 1
    second.close()
    with pytest.raises(ConflictError, match="newest epoch"):
        first.append("c", [ev.Extended(amount=1)], n + 1, first.epoch)
    first.close()


def test_a_server_that_is_not_there_is_one_sentence_without_the_password():
    with pytest.raises(UnavailableError, match="must be reachable") as refused:
        open_store("postgresql+psycopg://u:secret@127.0.0.1:1/none", writer=True)
    assert "secret" not in str(refused.value)


def test_tables_that_differ_from_their_events_are_found_and_remade(url, tmp_path):
    store = open_store(url, writer=True)
    story, log = told_story()
    append_all(store, "c", log)
    store.close()
    blobs = FileBlobs(tmp_path / "blobs")
    for content in story.blobs.values():
        blobs.put(content)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE entries SET amount = amount + 1 WHERE kind = 'POST' AND subject = 'q2.1'"))
        connection.execute(text("DELETE FROM attempts WHERE attempt = 'q3.1'"))
        connection.execute(text("UPDATE campaigns SET state = 'running'"))
    engine.dispose()
    found = check_record(url, rebuild=False, blobs=tmp_path / "blobs")
    assert {each.invariant for each in found.violations} == {"I1", "I2", "I9"}
    assert check_record(url, rebuild=True, blobs=tmp_path / "blobs").ok
    assert check_record(url, rebuild=False, blobs=tmp_path / "blobs").ok
