"""Open a record by what a user calls it: a run's folder, or a URL."""

from pathlib import Path

from dataeff_al.stores.sql import SqlStore

RECORD = "record.sqlite"
BLOBS = "blobs"


def open_store(place: str | Path, writer: bool) -> SqlStore:
    """The record in a folder (``record.sqlite``) or at a URL (``sqlite:///...``, ``postgresql+psycopg://...``).

    Raises LockedError, NotFoundError (a reader that finds nothing), CorruptError, RecordError.
    """
    url = place if isinstance(place, str) and "://" in place else f"sqlite:///{Path(place) / RECORD}"
    return SqlStore(url) if writer else SqlStore.open_reader(url)
