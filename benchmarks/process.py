"""Whole processes under the clock: seconds and peak memory of a command with everything that it starts."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.1


@dataclass(frozen=True)
class Timed:
    """A finished process: wall seconds, peak resident memory of its tree [GiB], exit code, what it printed."""

    seconds: float
    peak_gib: float
    code: int
    output: str


def timed(command: Sequence[str | Path], timeout_s: float = 1800.0) -> Timed:
    """Run a command to its end. Memory is summed over the process and its children, sampled every 0.1 s."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    peak = _Peak(process.pid)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        peak.stop()
    return Timed(time.monotonic() - began, peak.gib, process.returncode, output)


class _Peak:
    """Watches a process tree."""

    def __init__(self, pid: int) -> None:
        self._root, self._over = psutil.Process(pid), threading.Event()
        self.gib = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.gib = max(self.gib, self._resident() / 2**30)

    def _resident(self) -> int:
        try:
            family = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0
        return sum(_rss(process) for process in family)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
