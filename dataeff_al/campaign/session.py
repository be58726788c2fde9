"""A campaign in a folder, with its twins and repeats, run in this process: no server, no cluster."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.commands import Pause, Resume
from dataeff_al.campaign.drive import Driver, Inbox, LabelNews
from dataeff_al.campaign.events import Event
from dataeff_al.campaign.hosts import InlineHost
from dataeff_al.campaign.launch import created, twin_events, twin_id
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.campaign.worker import Worker
from dataeff_al.errors import ConflictError, DataError
from dataeff_al.labeling.external import ExternalHost
from dataeff_al.labeling.spool import FileSpool, MemorySpool, Spool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import LabelerHost
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.open import open_store

Observe = Callable[[State, Sequence[Event]], None]
SPACE_NEEDED = 64 * 2**20


@dataclass(frozen=True)
class Place:
    """Where a campaign lives and what it may read: its run folder, the campaign file's folder, the shared data."""

    folder: Path
    base_dir: Path
    data_root: Path | None

    @property
    def blobs(self) -> Path:
        """The folder of blobs."""
        return self.folder / "blobs"


class Session:
    """Runs a campaign, its twins and its repeats to their end, or until it is told to stop.

    Closing it lets go of the folder; opening another one on the same folder goes on where the record ends.

    Args:
        spec: the campaign.
        place: its folder and what it may read.
        observe: told of every durable batch of events, from the driving thread.
    """

    def __init__(self, spec: CampaignSpec, place: Place, observe: Observe = lambda _state, _events: None) -> None:
        self.spec, self.place, self._observe = spec, place, observe
        self.stop = threading.Event()
        _check_folder(place.folder)
        self.blobs = FileBlobs(place.blobs)
        self.store = open_store(place.folder, writer=True)
        self._inbox = Inbox()
        self.worker = InlineHost(lambda: Worker(self.blobs, place.base_dir, place.data_root))

    def close(self) -> None:
        """Let go of the folder."""
        self.worker.close()
        self.store.close()

    def run(self) -> list[State]:
        """Drive everything in turn; the campaign's own state first, then its twins', then the repeats'."""
        states: list[State] = []
        for number in range(self.spec.repeats):
            for ledger, spec in self._family(self._repeat(number), number):
                states.append(self._drive(ledger, spec))
                if self.stop.is_set() or not states[-1].terminal:
                    return states
        return states

    def _repeat(self, number: int) -> CampaignSpec:
        """The campaign under the seed of its ``number``-th repeat."""
        return self.spec.model_copy(update={"seed": self.spec.seed + number, "repeats": 1})

    def _family(self, spec: CampaignSpec, number: int) -> Iterator[tuple[Ledger, CampaignSpec]]:
        """A campaign and then its twins, which exist once it has bought its first labels."""
        name = spec.name if number == 0 else f"{spec.name}~{number}"
        self._check_owner()
        labeler = self.parts(spec).labeler
        main = Ledger.create(self.store, name, [created(spec, labeler.info)])
        yield main, spec
        for index in range(len(spec.compare)):
            twin = spec.paradigm(index)
            yield Ledger(self.store, twin_id(main.state.id, twin.name)), twin

    def _check_owner(self) -> None:
        """Raises ConflictError when the folder belongs to another campaign."""
        held = self.store.campaigns()
        if held and held[0] != self.spec.name:
            raise ConflictError(f"the run folder must hold the campaign {self.spec.name!r}, but got {held[0]!r}.")

    def _drive(self, ledger: Ledger, spec: CampaignSpec) -> State:
        if ledger.state.paused:
            ledger.execute(Resume())
        driver = Driver(
            ledger=ledger,
            blobs=self.blobs,
            worker=self.worker,
            labeler=self.host(spec),
            inbox=self._inbox,
            spawn_twin=lambda state, index: self._spawn(state, spec, index),
            observe=self._observe,
            stop=self.stop,
        )
        state = driver.run()
        if self.stop.is_set() and not state.terminal and not state.paused:
            ledger.execute(Pause(reason="interrupted; run again to go on"))
        return ledger.state

    def _spawn(self, state: State, spec: CampaignSpec, index: int) -> tuple[str, str]:
        twin = spec.paradigm(index)
        child = twin_id(state.id, twin.name)
        Ledger.create(self.store, child, twin_events(state, twin, self.parts(spec).labeler.info))
        return twin.name, child

    @cached_property
    def _parts(self) -> dict[int, Parts]:
        return {}

    def parts(self, spec: CampaignSpec) -> Parts:
        """The parts on the driver's side of one seed: pool and labeler, which twins share."""
        if spec.seed not in self._parts:
            self._parts.clear()
            self._parts[spec.seed] = Parts(spec, self.place.base_dir, self.place.data_root)
        return self._parts[spec.seed]

    def host(self, spec: CampaignSpec) -> LabelerHost:
        """The labeler's host: it calls the labeler in a thread, or waits for answers from outside."""
        labeler = self.parts(spec).labeler
        if labeler.info.delivery == "pull":
            return ExternalHost(labeler.info)
        spool: Spool = MemorySpool() if labeler.info.effect == "pure" else FileSpool(self.place.folder / "spool")
        timeout_s = spec.labeler.runtime.timeout_s if spec.labeler.runtime else None
        return Spooled(
            labeler,
            self.blobs,
            spool,
            timeout_s=timeout_s,
            on_done=lambda attempt: self._inbox.put(LabelNews(attempt)),
        )


def _check_folder(folder: Path) -> None:
    """Raises DataError when the folder cannot be written or its disk is nearly full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-{time.monotonic_ns()}"
        probe.touch()
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DataError(f"the run folder must be writable, but got {error}.") from error
    if free < SPACE_NEEDED:
        raise DataError(
            f"the run folder's disk must have at least {SPACE_NEEDED >> 20} MiB free, but got {free >> 20}."
        )
