"""The replicas of one labeler: who has what, who is free, who was lost.

Attempts wait here and are given to the replica with the least to do, few at a time, so that a slow one holds nobody up.
Nothing is repeated here: an attempt whose replica was lost is forgotten, and the driver, who knows the record, asks
what became of it (:meth:`Staff.progress`) and starts it again when that is safe.
"""

import contextlib
import logging
import threading
from collections.abc import Collection, Sequence
from typing import Any, Literal

import ray

from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.types import Done, LabelFailure, Progress, Running, Unknown
from services.actors.answers import SHORT_S, answer, named, names
from services.actors.duty import Duty, Job, Waiting
from services.actors.hired import REPORT_S, Hired
from services.actors.placement import told
from services.actors.replica import Report
from services.actors.workers import PLACE_S

log = logging.getLogger(__name__)
WATCH_S = 0.25
GRACE_S = 30.0
CALL_OFF_S = 10.0
MOST_DEATHS = 3

News = list[Job]


class Staff:
    """Replicas of one labeler, and a thread that listens to them.

    Args:
        duty: what they are for.
    """

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self._lock = threading.RLock()
        self._waiting = Waiting()
        self._jobs: dict[str, Job] = {}
        self._done: dict[str, Done] = {}
        self._lost: dict[str, Unknown] = {}
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
    def actors(self) -> list[Any]:
        """The replicas' actors."""
        with self._lock:
            return [hired.actor for hired in self._hired]

    def start(self, job: Job) -> None:
        """Take on an attempt; idempotent."""
        with self._lock:
            known, self._jobs[job.attempt] = job.attempt in self._jobs, job
            if known or job.attempt in self._done:
                return
            self._lost.pop(job.attempt, None)
            self._waiting.add(job.attempt, suspect=job.attempt in self._deaths)
            news = self._staffed()
        self._tell(news)

    def progress(self, attempt: str) -> Progress:
        """How an attempt stands; asks a replica only about a queryable labeler's earlier life."""
        with self._lock:
            if attempt in self._done:
                return self._done[attempt]
            if attempt in self._jobs:
                return Running()
            if attempt in self._lost:
                return self._lost[attempt]
            settling = any(hired.found and not hired.ready for hired in self._hired)
        return Running() if settling else self._remembered(attempt)

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        with self._lock:
            for attempt in attempts:
                for known in (self._jobs, self._done, self._lost, self._deaths):
                    known.pop(attempt, None)
            for hired in self._hired:
                if made := hired.answered.intersection(attempts):
                    hired.answered -= made
                    hired.actor.ack.remote(sorted(made))
        if self.duty.spool is not None:
            for attempt in attempts:
                self.duty.spool.forget(attempt)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what has not begun; what a labeler has begun goes on, and so does what a replica does not speak of."""
        with self._lock:
            self._drop(set(attempts).intersection(self._waiting.all()))
            held = {hired: [key for key in attempts if key in hired.assigned] for hired in self._hired}
            calls = {hired: hired.call_off(keys) for hired, keys in held.items() if keys}
        for hired, call in calls.items():
            with contextlib.suppress(Exception):  # a replica that was lost is told of by its report
                dropped = answer(call, CALL_OFF_S)
                with self._lock:
                    self._drop(dropped)
                    for attempt in dropped:
                        hired.assigned.pop(attempt, None)

    def close(self) -> None:
        """End every replica."""
        self._closed.set()
        with self._lock:
            hired, self._hired = self._hired, []
            self._calls.clear()
        for one in hired:
            one.end()
        self._thread.join(SHORT_S)

    def _drop(self, attempts: Collection[str]) -> None:
        self._waiting.drop(attempts)
        for attempt in attempts:
            self._jobs.pop(attempt, None)

    def _remembered(self, attempt: str) -> Progress:
        """What is known of an attempt that nobody has in hand."""
        spool = self.duty.spool
        done = spool.outcome(attempt) if spool else None
        if done is not None:
            return done
        if spool is None or not spool.was_started(attempt):
            return Unknown(started=False)
        return self._looked_up(attempt) if self.duty.info.effect == "queryable" else Unknown(started=True)

    def _looked_up(self, attempt: str) -> Progress:
        """A replica that cannot say now is asked again later: running is the answer that changes nothing."""
        with self._lock:
            ready = next((hired for hired in self._hired if hired.ready), None)
        try:
            found = ready.look_up(attempt) if ready else Running()
        except UnavailableError:
            return Running()
        if found == Unknown(started=False) and self._deaths.get(attempt, 0) >= MOST_DEATHS:
            return self._fail(attempt, f"the labeler's process was lost {MOST_DEATHS} times at this request", "infra")
        return found

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

    def _staffed(self) -> News:
        """Make up the number of replicas and give them what waits; a cluster that refuses fails what waits."""
        try:
            self._hire()
            self._hand_out()
        except Exception as error:  # Ray raises all kinds when a cluster is gone
            log.warning("labeler %s cannot be started: %s", self.duty.info.name, error)
            return self._give_up(str(error))
        return []

    def _hand_out(self) -> None:
        ready = [hired for hired in self._hired if hired.ready]
        for hired, attempts in self._waiting.share_out(ready, self.duty.window).items():
            self._calls[hired.give([(key, self._jobs[key].request) for key in attempts])] = hired

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except Exception:  # the one thread that hears of answers must go on
                log.exception("listening to the replicas of %s failed", self.duty.info.name)
                self._closed.wait(WATCH_S)

    def _listen(self) -> None:
        with self._lock:
            calls = list(self._calls)
        if not calls:
            self._closed.wait(WATCH_S)
            return
        for ref in ray.wait(calls, timeout=WATCH_S)[0]:
            self._tell(self._heard(ref))
        self._tell(self._end_silent())

    def _tell(self, news: News) -> None:
        for job in news:
            job.on_done(job.attempt)

    def _heard(self, ref: Any) -> News:
        with self._lock:
            hired = self._calls.pop(ref, None)
            if hired is None or self._closed.is_set():
                return []
            try:
                report = answer(ref, SHORT_S)
            except UnavailableError as error:
                return self._lose(hired, str(error), suspicious=True)
            except Exception as error:  # it lives and refuses: when it cannot be made, another one would say the same
                self._stillborn = self._stillborn if hired.ready else MOST_DEATHS
                return self._lose(hired, str(error), suspicious=False)
            return self._take(hired, report) if isinstance(report, Report) else []

    def _take(self, hired: Hired, report: Report) -> News:
        hired.heard(report)
        if not hired.ready:
            hired.ready, self._stillborn = True, 0
            self._take_over(hired, report)
        self._done.update(report.done)
        self._lost.update(report.lost)
        ended = (*report.done, *report.lost)
        news = [self._jobs.pop(attempt) for attempt in ended if attempt in self._jobs]
        if report.stuck:
            return [*news, *self._lose(hired, "a batch outlasted its time", suspicious=False)]
        self._calls[hired.ask_report()] = hired
        return [*news, *self._staffed()]

    def _take_over(self, hired: Hired, report: Report) -> None:
        """What a replica of an earlier driver is at."""
        for attempt in report.holding:
            hired.assigned[attempt] = None
            self._jobs.setdefault(attempt, Job(attempt, Ref(""), lambda _: None))

    def _end_silent(self) -> News:
        """A replica that no longer reports is ended: its process hangs, or there never was room for it."""
        limit = REPORT_S + self.duty.timeout_s * self.duty.batch + GRACE_S
        with self._lock:
            for hired in self._hired:
                if hired.ready and hired.silent_for() > limit:
                    return self._lose(hired, f"no answer within {limit:g} s", suspicious=True, late=True)
                if not hired.ready and hired.silent_for() > PLACE_S:
                    reason = f"the cluster must have room for it ({told(self.duty.runtime)}), but got none in time."
                    return self._lose(hired, reason, suspicious=False)
        return []

    def _lose(self, hired: Hired, reason: str, *, suspicious: bool, late: bool = False) -> News:
        """Forget a replica and what it had; whatever may have ended it is remembered."""
        hired.end()
        self._hired = [other for other in self._hired if other is not hired]
        self._calls = {ref: other for ref, other in self._calls.items() if other is not hired}
        held = [attempt for attempt in hired.assigned if attempt in self._jobs]
        news = [self._jobs.pop(attempt) for attempt in held]
        for attempt in self.duty.begun(held) if suspicious else ():
            self._suspect(attempt, reason, late)
        self._stillborn += not hired.ready
        if self._stillborn >= MOST_DEATHS:
            return [*news, *self._give_up(reason)]
        return [*news, *self._staffed()]

    def _suspect(self, attempt: str, reason: str, late: bool) -> None:
        """A blind call is never repeated, and a queryable labeler is asked; the others have a number of tries."""
        deaths = self._deaths[attempt] = MOST_DEATHS if late else self._deaths.get(attempt, 0) + 1
        if self.duty.info.effect == "blind":
            self._lost[attempt] = Unknown(started=True, reason=reason)
        elif self.duty.info.effect != "queryable" and deaths >= MOST_DEATHS:
            said = reason if late else f"the labeler's process was lost {deaths} times at this request: {reason}"
            self._fail(attempt, said, "timeout" if late else "infra")

    def _fail(self, attempt: str, reason: str, kind: Literal["infra", "timeout"]) -> Done:
        cost = self.duty.lost_cost if attempt in self._deaths else 0
        done = self._done[attempt] = self.duty.failed(attempt, LabelFailure(reason, kind, cost))
        return done

    def _give_up(self, reason: str) -> News:
        """No replica comes to life: everything that waits fails, and the next start tries again."""
        self._stillborn = 0
        if any(hired.ready for hired in self._hired):
            return []
        waiting = self._waiting.all()
        for attempt in waiting:
            self._fail(attempt, f"no labeler could be started: {reason}", "infra")
        self._waiting.drop(waiting)
        return [self._jobs.pop(attempt) for attempt in waiting]
