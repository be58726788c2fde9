"""The replicas of one labeler, as several campaigns ask them from their own threads.

Attempts wait here and are given to the replica with the least to do, few at a time, so that a slow one holds nobody up.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.types import Progress, Running, Unknown
from services.actors.answers import answer
from services.actors.caseload import Caseload, News
from services.actors.duty import Duty, Job
from services.actors.listener import Listener
from services.actors.recollection import looked_up, remembered
from services.actors.roster import Roster
from services.actors.staffing import Staffing

CALL_OFF_S = 10.0


class Staff:
    """Replicas of one labeler, and a thread that listens to them.

    Args:
        duty: what they are for.
    """

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._cases, self._roster = Caseload(duty), Roster(duty)
        self._staffing = Staffing(duty, self._cases, self._roster)
        self._roster.find()
        self._roster.fill()
        self._listener = Listener(f"staff-{duty.info.name}", self._calls, self._hear, self._look)

    @property
    def actors(self) -> list[Any]:
        """The replicas' actors."""
        with self._lock:
            return [hired.actor for hired in self._roster.all]

    def start(self, job: Job) -> None:
        """Take on an attempt; idempotent. Raises UnavailableError when the replicas are gone."""
        with self._lock:
            if self._closed.is_set():
                why = self.duty.trouble() or f"the replicas of {self.duty.info.name!r} must be at work, but were let go"
                raise UnavailableError(f"{why.rstrip('.')}.")
            news = self._staffing.fill() if self._cases.add(job) else []
        tell(news)

    def progress(self, attempt: str) -> Progress:
        """How an attempt stands; asks a replica only about a queryable labeler's earlier life."""
        with self._lock:
            known = self._cases.progress(attempt)
            if known is not None:
                return known
            if self._roster.settling:
                return Running()
        found = remembered(self.duty, attempt)
        asked = self.duty.info.effect == "queryable" and isinstance(found, Unknown) and found.started
        return self._looked_up(attempt) if asked else found

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        with self._lock:
            self._cases.forget(attempts)
            for hired in self._roster.all:
                hired.ack(attempts)
        if self.duty.spool is not None:
            for attempt in attempts:
                self.duty.spool.forget(attempt)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what has not begun; what a labeler has begun goes on, and so does what a replica does not speak of."""
        with self._lock:
            self._cases.drop(set(attempts).intersection(self._cases.waiting.all()))
            calls = {hired: hired.call_off(keys) for hired, keys in self._roster.holding(attempts).items()}
        for hired, call in calls.items():
            with contextlib.suppress(Exception):  # a replica that was lost is told of by its report
                dropped = answer(call, CALL_OFF_S)
                with self._lock:
                    self._cases.drop(dropped)
                    hired.has_dropped(dropped)

    def close(self) -> None:
        """End every replica; whoever waits for one that went with its cluster is told."""
        trouble = self.duty.trouble()
        if trouble:
            self._abandon(trouble)
        with self._lock:
            self._closed.set()
            gone = self._roster.dissolve()
        for hired in gone:
            hired.end()
        self._listener.close()

    def _looked_up(self, attempt: str) -> Progress:
        with self._lock:
            ready = next(iter(self._roster.ready), None)
        found = looked_up(attempt, ready)
        with self._lock:
            in_vain = found == Unknown(started=False) and self._cases.is_deadly(attempt)
            return self._cases.fail_deadly(attempt) if in_vain else found

    def _calls(self) -> list[Any]:
        with self._lock:
            return self._roster.calls

    def _hear(self, call: Any) -> None:
        self._do(lambda: self._staffing.hear(call))

    def _look(self) -> None:
        trouble = self.duty.trouble()
        if trouble:
            self._abandon(trouble)
        else:
            self._do(self._staffing.end_silent)

    def _abandon(self, trouble: str) -> None:
        """The cluster is gone: from here on nothing is taken on."""
        with self._lock:
            news = [] if self._closed.is_set() else self._staffing.abandon(trouble)
            self._closed.set()
        tell(news)

    def _do(self, change: Callable[[], News]) -> None:
        """Change something, and tell of what ended by it once the lock is free."""
        with self._lock:
            news = [] if self._closed.is_set() else change()
        tell(news)


def tell(news: News) -> None:
    """Tell whoever waits for an attempt that it has ended."""
    for job in news:
        job.on_done(job.attempt)
