"""The processes of a Ray of our own: which they are, and how they are ended."""

import contextlib
import gc
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from services.actors.vigil import alive

END_S = 5.0
NEEDED = ("gcs_server", "raylet")


def needed(ray: Any) -> list[tuple[str, psutil.Process]]:
    """Those that it cannot do without, by name; none for a cluster that we joined."""
    return [(name, process) for name, process in _services(ray) if name in NEEDED]


def all_of(ray: Any) -> list[psutil.Process]:
    """Everything that it runs: its services and their children."""
    found: list[psutil.Process] = []
    for _, process in _services(ray):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [process, *process.children(recursive=True)]
    return found


def working_in(folder: Path) -> list[psutil.Process]:
    """Our processes that were told of a folder: what a Ray that could not start has left behind."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found += [process] if any(str(folder) in word for word in process.cmdline()) else []
    return found


def end(owned: Sequence[psutil.Process]) -> None:
    """Let them end, and kill what does not."""
    if _outlive(owned, END_S):
        for process in owned:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _outlive(owned, END_S)


def forget_handles() -> None:
    """Ray keeps handles of what it has begun; ended by us, they would complain about it when they go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _services(ray: Any) -> Iterator[tuple[str, psutil.Process]]:
    node = getattr(ray._private.worker, "_global_node", None)
    for name, infos in node.all_processes.items() if node is not None else ():
        for info in infos:
            with contextlib.suppress(psutil.NoSuchProcess):
                yield name, psutil.Process(info.process.pid)


def _outlive(owned: Sequence[psutil.Process], seconds: float) -> bool:
    """Whether any is still at work after that time."""
    until = time.monotonic() + seconds
    while any(alive(process) for process in owned):
        if time.monotonic() > until:
            return True
        time.sleep(0.02)
    return False
