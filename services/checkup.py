"""Checking a record: a run's folder, or a store by its URL beside the blobs of a folder."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dataeff_al.campaign.snapshot_check import SnapshotCheck
from dataeff_al.errors import DataError, NotFoundError
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import FsckReport, fsck
from dataeff_al.stores.open import BLOBS, RECORD, open_store


def check_record(
    place: str, rebuild: bool, invoices: Mapping[str, int] | None = None, blobs: Path | None = None
) -> FsckReport:
    """Check every invariant; ``rebuild`` first remakes the tables from the event log, as the only writer.

    ``invoices``: how often the labeler says that it was paid, by attempt. ``blobs``: their folder, where it is not
    beside the record.

    Raises NotFoundError when there is no record, LockedError when it is to be rebuilt while a controller holds it.
    """
    folder = Path(place.removeprefix("sqlite:///")).parent if "://" in place else Path(place)
    if "://" not in place and not (folder / RECORD).is_file():
        raise NotFoundError(f"a run's folder must hold {RECORD}, but got {place!r}.")
    store = open_store(place, writer=rebuild)
    try:
        if rebuild:
            store.rebuild_projections()
        return fsck(
            store,
            FileBlobs(blobs or folder / BLOBS),
            invoices=invoices,
            more=lambda campaign: [SnapshotCheck(campaign, store.snapshot(campaign))],
        )
    finally:
        store.close()


def read_invoices(path: Path) -> Counter[str]:
    """How often a labeler was paid, by attempt: a file with an attempt's id in each line, or a folder with a file for
    each payment, named after its attempt (up to the first dot).

    Raises DataError when it cannot be read.
    """
    try:
        if path.is_dir():
            return Counter(each.name.partition(".")[0] for each in path.iterdir())
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"invoices must be a text file or a folder, but got {error}.") from error
    return Counter(line.strip() for line in lines if line.strip())
