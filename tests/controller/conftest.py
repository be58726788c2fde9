"""Controllers to test on: in this process with a server in a thread, and as processes of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dataeff_al.campaign.place import Place
from dataeff_al.rpc import Client
from dataeff_al.stores.open import open_store
from services.controller.assembly import CAMPAIGNS, controller_over
from services.controller.confined import Admission
from services.controller.controller import Controller
from services.controller.families import Conduct
from services.local import Background

QUICK = """
version: 1
name: {name}
seed: 3
pool: {{kind: digits, size: 120}}
evaluation: {{validation: 5, test: 10}}
initial: {{random: 5}}
learner: {{kind: mlp, width: 8}}
trainer: {{kind: standard, steps: 3}}
labeler: {{kind: dataset}}
sampler: {{kind: random}}
budget: {{unit: label, total: 10, per_round: 5}}
stop: {{metric: accuracy, target: 0.999}}
"""
SLOW = QUICK.replace("kind: dataset}}", "kind: dataset, delay_s: 0.2}}")
WARD = QUICK.replace(
    "labeler: {{kind: dataset}}",
    'labeler: {{kind: external, cost: 2, max_cost: 3, target: {{kind: class, classes: ["0", "1", "2", "3", "4", "5", '
    '"6", "7", "8", "9"]}}}}',
).replace("total: 10", "total: 30")


@dataclass
class Texts:
    """Campaign files under names of their own."""

    _count: dict[str, int] = field(default_factory=dict)

    def _named(self, kind: str, text: str) -> str:
        self._count[kind] = self._count.get(kind, 0) + 1
        return text.format(name=f"{kind}{self._count[kind]}")

    def quick(self) -> str:
        """A campaign that is over in a second."""
        return self._named("quick", QUICK)

    def slow(self) -> str:
        """A campaign that takes 5 s and more, and can be stopped anywhere within."""
        return self._named("slow", SLOW)

    def ward(self) -> str:
        """A campaign that waits for labels from outside."""
        return self._named("ward", WARD)


@dataclass
class Process:
    """A controller in a process of its own."""

    popen: subprocess.Popen[str]
    store: Path
    target: str

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.popen.send_signal(how)
        return self.popen.wait(60)


@pytest.fixture(scope="session")
def texts() -> Texts:
    return Texts()


@pytest.fixture(scope="session")
def controller(tmp_path_factory) -> Iterator[Controller]:
    folder = tmp_path_factory.mktemp("store")
    inputs = folder / "inputs"
    inputs.mkdir()
    place, conduct = Place(folder, inputs, None), Conduct(most=2, figures=False)
    with (
        closing(open_store(folder, writer=True)) as store,
        place.inline_hosts() as hosts,
        controller_over(store, hosts, Admission(inputs), lambda name: folder / CAMPAIGNS / name, conduct) as made,
    ):
        yield made
        made.drain(60)


@pytest.fixture(scope="session")
def target(controller) -> Iterator[str]:
    with Background(controller) as served:
        yield served.target


@pytest.fixture
def client(target) -> Iterator[Client]:
    with Client(target) as made:
        yield made


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    def found() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return found


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """For processes of their own: what one has compiled, the next one need not compile again."""
    kept = {**os.environ, "OMP_NUM_THREADS": "1"}
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        kept.setdefault("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
    return kept


@contextmanager
def _process(environment: dict[str, str], store: Path, port: int, *options: str) -> Iterator[Process]:
    command = [sys.executable, "-m", "services.cli", "serve", "--store", str(store), "--no-ray", "--port", str(port)]
    popen = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert popen.stdout is not None
        said = popen.stdout.readline()
        assert said.startswith("Serving "), said + popen.communicate(timeout=20)[1]
        yield Process(popen, store, said.split()[-1])
    finally:
        popen.kill()
        popen.communicate(timeout=20)


def _starting(free_port: Callable[[], int], environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    with ExitStack() as stack:
        yield lambda store, *options: stack.enter_context(_process(environment, store, free_port(), *options))


@pytest.fixture
def start_process(free_port, environment) -> Iterator[Callable[..., Process]]:
    """Starts controllers; all are gone after the test."""
    yield from _starting(free_port, environment)


@pytest.fixture(scope="module")
def start_shared(free_port, environment) -> Iterator[Callable[..., Process]]:
    """Starts controllers; all are gone after the module."""
    yield from _starting(free_port, environment)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    def wait(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Come back when something holds; it must, before long."""
        ends = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < ends, "what was awaited must come about"
            time.sleep(0.05)

    return wait
