"""The replicas of one labeler: who has what, who is free, who was lost.

Attempts wait here and are given to the replica with the least to do, few at a time, so that a slow one holds nobody up.
Nothing is repeated here: an attempt whose replica was lost is forgotten, and the driver, who knows the record, asks
what became of it (:meth:`Staff.progress`) and starts it again when that is safe.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import Done, LabelerInfo, LabelFailure, Progress, Running, Unknown
from dataeff_al.parts import Runtime
from services.actors.answers import SHORT_S, answer, named, names
from services.actors.hired import REPORT_S, Hired
from services.actors.placement import told
from services.actors.replica import Post, Report
from services.actors.workers import PLACE_S

WATCH_S = 0.25
GRACE_S = 30.0
MOST_DEATHS = 3
LEAST_IN_HAND = 32


@dataclass(frozen=True)
class Job:
    """An attempt that waits here or is at a replica."""

    request: Ref
    on_done: Callable[[str], None]


@dataclass(frozen=True)
class Duty:
    """What the replicas are for: the labeler's declaration, how it runs, where blobs are and what it remembers.

    ``spool`` is None for pure labelers, whose calls are free to repeat.
    """

    post: Post
    info: LabelerInfo
    runtime: Runtime
    blobs: Blobs
    spool: FileSpool | None
    prefix: str

    @property
    def batch(self) -> int:
        """Requests per call."""
        return self.runtime.batch or self.info.preferred_batch

    @property
    def timeout_s(self) -> float:
        """Longest time for one request [s]."""
        return self.runtime.timeout_s or self.info.timeout_s


class Staff:
    """Replicas of one labeler.

    Args:
        duty: what they are for.
    """

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self._lock = threading.RLock()
        self._waiting: deque[str] = deque()
        self._suspects: deque[str] = deque()
        self._jobs: dict[str, Job] = {}
        self._done: dict[str, Done] = {}
        self._deaths: dict[str, int] = {}
        self._stillborn = 0
        self._hired: list[Hired] = []
        self._calls: dict[Any, Hired] = {}
        self._closed = threading.Event()
        self._find()
        self._hire()
        self._thread = threading.Thread(target=self._watch, name=f"staff-{duty.info.name}", daemon=True)
        self._thread.start()

    @property
    def capacity(self) -> int:
        """Attempts in hand at once: enough that no replica waits for the driver."""
        return self.duty.runtime.replicas * max(LEAST_IN_HAND, 4 * self.duty.batch)

    @property
    def actors(self) -> list[Any]:
        """The replicas' actors."""
        with self._lock:
            return [hired.actor for hired in self._hired]

    def start(self, attempt: str, job: Job) -> None:
        """Take on an attempt; idempotent."""
        with self._lock:
            if attempt in self._done:
                return
            known = attempt in self._jobs
            self._jobs[attempt] = job
            if not known:
                (self._suspects if attempt in self._deaths else self._waiting).append(attempt)
                self._hire()
                self._hand_out()

    def progress(self, attempt: str) -> Progress:
        """How an attempt stands; asks a replica only about a queryable labeler's earlier life."""
        with self._lock:
            if attempt in self._done:
                return self._done[attempt]
            if attempt in self._jobs:
                return Running()
            settling = any(hired.found and not hired.ready for hired in self._hired)
        return self._remembered(attempt, settling)

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        with self._lock:
            self._drop(attempts)
            for attempt in attempts:
                self._done.pop(attempt, None)
                self._deaths.pop(attempt, None)
            for hired in self._hired:
                hired.actor.ack.remote(list(attempts))
        for attempt in attempts if self.duty.spool else ():
            self.duty.spool.forget(attempt)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what still waits; what a replica has begun goes on."""
        with self._lock:
            waiting = {*self._waiting, *self._suspects} & {*attempts}
            self._drop(waiting)
            for hired in self._hired:
                hired.actor.cancel.remote(list(attempts))

    def close(self) -> None:
        """End every replica."""
        self._closed.set()
        with self._lock:
            hired, self._hired = self._hired, []
            self._calls.clear()
        for one in hired:
            one.end()
        self._thread.join(SHORT_S)

    def _drop(self, attempts: Iterable[str]) -> None:
        for attempt in attempts:
            self._jobs.pop(attempt, None)
            for queue in (self._waiting, self._suspects):
                if attempt in queue:
                    queue.remove(attempt)

    def _remembered(self, attempt: str, settling: bool) -> Progress:
        """What is known of an attempt that nobody has in hand."""
        spool = self.duty.spool
        done = spool.outcome(attempt) if spool else None
        if done is not None:
            return done
        if spool is None or not spool.was_started(attempt):
            return Running() if settling else Unknown(started=False)
        if self.duty.info.effect == "queryable":
            return self._looked_up(attempt)
        return Running() if settling else Unknown(started=True)

    def _looked_up(self, attempt: str) -> Progress:
        """A replica that cannot say now is asked again later: running is the answer that changes nothing."""
        with self._lock:
            ready = next((hired for hired in self._hired if hired.ready), None)
        try:
            return ready.look_up(attempt) if ready else Running()
        except UnavailableError:
            return Running()

    def _find(self) -> None:
        """Replicas that a killed driver left at work."""
        for name in names(self.duty.prefix):
            actor = named(name)
            if actor is not None:
                self._welcome(Hired(actor, found=True))

    def _hire(self) -> None:
        while len(self._hired) < self.duty.runtime.replicas and not self._closed.is_set():
            self._welcome(Hired.new(self.duty.prefix, self.duty.post, self.duty.runtime))

    def _welcome(self, hired: Hired) -> None:
        self._hired.append(hired)
        self._calls[hired.ask_report()] = hired

    def _hand_out(self) -> None:
        """Give what waits to who has least; a suspect of having ended a replica goes to one that has nothing else."""
        given: dict[Hired, list[str]] = {}
        ready = [hired for hired in self._hired if hired.ready]
        if self._suspects and ready:
            quarantine = ready.pop(0)
            if not quarantine.assigned:
                given[quarantine] = [self._suspects.popleft()]
        load = {hired: len(hired.assigned) for hired in ready}
        while self._waiting and load:
            least = min(load, key=load.__getitem__)
            if load[least] >= 2 * self.duty.batch:
                break
            given.setdefault(least, []).append(self._waiting.popleft())
            load[least] += 1
        for hired, attempts in given.items():
            self._calls[hired.give([(attempt, self._jobs[attempt].request) for attempt in attempts])] = hired

    def _watch(self) -> None:
        while not self._closed.is_set():
            with self._lock:
                calls = list(self._calls)
            if not calls:
                self._closed.wait(WATCH_S)
                continue
            for ref in ray.wait(calls, timeout=WATCH_S)[0]:
                self._told(self._heard(ref))
            self._told(self._end_silent())

    def _told(self, news: Sequence[tuple[Job, str]]) -> None:
        for job, attempt in news:
            job.on_done(attempt)

    def _heard(self, ref: Any) -> list[tuple[Job, str]]:
        with self._lock:
            hired = self._calls.pop(ref, None)
            if hired is None or self._closed.is_set():
                return []
            try:
                report = answer(ref, SHORT_S)
            except Exception as error:  # whatever a replica raises, its answers are owed
                return self._lose(hired, str(error), dead=isinstance(error, UnavailableError))
            news = self._take(hired, report) if isinstance(report, Report) else []
            self._hand_out()
            return news

    def _take(self, hired: Hired, report: Report) -> list[tuple[Job, str]]:
        if not hired.ready:
            hired.ready, self._stillborn = True, 0
            self._take_over(hired, report)
        hired.number, hired.heard_at = report.number, max(hired.heard_at, hired.heard_at + hired.silent_for())
        news = []
        for attempt, done in report.done.items():
            hired.assigned.pop(attempt, None)
            self._done[attempt] = done
            job = self._jobs.pop(attempt, None)
            if job is not None:
                news.append((job, attempt))
        if report.stuck:
            return [*news, *self._lose(hired, "a batch outlasted its time", dead=False)]
        self._calls[hired.ask_report()] = hired
        return news

    def _take_over(self, hired: Hired, report: Report) -> None:
        for attempt in report.holding:
            hired.assigned[attempt] = None
            self._jobs.setdefault(attempt, Job(Ref(""), lambda _: None))

    def _end_silent(self) -> list[tuple[Job, str]]:
        """A replica that no longer reports is ended: its process hangs, or there never was room for it."""
        limit = REPORT_S + self.duty.timeout_s * self.duty.batch + GRACE_S
        with self._lock:
            for hired in list(self._hired):
                if hired.ready and hired.silent_for() > limit:
                    return self._lose(hired, f"no answer within {limit:g} s", dead=True, late=True)
                if not hired.ready and hired.silent_for() > PLACE_S:
                    wanted = told(self.duty.runtime)
                    return self._lose(hired, f"the cluster has no room for a labeler ({wanted})", dead=False)
        return []

    def _lose(self, hired: Hired, reason: str, *, dead: bool, late: bool = False) -> list[tuple[Job, str]]:
        """Forget a replica and what it had; whoever may have ended it is remembered."""
        hired.end()
        self._hired = [other for other in self._hired if other is not hired]
        self._calls = {ref: other for ref, other in self._calls.items() if other is not hired}
        held = [attempt for attempt in hired.assigned if attempt in self._jobs]
        news = [(self._jobs.pop(attempt), attempt) for attempt in held]
        for attempt in self._begun(held) if dead and hired.ready else ():
            self._suspect(attempt, reason, late)
        self._stillborn += not hired.ready
        if self._stillborn >= MOST_DEATHS:
            return [*news, *self._give_up(reason)]
        self._hire()
        self._hand_out()
        return news

    def _begun(self, held: Sequence[str]) -> list[str]:
        """What the labeler may have been at when its replica was lost: a durable spool knows, else the oldest batch."""
        spool = self.duty.spool
        if spool is None:
            return list(held[: self.duty.batch])
        return [attempt for attempt in held if spool.was_started(attempt) and spool.outcome(attempt) is None]

    def _suspect(self, attempt: str, reason: str, late: bool) -> None:
        deaths = self._deaths[attempt] = self._deaths.get(attempt, 0) + 1
        if self.duty.info.effect == "blind":
            return
        if late:
            self._fail(attempt, LabelFailure(reason, "timeout", self._at_most()))
        elif deaths >= MOST_DEATHS:
            said = f"the labeler's process was lost {deaths} times at this request: {reason}"
            self._fail(attempt, LabelFailure(said, "infra", self._at_most()))

    def _at_most(self) -> int:
        """What a call that never answered may have cost."""
        return 0 if self.duty.info.effect == "pure" else self.duty.info.max_cost

    def _fail(self, attempt: str, failure: LabelFailure) -> None:
        done = Done(self.duty.blobs.put(pack_outcome(failure)))
        if self.duty.spool is not None:
            self.duty.spool.mark_done(attempt, done)
        self._done[attempt] = done

    def _give_up(self, reason: str) -> list[tuple[Job, str]]:
        """No replica comes to life: everything that waits fails, and the next start tries again."""
        self._stillborn = 0
        if any(hired.ready for hired in self._hired):
            return []
        waiting = [*self._suspects, *self._waiting]
        for attempt in waiting:
            self._fail(attempt, LabelFailure(f"no labeler could be started: {reason}", "infra"))
        news = [(self._jobs[attempt], attempt) for attempt in waiting]
        self._drop(waiting)
        return news


