"""The attempts that a labeler's replicas are to answer, and how those ended that nobody has fetched yet.

Nothing is repeated here: an attempt whose replica was lost is forgotten, and the driver, who knows the record, starts
it again when that is safe. What is remembered is how often an attempt had a replica lost over it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from dataeff_al.digests import Ref
from dataeff_al.labeling.types import Done, LabelFailure, Progress, Running, Unknown
from services.actors.duty import Duty, Job, Waiting

MOST_DEATHS = 3

News = Sequence[Job]


class Caseload:
    """Attempts by how they stand: waiting or at a replica, done, or lost with nobody knowing what came of them.

    Not safe for several threads by itself: its staff holds a lock around it.

    Args:
        duty: what the replicas are for.
    """

    def __init__(self, duty: Duty) -> None:
        self._duty = duty
        self.waiting = Waiting()
        self._jobs: dict[str, Job] = {}
        self._done: dict[str, Done] = {}
        self._lost: dict[str, Unknown] = {}
        self._deaths: dict[str, int] = {}

    def add(self, job: Job) -> bool:
        """Take on an attempt; whether it is new here. Whoever asked last is told of its end."""
        known, self._jobs[job.attempt] = job.attempt in self._jobs, job
        if known or job.attempt in self._done:
            return False
        self._lost.pop(job.attempt, None)
        self.waiting.add(job.attempt, suspect=job.attempt in self._deaths)
        return True

    def adopt(self, attempts: Iterable[str]) -> None:
        """Attempts that a replica has from an earlier driver: nobody is told of them before somebody asks."""
        for attempt in attempts:
            self._jobs.setdefault(attempt, Job(attempt, Ref(""), lambda _: None))

    def request(self, attempt: str) -> Ref:
        """What is asked."""
        return self._jobs[attempt].request

    def progress(self, attempt: str) -> Progress | None:
        """How an attempt stands; None when nobody has it in hand."""
        if attempt in self._done:
            return self._done[attempt]
        if attempt in self._jobs:
            return Running()
        return self._lost.get(attempt)

    def end(self, done: Mapping[str, Done], lost: Mapping[str, Unknown]) -> News:
        """What a replica has reported; returns whom to tell."""
        self._done.update(done)
        self._lost.update(lost)
        return self._take((*done, *lost))

    def forget(self, attempts: Iterable[str]) -> None:
        """The record has their outcomes."""
        for attempt in attempts:
            for known in (self._jobs, self._done, self._lost, self._deaths):
                known.pop(attempt, None)

    def drop(self, attempts: Collection[str]) -> None:
        """Have them no more; nobody is told."""
        self.waiting.drop(attempts)
        self._take(attempts)

    def release(self, held: Iterable[str], reason: str, *, suspicious: bool, late: bool = False) -> News:
        """Let go of what a lost replica had, and remember what may have ended it; returns whom to tell."""
        mine = [attempt for attempt in held if attempt in self._jobs]
        news = self._take(mine)
        for attempt in self._duty.begun(mine) if suspicious else ():
            self._suspect(attempt, reason, late)
        return news

    def fail_waiting(self, reason: str) -> News:
        """Nobody will come to answer what waits; returns whom to tell."""
        waiting = self.waiting.all()
        for attempt in waiting:
            self._fail(attempt, reason, "infra")
        self.waiting.drop(waiting)
        return self._take(waiting)

    def abandon(self, held: Iterable[str], reason: str) -> News:
        """The cluster is gone, and every replica with it: nobody has anything in hand; returns whom to tell."""
        news = [*self.release(held, reason, suspicious=True), *self._take(self.waiting.all())]
        self.waiting = Waiting()
        return news

    def is_deadly(self, attempt: str) -> bool:
        """Whether as many replicas were lost over it as may be."""
        return self._deaths.get(attempt, 0) >= MOST_DEATHS

    def fail_deadly(self, attempt: str) -> Done:
        """Give an attempt up that has ended replica after replica."""
        return self._fail(attempt, f"the labeler's process was lost {MOST_DEATHS} times at this request", "infra")

    def _take(self, attempts: Iterable[str]) -> News:
        return [self._jobs.pop(attempt) for attempt in attempts if attempt in self._jobs]

    def _suspect(self, attempt: str, reason: str, late: bool) -> None:
        """A blind call is never repeated, and a queryable labeler is asked; the others have a number of tries."""
        deaths = self._deaths[attempt] = MOST_DEATHS if late else self._deaths.get(attempt, 0) + 1
        if self._duty.info.effect == "blind":
            self._lost[attempt] = Unknown(started=True, reason=reason)
        elif self._duty.info.effect != "queryable" and deaths >= MOST_DEATHS:
            said = reason if late else f"the labeler's process was lost {deaths} times at this request: {reason}"
            self._fail(attempt, said, "timeout" if late else "infra")

    def _fail(self, attempt: str, reason: str, kind: Literal["infra", "timeout"]) -> Done:
        cost = self._duty.info.most_lost if attempt in self._deaths else 0
        done = self._done[attempt] = self._duty.failed(attempt, LabelFailure(reason, kind, cost))
        return done
