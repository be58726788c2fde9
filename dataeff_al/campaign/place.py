"""A campaign in a folder: the record, the blobs, and what may be read."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.hosts import InlineHosts
from dataeff_al.campaign.outcome import write_json
from dataeff_al.errors import ConflictError, DataError
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.open import BLOBS, open_store
from dataeff_al.stores.protocol import Store

SPACE_NEEDED = 64 * 2**20
ORIGIN = "origin.json"


def _too_full(free: int) -> str:
    needed = f"{SPACE_NEEDED >> 20} MiB"
    return f"the run folder's disk must have at least {needed} free, but got {free >> 20} MiB"


@dataclass(frozen=True)
class Place:
    """Where a campaign lives and what it may read: its run folder, the campaign file's folder, the shared data."""

    folder: Path
    base_dir: Path
    data_root: Path | None

    def check(self) -> None:
        """Raises DataError when the folder cannot be written or its disk is nearly full."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / f".write-{time.monotonic_ns()}"
            probe.touch()
            probe.unlink()
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise DataError(f"the run folder must be writable, but got {error}.") from error
        if free < SPACE_NEEDED:
            raise DataError(f"{_too_full(free)}.")

    def obstacle(self) -> str:
        """Why nothing new may be begun now: a disk that is nearly full; empty when nothing is in the way."""
        free = shutil.disk_usage(self.folder).free
        return _too_full(free) if free < SPACE_NEEDED else ""

    def remember_origin(self) -> None:
        """Write down where the campaign file's folder is: absolutely, and as seen from the run folder."""
        base, folder = self.base_dir.resolve(), self.folder.resolve()
        write_json(self.folder / ORIGIN, {"base_dir": str(base), "relative": os.path.relpath(base, folder)})

    @contextmanager
    def store(self, campaign: str) -> Iterator[Store]:
        """The folder's record, held while in use.

        Raises LockedError when another process holds it, ConflictError when it belongs to another campaign.
        """
        self.check()
        store = open_store(self.folder, writer=True)
        try:
            held = store.campaigns()
            if held and held[0] != campaign:
                raise ConflictError(f"the run folder must hold the campaign {campaign!r}, but got {held[0]!r}.")
            FileBlobs(self.folder / BLOBS).sweep()
            if not held or not (self.folder / ORIGIN).is_file():
                self.remember_origin()
            yield store
        finally:
            store.close()

    @contextmanager
    def inline_hosts(self) -> Iterator[InlineHosts]:
        """Hosts that work in this process."""
        blobs = FileBlobs(self.folder / BLOBS)
        hosts = InlineHosts(
            blobs,
            make_parts=lambda spec: Parts(spec, self.base_dir, self.data_root),
            make_worker=lambda: _worker(blobs, self),
            make_spool=lambda: FileSpool(self.folder / "spool"),
        )
        try:
            yield hosts
        finally:
            hosts.close()


def _worker(blobs: Blobs, place: Place) -> Any:
    from dataeff_al.campaign.worker import Worker  # torch takes seconds, which whoever asks no step need not wait for

    return Worker(blobs, place.base_dir, place.data_root)
