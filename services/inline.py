"""A campaign in this process: no Ray, no server. Ctrl-C once lets what is in flight end; twice stops at once."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from dataeff_al.campaign.outcome import write_outcome
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.run_folder import RunFolder, states_of
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from services.progress import Progress

# Written past Python's buffers, which a signal may have caught half full.
STOPPING = b"Stopping once what is at work has ended; Ctrl-C again stops at once. Run again to go on.\n"


@dataclass(frozen=True)
class Ended:
    """How a run ended: the states of its campaigns, its own first, and the summary when there is one."""

    states: Sequence[State]
    summary: dict[str, Any]


class InlineRun:
    """One run of a campaign in a folder."""

    def __init__(
        self,
        spec: CampaignSpec,
        folder: Path,
        base_dir: Path,
        data_root: Path | None,
        quiet: bool = False,
        *,
        report: bool = True,
    ) -> None:
        self._report = report
        self._spec, self._place, self._quiet = spec, Place(folder, base_dir, data_root), quiet

    def run(self) -> Ended:
        """Run to the end, or until interrupted; then write what there is to write."""
        name = self._spec.name
        with self._place.store(name) as store, self._place.inline_hosts() as hosts:
            with Progress(self._spec, self._quiet) as progress:
                session = Session(self._spec, name, store, hosts, progress, obstacle=self._place.obstacle)
                with _interruptible(session):
                    states = session.run()
            found = write_outcome(self._place.folder, self._spec, states, store, hosts.blobs, report=self._report)
        return Ended(states, found)


@contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if session.stop.is_set():
            raise KeyboardInterrupt
        session.stop.set()
        os.write(sys.stderr.fileno(), STOPPING)

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def remake(folder: Path) -> Path:
    """Write a run's summary and report again from its record; returns the report's path. Raises NotFoundError."""
    run = RunFolder(folder)
    with run.reading() as store:
        write_outcome(folder, run.spec, states_of(store), store, run.blobs)
    return folder / "report.html"
