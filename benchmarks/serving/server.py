"""A controller in a process of its own, started as anybody would start it, and what it costs."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.process import environment
from dataeff_al.errors import DataeffError

START_S = 300.0


@dataclass(frozen=True)
class Served:
    """A controller that serves: its process, where it listens, and when it was started [s, monotonic]."""

    process: subprocess.Popen[str]
    target: str
    began: float

    def cpu_s(self) -> float:
        """CPU seconds that the controller itself has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def kill(self) -> None:
        """End it as a power cut would, with everything that it started."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        for child in family:
            if child.is_running():
                child.kill()


@contextmanager
def serving(command: Sequence[str | Path]) -> Iterator[Served]:
    """Start a program that says ``Serving ... on HOST:PORT``, and end it afterwards.

    Raises DataeffError when it does not come up.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    try:
        yield Served(process, _announced(process), began)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def _announced(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Serving "):
            return line.split()[-1]
    raise DataeffError(f"the controller must come up, but got exit code {process.wait(60)}.")


def serve_command(store: Path, *options: str) -> list[str | Path]:
    """The command that serves a store on a free port."""
    return [sys.executable, "-m", "services.cli", "serve", "--store", store, "--port", "0", *options]
