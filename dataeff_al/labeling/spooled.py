"""The host around a plugin's ``label``: a queue, a thread that works in batches, and a spool that outlives both."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.errors import RecordError
from dataeff_al.failpoints import reached
from dataeff_al.labeling.asking import Raised, acknowledge, asked_again, tried
from dataeff_al.labeling.drawings import Drawings
from dataeff_al.labeling.packing import packed, unpack_request
from dataeff_al.labeling.picturing import MOST_EACH, Illustrator
from dataeff_al.labeling.spool import Spool
from dataeff_al.labeling.types import (
    Done,
    Labeler,
    LabelerInfo,
    LabelFailure,
    Outcome,
    Progress,
    Request,
    Running,
    Times,
    Unknown,
)

MAX_CALLS = 3


@dataclass(frozen=True)
class _Job:
    """An attempt that waits; ``calls``: how often the labeler has been called for it in this life."""

    attempt: str
    request: Ref
    queued_at: float
    calls: int = 0


@dataclass
class _Work:
    """One batch at the labeler; ``answered`` when it is back from it, ``abandoned`` when it outlasted its time and was
    answered for."""

    jobs: Sequence[_Job]
    began: float
    answered: bool = False
    abandoned: bool = False


class Spooled:
    """Hosts a labeler in this process.

    Requests wait in a queue and are answered in batches of the labeler's preferred size by one thread. ``on_done`` is
    called with the attempt when its outcome is there, or when nobody can say any more what became of it.

    What follows when a call raises or outlasts ``timeout_s`` a request depends on the labeler's effect class. *Pure*:
    the attempt failed. *Keyed*: a call that raised is repeated under its key before the attempt has failed.
    *Queryable*: the labeler is asked what became of it. *Blind*: the attempt's outcome is unknown, and nothing is
    repeated. After a batch that outlasted its time a new thread goes on; the old one's late answers are still reported.
    ``abandoned`` counts such batches.

    Args:
        labeler: the plugin.
        blobs: where requests come from and outcomes go.
        spool: durable for labelers whose calls cost, in memory for pure ones.
        timeout_s: longest time for one request [s].
        batch: requests per call, None: as the labeler prefers.
        capacity: how many attempts it takes at once.
        pictures: how many outcomes of each kind are drawn for the report, where the labeler draws.
        on_done: told of every finished attempt, from the worker's thread.
    """

    def __init__(
        self,
        labeler: Labeler,
        blobs: Blobs,
        spool: Spool,
        *,
        timeout_s: float | None = None,
        batch: int | None = None,
        capacity: int = 64,
        pictures: int = MOST_EACH,
        on_done: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._labeler, self._blobs, self._spool, self._on_done = labeler, blobs, spool, on_done
        self._timeout_s = timeout_s or labeler.info.timeout_s
        self._batch = batch or max(labeler.info.preferred_batch, 1)
        self._capacity = capacity
        self._queue: deque[_Job] = deque()
        self._known: set[str] = set()
        self._lost: dict[str, str] = {}
        self._work: _Work | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._drawings = Drawings(Illustrator(labeler, blobs, pictures), spool, self._lock)
        self._broken: Exception | None = None
        self.abandoned = 0

    @property
    def info(self) -> LabelerInfo:
        """The hosted labeler's declaration."""
        return self._labeler.info

    @property
    def capacity(self) -> int:
        """How many attempts it takes at once."""
        return self._capacity

    def start(self, attempt: str, request: Ref) -> None:
        """Queue an attempt; idempotent while it is known here.

        Of one whose outcome is kept already ``on_done`` is told: another process may have kept it a moment ago, after
        whoever starts it here had asked.
        """
        with self._lock:
            if attempt in self._known:
                return
            kept = self._spool.outcome(attempt) is not None
            if not kept:
                self._known.add(attempt)
                self._lost.pop(attempt, None)
                self._enqueue(_Job(attempt, request, time.monotonic()))
        if kept:
            self._on_done(attempt)

    def poll(self, attempts: Sequence[str]) -> Mapping[str, Progress]:
        """How each attempt stands; a queryable labeler is asked about what was begun in an earlier life.

        Raises RecordError when an outcome could not be kept: what the labeler answered is then not in safety.
        """
        if self._broken is not None:
            raise RecordError(f"a labeler's answers must be kept, but got {self._broken}") from self._broken
        self._end_overlong_work()
        self._end_overlong_drawing()
        return {attempt: self._progress(attempt) for attempt in attempts}

    def kept(self) -> Sequence[str]:
        """Attempts in the spool that nobody has acknowledged."""
        return self._spool.kept()

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        with self._lock:
            for attempt in attempts:
                self._known.discard(attempt)
                self._lost.pop(attempt, None)
                self._spool.forget(attempt)
        acknowledge(self._labeler, attempts)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what still waits in the queue; what the labeler has begun goes on."""
        with self._lock:
            wanted = set(attempts)
            dropped = {job.attempt for job in self._queue if job.attempt in wanted and not job.calls}
            self._queue = deque(job for job in self._queue if job.attempt not in dropped)
            self._known -= dropped

    def _progress(self, attempt: str) -> Progress:
        with self._lock:
            done = self._spool.outcome(attempt)
            if done is not None and not self._drawings.underway(attempt):
                return done
            if attempt in self._known:
                return Running()
            if attempt in self._lost:
                return Unknown(started=True, reason=self._lost[attempt])
            started = self._spool.was_started(attempt)
        if started and self.info.effect == "queryable":
            return self._looked_up(attempt)
        return Unknown(started=started)

    def _looked_up(self, attempt: str) -> Progress:
        """What the labeler itself says; when it cannot say, nobody can."""
        found = asked_again(self._labeler, attempt)
        if isinstance(found, Raised):
            return Unknown(started=True, reason=found.reason)
        if found is None:
            return Unknown(started=False)
        return self._keep(attempt, found, Times())

    def _keep(self, attempt: str, outcome: Outcome, times: Times) -> Done:
        done = Done(self._blobs.put(packed(outcome)), times)
        self._spool.mark_done(attempt, done)
        return done

    def _enqueue(self, job: _Job) -> None:
        self._queue.append(job)
        if self._thread is None:
            self._start_thread()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"labeler-{self.info.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            work = self._next_work()
            if work is None:
                return
            try:
                self._answer(work)
            except Exception as error:  # an outcome that cannot be kept: whoever polls must know
                self._broken = error
                self._on_done(work.jobs[0].attempt)
                return

    def _next_work(self) -> _Work | None:
        with self._lock:
            if self._thread is not threading.current_thread():
                return None
            jobs = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch))]
            if not jobs:
                self._thread = None
                return None
            called = [replace(job, calls=job.calls + 1) for job in jobs]
            self._work = _Work(called, time.monotonic())
            return self._work

    def _answer(self, work: _Work) -> None:
        cpu = time.thread_time()
        requests, found = _asked(self._labeler, self._blobs, self._spool, work.jobs)
        share = len(work.jobs)
        work_s, cpu_s = (time.monotonic() - work.began) / share, (time.thread_time() - cpu) / share
        with self._lock:
            work.answered = not work.abandoned
            shown = self._drawings.chosen(requests, found) if work.answered else []
        for job, item in zip(work.jobs, found, strict=True):
            times = Times(work.began - job.queued_at, work_s, cpu_s)
            if not isinstance(item, Raised):
                self._finish(job.attempt, item, times)
            elif not work.abandoned:
                self._raised(job, item.reason, times)
        for request, outcome in shown:
            if self._drawings.draw(request, outcome):
                self._on_done(request.key)

    def _end_overlong_drawing(self) -> None:
        late = self._drawings.overdue()
        if late:
            with self._lock:
                self._start_thread()
        for attempt in late:
            self._on_done(attempt)

    def _raised(self, job: _Job, reason: str, times: Times) -> None:
        if self.info.effect == "blind":
            self._lose(job.attempt, reason)
        elif self.info.effect == "keyed" and job.calls < MAX_CALLS:
            with self._lock:
                self._enqueue(job)
        else:
            self._finish_or_lose(job, LabelFailure(reason, "infra"), times)

    def _finish_or_lose(self, job: _Job, failure: LabelFailure, times: Times) -> None:
        """The failure is the outcome, unless a queryable labeler knows better, or cannot say."""
        found = asked_again(self._labeler, job.attempt) if self.info.effect == "queryable" else None
        if isinstance(found, Raised):
            self._lose(job.attempt, f"{failure.reason}; {found.reason}")
        else:
            self._finish(job.attempt, found or failure, times, unless_known=True)

    def _finish(self, attempt: str, outcome: Outcome, times: Times, *, unless_known: bool = False) -> None:
        with self._lock:
            if unless_known and self._spool.outcome(attempt) is not None:
                return
            self._lost.pop(attempt, None)
            self._keep(attempt, outcome, times)
            drawing = self._drawings.underway(attempt)
        if not drawing:
            self._on_done(attempt)

    def _lose(self, attempt: str, reason: str) -> None:
        with self._lock:
            self._known.discard(attempt)
            self._lost[attempt] = reason
        self._on_done(attempt)

    def _end_overlong_work(self) -> None:
        with self._lock:
            work = self._work
            if work is None or work.abandoned or work.answered or self._thread is None:
                return
            if time.monotonic() - work.began < self._timeout_s * len(work.jobs):
                return
            work.abandoned = True
            self.abandoned += 1
            late = [job for job in work.jobs if self._spool.outcome(job.attempt) is None]
            self._start_thread()
        for job in late:
            self._overlong(job, work)

    def _overlong(self, job: _Job, work: _Work) -> None:
        """Nobody waits any longer. What a call that still runs may cost is taken for lost, unless it is free."""
        reason = f"no answer within {self._timeout_s:g} s"
        if self.info.effect == "blind":
            self._lose(job.attempt, reason)
            return
        times = Times(work.began - job.queued_at, self._timeout_s)
        self._finish_or_lose(job, LabelFailure(reason, "timeout", self.info.most_lost), times)


def _asked(
    labeler: Labeler, blobs: Blobs, spool: Spool, jobs: Sequence[_Job]
) -> tuple[Sequence[Request], Sequence[Outcome | Raised]]:
    """What the labeler was asked, which is nothing when the host failed before, and what came of each job."""
    try:
        requests = [unpack_request(blobs.get(job.request), job.attempt) for job in jobs]
        for job in jobs:
            spool.mark_started(job.attempt)
    except Exception as error:  # the labeler has not been called
        return [], [LabelFailure(f"the host failed with {error!r}", "infra")] * len(jobs)
    reached("label.before")
    found = tried(labeler, requests)
    reached("label.after")
    return requests, found
