"""Which campaigns are driven now: a bounded number at a time, the others in the order in which they came.

A campaign that holds its place for longer than a turn while others wait gives it up as soon as nothing of it is in
flight, and queues again behind them.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dataeff_al.rpc.types import Activity

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """How a campaign is driven: ``run`` until it is idle, ``yield_`` to be called when its turn is over."""

    run: Callable[[], None]
    yield_: Callable[[], None]


@dataclass
class _Running:
    turn: Turn
    began: float
    again: bool = False
    over: bool = False


class Scheduler:
    """Drives campaigns in threads.

    Args:
        turn_of: how a campaign is driven.
        most: how many at once.
        turn_s: the length of a turn while others wait [s].
        changed: told of a campaign whose activity has changed, from any thread.
    """

    def __init__(
        self, turn_of: Callable[[str], Turn], most: int, turn_s: float, changed: Callable[[str], None]
    ) -> None:
        self._turn_of, self._most, self._turn_s, self._changed = turn_of, most, turn_s, changed
        self._lock = threading.Condition()
        self._queue: deque[str] = deque()
        self._running: dict[str, _Running] = {}
        self._closed = False

    def wake(self, campaign: str) -> None:
        """Something has happened to a campaign: drive it, or drive it once more after what runs now."""
        with self._lock:
            if self._closed:
                return
            running = self._running.get(campaign)
            if running is not None:
                running.again = True
            elif campaign not in self._queue:
                self._queue.append(campaign)
                self._fill()
        self._changed(campaign)

    def activity(self, campaign: str) -> Activity:
        """What is done for a campaign."""
        with self._lock:
            if campaign in self._running:
                return "driven"
            return "queued" if campaign in self._queue else "idle"

    def rotate(self) -> None:
        """Ask those whose turn is over to make room, as many as wait."""
        with self._lock:
            late = [one for one in self._running.values() if time.monotonic() - one.began > self._turn_s]
            over = [one for one in late if not one.over][: len(self._queue)]
            for one in over:
                one.over = True
        for one in over:
            one.turn.yield_()

    def close(self) -> None:
        """Start nothing more."""
        with self._lock:
            self._closed = True
            self._queue.clear()

    def running(self) -> list[str]:
        """Campaigns that are being driven."""
        with self._lock:
            return list(self._running)

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is driven; whether that came about."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._running, timeout_s)

    def _fill(self) -> None:
        while self._queue and len(self._running) < self._most and not self._closed:
            campaign = self._queue.popleft()
            running = self._running[campaign] = _Running(self._turn_of(campaign), time.monotonic())
            thread = threading.Thread(target=self._drive, args=(campaign, running), name=campaign, daemon=True)
            thread.start()

    def _drive(self, campaign: str, running: _Running) -> None:
        try:
            running.turn.run()
        except Exception:
            log.exception("driving campaign %s failed", campaign)
        with self._lock:
            del self._running[campaign]
            if (running.again or running.over) and not self._closed:
                self._queue.append(campaign)
            self._fill()
            self._lock.notify_all()
        self._changed(campaign)
