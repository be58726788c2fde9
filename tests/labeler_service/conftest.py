"""Labeler services to test on: in a thread of this process, and as processes of their own."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dataeff_al import registry
from dataeff_al.labeling.services import SERVICES, RemoteParams, Service
from dataeff_al.labeling.types import LabelerContext, Request
from dataeff_al.parts import read_part
from dataeff_al.rpc.labeler_client import LabelerClient
from dataeff_al.rpc.remote_labeler import RemoteLabeler
from dataeff_al.rpc.v1 import labelers_pb2
from dataeff_al.rpc.v1.labelers_pb2_grpc import add_LabelerServiceServicer_to_server
from dataeff_al.samples.protocol import PoolContext
from services.labeler_service.desk import Desk
from services.labeler_service.servicer import LabelerServicer
from services.rpc.access import Binding
from services.rpc.endpoint import Endpoint

BILLING = Path(__file__).parent / "data" / "billing.py"


class Served:
    """A desk behind the wire, in a thread."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.port = desk, 0
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._up.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        endpoint, closing = Endpoint(Binding(port=0), (labelers_pb2.DESCRIPTOR,)), asyncio.Event()
        await endpoint.open(
            lambda server, calls: add_LabelerServiceServicer_to_server(
                LabelerServicer(self.desk, calls, closing), server
            )
        )
        self.port = endpoint.port
        self._up.set()
        await self._stop.wait()
        self.desk.close()
        closing.set()
        await endpoint.close(wait=True)


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch):
    registry.load_file(BILLING)
    monkeypatch.setattr(SERVICES, "_known", {})


@pytest.fixture(scope="session")
def pool():
    plugin = registry.get("pools", "digits")
    return plugin.factory()(plugin.params(size=12), PoolContext(Path(), None, 7))


@pytest.fixture
def batch(pool):
    return [Request(key=f"k{row}", sample=sample, seed=row) for row, sample in enumerate(pool.read(pool.ids()[:4]))]


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Callable[..., Desk]:
    """``desk(effect="blind")``: a desk over the billing labeler; invoices lie in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    return lambda **settings: Desk(read_part("labelers", {"kind": "billing", **settings}), tmp_path / "store", None)


@pytest.fixture
def served(desk) -> Iterator[Callable[..., Served]]:
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Served(desk(**settings)))


@pytest.fixture
def client(served) -> Iterator[Callable[..., LabelerClient]]:
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            contextlib.closing(LabelerClient(f"127.0.0.1:{served(**settings).port}"))
        )


@pytest.fixture
def remote(pool) -> Callable[..., RemoteLabeler]:
    """``remote(port, max_cost=2)``: the labeler that asks whoever listens there."""

    def build(port: int, **params) -> RemoteLabeler:
        SERVICES.register({"bill": Service(address=f"127.0.0.1:{port}")})
        return RemoteLabeler(RemoteParams(service="bill", **params), LabelerContext(pool, Path(), None))

    return build


@pytest.fixture
def invoices(tmp_path) -> Callable[[], list[str]]:
    """The attempts that were billed, in order."""
    return lambda: sorted(path.name.split("-")[1] for path in tmp_path.glob("invoice-*"))


@dataclass
class Process:
    """``dataeff-al serve-labeler`` over the billing labeler, in a folder of its own."""

    folder: Path
    port: int
    popen: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *options: str) -> None:
        """Serve, and wait until it does."""
        command = [sys.executable, "-m", "services.cli", "serve-labeler", "billing", "--plugin", str(BILLING)]
        place = ["--store", "store", "--port", str(self.port)]
        self.popen.append(
            subprocess.Popen(
                [*command, *place, *options],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        )
        assert self.popen[-1].stdout is not None
        line = self.popen[-1].stdout.readline()
        assert line == f"Serving billing on 127.0.0.1:{self.port}\n", line

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.popen[-1].send_signal(how)
        return self.popen[-1].wait(60)

    def billed(self) -> list[str]:
        """The attempts of all invoices."""
        return sorted(path.name.split("-")[1] for path in self.folder.glob("invoice-*"))

    def kept(self) -> list[str]:
        """The attempts that nobody has taken note of."""
        return sorted(path.stem for path in (self.folder / "store" / "attempts").iterdir())


@pytest.fixture
def process(tmp_path_factory) -> Iterator[Process]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    made = Process(tmp_path_factory.mktemp("service"), port)
    yield made
    for popen in made.popen:
        popen.kill()
        popen.wait(30)
        assert popen.stdout is not None
        popen.stdout.close()
