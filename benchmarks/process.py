"""Whole processes under the clock: seconds and peak memory of a command with everything that it starts.

Memory is counted twice: as PSS, in which a page that several processes share counts once (each gets its part of it; see
proc(5), ``smaps_rollup``), and as the sum of RSS, in which it counts for every one of them.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.1
COMPILED = Path(tempfile.gettempdir()) / "dataeff-al-benchmarks-compiled"
PSS_EVERY = 10
"""Counting pages takes the kernel milliseconds a process: every so many samples."""


def environment() -> dict[str, str]:
    """The surroundings of a measured process: one thread a library, and compiled modules kept as on anybody's machine.

    Where this process may not keep them (``PYTHONDONTWRITEBYTECODE``), a measured one would compile torch anew.
    """
    found = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if found.pop("PYTHONDONTWRITEBYTECODE", None):
        found.setdefault("PYTHONPYCACHEPREFIX", str(COMPILED))
    return found


@dataclass(frozen=True)
class Timed:
    """A finished process: wall seconds, peak memory of its tree by both counts [GiB], exit code, what it printed."""

    seconds: float
    peak_pss_gib: float
    peak_rss_sum_gib: float
    code: int
    output: str


def timed(command: Sequence[str | Path], timeout_s: float = 1800.0) -> Timed:
    """Run a command to its end, its memory and that of its children sampled: RSS every 0.1 s, PSS every second."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    peak = _Peak(process.pid)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        peak.stop()
    return Timed(time.monotonic() - began, peak.pss_gib, peak.rss_sum_gib, process.returncode, output)


class _Peak:
    """Watches a process tree."""

    def __init__(self, pid: int) -> None:
        self._root, self._over = psutil.Process(pid), threading.Event()
        self.pss_gib = self.rss_sum_gib = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        samples = 0
        while not self._over.wait(SAMPLE_S):
            family = self._family()
            self.rss_sum_gib = max(self.rss_sum_gib, sum(map(_rss, family)) / 2**30)
            if samples % PSS_EVERY == 0:
                self.pss_gib = max(self.pss_gib, sum(map(_pss, family)) / 2**30)
            samples += 1

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _pss(process: psutil.Process) -> int:
    """Its part of shared pages and all of its own [bytes]; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
