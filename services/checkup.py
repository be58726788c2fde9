"""Checking a record: a run's folder, or a store by its URL beside the blobs of a folder."""

from pathlib import Path

from dataeff_al.errors import NotFoundError
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import FsckReport, fsck
from dataeff_al.stores.open import BLOBS, RECORD, open_store


def check_record(place: str, rebuild: bool) -> FsckReport:
    """Check every invariant; ``rebuild`` first remakes the tables from the event log, as the only writer.

    Raises NotFoundError when there is no record, LockedError when it is to be rebuilt while a controller holds it.
    """
    folder = Path(place.removeprefix("sqlite:///")).parent if "://" in place else Path(place)
    if "://" not in place and not (folder / RECORD).is_file():
        raise NotFoundError(f"a run's folder must hold {RECORD}, but got {place!r}.")
    store = open_store(place, writer=rebuild)
    try:
        if rebuild:
            store.rebuild_projections()
        return fsck(store, FileBlobs(folder / BLOBS))
    finally:
        store.close()
