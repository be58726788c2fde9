"""``dataeff-al serve-labeler``: a labeler service until somebody ends it."""

import asyncio
import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from dataeff_al.errors import CapabilityError, DataError, LockedError
from dataeff_al.parts import PartSpec
from dataeff_al.rpc.v1 import labelers_pb2
from dataeff_al.rpc.v1.labelers_pb2_grpc import add_LabelerServiceServicer_to_server
from services.labeler_service.desk import Desk
from services.labeler_service.servicer import LabelerServicer
from services.rpc.access import Binding
from services.rpc.calls import Calls
from services.rpc.endpoint import Endpoint

REST_S = 28.0


@dataclass(frozen=True)
class LabelerService:
    """What is served, with what.

    Attributes:
        part: the labeler.
        folder: holds what was asked and answered until it is acknowledged.
        data_root: the folder of shared data, or None.
        binding: where to listen, and who is let in.
    """

    part: PartSpec
    folder: Path
    data_root: Path | None
    binding: Binding


def run_labeler_service(service: LabelerService) -> None:
    """Serve until SIGTERM or SIGINT, then let what is being worked on come to its end.

    Raises CapabilityError for a labeler that needs more than samples, LockedError when another process serves from the
    folder.
    """
    if "answers" in service.part.needs:
        raise CapabilityError(
            f"a labeler service must work on samples alone, but got {service.part.kind!r}, which looks answers up."
        )
    service.binding.check()
    with _held(service.folder):
        desk = Desk(service.part, service.folder, service.data_root)
        asyncio.run(_served(desk, service))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, for this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise DataError(f"a store must be a folder that can be written, but got {error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"a store must be served by one process, but got {str(folder)!r} again.") from None
        yield


async def _served(desk: Desk, service: LabelerService) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    endpoint, closing = Endpoint(service.binding, (labelers_pb2.DESCRIPTOR,)), asyncio.Event()

    def add_services(server: grpc.aio.Server, calls: Calls) -> None:
        add_LabelerServiceServicer_to_server(LabelerServicer(desk, calls, closing), server)

    await endpoint.open(add_services)
    print(f"Serving {service.part.kind} on {service.binding.host}:{endpoint.port}", flush=True)
    await stop.wait()
    await endpoint.take_no_more()
    desk.close()
    closing.set()
    await endpoint.close(wait=True)
    await loop.run_in_executor(None, desk.rest, REST_S)
