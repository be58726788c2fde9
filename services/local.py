"""``dataeff-al run``: a controller on loopback inside this process, a campaign submitted to it and followed live."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from dataeff_al.campaign.outcome import SUMMARY, write_json
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import INTERRUPTED
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.rpc import Client
from services.controller.assembly import OpenHosts, controller_over
from services.controller.confined import Admission
from services.controller.controller import Controller
from services.controller.families import Conduct
from services.controller.server import Server
from services.following import EventClock, follow
from services.inline import STOPPING, Ended
from services.progress import Progress
from services.rpc.access import Binding

CONTROLLER = "controller.json"
LOOPBACK = Binding(port=0)


class Background:
    """Serves a controller from a thread of this process, by default on a free port of loopback."""

    def __init__(self, controller: Controller, binding: Binding = LOOPBACK) -> None:
        self._controller, self._binding = controller, binding
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self.target = ""

    def __enter__(self) -> Self:
        """Raises what kept the server from starting."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self._controller, self._binding)
        await server.start()
        self.target = f"{self._binding.host}:{server.port}"
        self._ready.set()
        await self._stop.wait()
        await server.stop(0.0)


@dataclass(frozen=True)
class LocalRun:
    """One run of a campaign in a folder, through a controller.

    Attributes:
        spec: the campaign.
        place: the run's folder, the campaign file's folder, the shared data.
        open_hosts: where the work is done.
        quiet: say nothing.
        report: draw the report, which takes seconds.
    """

    spec: CampaignSpec
    place: Place
    open_hosts: OpenHosts
    quiet: bool = False
    report: bool = True

    def run(self) -> Ended:
        """Run to the end, or until interrupted; then there is in the folder what there is to write."""
        name, folder = self.spec.name, self.place.folder
        admission = Admission(self.place.base_dir, self.place.data_root, trusted=True)
        conduct = Conduct(most=1, always_report=True, figures=self.report, obstacle=self.place.obstacle)
        with (
            self.place.store(name) as store,
            self.open_hosts(self.place) as hosts,
            controller_over(store, hosts, admission, lambda _: folder, conduct) as controller,
            Background(controller) as served,
            _announced(folder, served.target, name),
        ):
            states = self._follow(controller, served.target)
            failure = controller.families.failure(name)
            if failure is not None:
                raise failure
        found: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return Ended(states, found)

    def _follow(self, controller: Controller, target: str) -> list[State]:
        clock = EventClock()
        with (
            Client(target) as client,
            Progress(self.spec, self.quiet, clock) as progress,
            _interruptible(controller),
        ):
            known = self._submit(controller, client)
            return follow(client, self.spec.name, progress, clock, known, until_idle=True)

    def _submit(self, controller: Controller, client: Client) -> dict[str, int]:
        """Create the campaign, or go on with it; by campaign, the number of events that had been written before."""
        name, families = self.spec.name, controller.families
        if name not in families.feed.roots():
            client.create(self.spec.to_yaml())
            return {}
        families.describe(name, self.spec)
        known = {member: families.standing.state(member).n for member in families.members(name)}
        controller.start(lambda state: not state.terminal)
        return known


@contextmanager
def _announced(folder: Path, target: str, campaign: str) -> Iterator[None]:
    """While it lives, others find the controller by the run's folder."""
    path = folder / CONTROLLER
    write_json(path, {"target": target, "campaign": campaign, "pid": os.getpid()})
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _interruptible(controller: Controller) -> Iterator[None]:
    stopping = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        # Not here: what was interrupted may hold the very locks that stopping needs.
        threading.Thread(target=controller.families.stop, args=(INTERRUPTED,), name="stop").start()
        os.write(sys.stderr.fileno(), STOPPING)

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
