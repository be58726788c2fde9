"""Watches over a Ray: without its head or its own node nothing is begun, and whoever waits is told at once.

Ray itself waits for a lost head for ever, or ends this very process after a minute; neither would leave anybody to say
what happened.
"""

import socket
import threading
from collections.abc import Callable, Sequence

import psutil

LOOK_S = 0.5
PROBE_S = 2.0
MOST_MISSED = 3


class Vigil:
    """Looks again and again until it is closed; ``trouble`` says what is wrong, and is empty while all is well.

    A Ray that was lost is not found again: what ran on it is gone.

    Args:
        look: what is wrong now; empty when nothing is.
    """

    def __init__(self, look: Callable[[], str]) -> None:
        self._look, self._closed = look, threading.Event()
        self.trouble = ""
        threading.Thread(target=self._watch, name="vigil", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self.trouble and not self._closed.wait(LOOK_S):
            self.trouble = self._look()


class OwnProcesses:
    """What is wrong with a Ray of our own: one of the processes that it cannot do without has ended.

    Args:
        processes: by their names in Ray.
    """

    def __init__(self, processes: Sequence[tuple[str, psutil.Process]]) -> None:
        self._processes = processes

    def __call__(self) -> str:
        """The first that has ended."""
        ended = next((name for name, process in self._processes if not alive(process)), None)
        return f"the Ray of this run must go on, but got an end of its {ended}" if ended else ""


class Head:
    """What is wrong with a cluster that we joined: nobody answers at its head, several times in a row.

    Args:
        address: ``host:port`` of the head.
    """

    def __init__(self, address: str) -> None:
        self._address, self._missed = address, 0

    def __call__(self) -> str:
        """Why nobody answers."""
        try:
            connect(self._address, PROBE_S)
        except (OSError, ValueError) as error:
            self._missed += 1
            if self._missed >= MOST_MISSED:
                return f"the Ray cluster must answer at {self._address!r}, but got {error}"
            return ""
        self._missed = 0
        return ""


def connect(address: str, timeout_s: float) -> None:
    """Whether somebody listens there. Raises OSError, ValueError."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()


def alive(process: psutil.Process) -> bool:
    """Whether a process is at work; one that only waits to be reaped is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
