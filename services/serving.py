"""``dataeff-al serve``: a controller until somebody ends it."""

import asyncio
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from services.controller.assembly import OpenHosts, controller_at
from services.controller.confined import Admission
from services.controller.controller import Controller
from services.controller.server import serve
from services.rpc.access import Binding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """What is served, from where, with what.

    Attributes:
        folder: holds blobs, outcomes, and the record unless ``record`` is its URL.
        record: the URL of a record, or None.
        admission: which files campaigns may name.
        open_hosts: where the work is done.
        binding: where to listen, and who is let in.
        most: campaigns driven at once.
    """

    folder: Path
    record: str | None
    admission: Admission
    open_hosts: OpenHosts
    binding: Binding
    most: int


def run_service(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second signal ends the process at once."""
    service.binding.check()
    with controller_at(
        service.folder, service.record, service.admission, service.open_hosts, service.most
    ) as controller:
        if not asyncio.run(_served(controller, service)):
            _leave("Work in flight did not end in time; it is done again when the controller starts again.", 0)


async def _served(controller: Controller, service: Service) -> bool:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        if stop.is_set():
            _leave("Ended at once.", 1)
        log.info("going down")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)

    def ready(port: int) -> None:
        host = service.binding.host
        print(f"Serving {service.folder} on {host}:{port}", flush=True)

    return await serve(controller, service.binding, stop, ready)


def _leave(text: str, code: int) -> None:
    """The record is whole at every moment: leaving now loses nothing but work in flight."""
    print(text, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(code)
