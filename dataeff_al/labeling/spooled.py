"""The host around a plugin's ``label``: a queue, a thread that works in batches, and a spool that outlives both."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.labeling.check import checked
from dataeff_al.labeling.packing import pack_outcome, unpack_request
from dataeff_al.labeling.spool import Spool
from dataeff_al.labeling.types import (
    Done,
    Labeler,
    LabelerInfo,
    LabelFailure,
    Outcome,
    Progress,
    Queryable,
    Request,
    Running,
    Times,
    Unknown,
)


@dataclass(frozen=True)
class _Job:
    attempt: str
    request: Ref
    queued_at: float


@dataclass
class _Work:
    """One batch at the labeler; ``abandoned`` when it outlasted its time and was answered for."""

    jobs: Sequence[_Job]
    began: float
    abandoned: bool = False


class Spooled:
    """Hosts a labeler in this process.

    Requests wait in a queue and are answered in batches of the labeler's preferred size by one thread. ``on_done`` is
    called with the attempt when its outcome is there. A batch that outlasts ``timeout_s`` a request is answered with
    timeouts and a new thread goes on; the old one's late answers are still reported. ``abandoned`` counts such batches.

    Args:
        labeler: the plugin.
        blobs: where requests come from and outcomes go.
        spool: durable for labelers whose calls cost, in memory for pure ones.
        timeout_s: longest time for one request [s].
        capacity: how many attempts it takes at once.
        on_done: told of every finished attempt, from the worker's thread.
    """

    def __init__(
        self,
        labeler: Labeler,
        blobs: Blobs,
        spool: Spool,
        *,
        timeout_s: float | None = None,
        capacity: int = 64,
        on_done: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._labeler, self._blobs, self._spool, self._on_done = labeler, blobs, spool, on_done
        self._timeout_s = timeout_s or labeler.info.timeout_s
        self._capacity = capacity
        self._queue: deque[_Job] = deque()
        self._known: set[str] = set()
        self._work: _Work | None = None
        self.abandoned = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def info(self) -> LabelerInfo:
        """The hosted labeler's declaration."""
        return self._labeler.info

    @property
    def capacity(self) -> int:
        """How many attempts it takes at once."""
        return self._capacity

    def start(self, attempt: str, request: Ref) -> None:
        """Queue an attempt; idempotent while it is known here or its outcome is kept."""
        with self._lock:
            if attempt in self._known or self._spool.outcome(attempt) is not None:
                return
            self._known.add(attempt)
            self._queue.append(_Job(attempt, request, time.monotonic()))
            if self._thread is None:
                self._start_thread()

    def poll(self, attempts: Sequence[str]) -> Mapping[str, Progress]:
        """How each attempt stands; a queryable labeler is asked about what was begun in an earlier life."""
        self._end_overlong_work()
        return {attempt: self._progress(attempt) for attempt in attempts}

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        with self._lock:
            for attempt in attempts:
                self._known.discard(attempt)
                self._spool.forget(attempt)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what still waits in the queue; what the labeler has begun goes on."""
        with self._lock:
            dropped = {job.attempt for job in self._queue if job.attempt in attempts}
            self._queue = deque(job for job in self._queue if job.attempt not in dropped)
            self._known -= dropped

    def _progress(self, attempt: str) -> Progress:
        done = self._spool.outcome(attempt)
        if done is not None:
            return done
        if attempt in self._known:
            return Running()
        if self._spool.was_started(attempt) and isinstance(self._labeler, Queryable):
            return self._looked_up(attempt, self._labeler)
        return Unknown(started=self._spool.was_started(attempt))

    def _looked_up(self, attempt: str, labeler: Queryable) -> Progress:
        found = labeler.lookup(attempt)
        if found is None:
            return Unknown(started=False)
        return self._keep(attempt, checked(found, self.info), Times())

    def _keep(self, attempt: str, outcome: Outcome, times: Times) -> Done:
        done = Done(self._blobs.put(pack_outcome(outcome)), times)
        self._spool.mark_done(attempt, done)
        return done

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"labeler-{self.info.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._lock:
                if self._thread is not me:
                    return
                jobs = [self._queue.popleft() for _ in range(min(len(self._queue), self.info.preferred_batch))]
                if not jobs:
                    self._thread = None
                    return
                work = self._work = _Work(jobs, time.monotonic())
            self._answer(work)

    def _answer(self, work: _Work) -> None:
        cpu = time.thread_time()
        try:
            requests = [unpack_request(self._blobs.get(job.request), job.attempt) for job in work.jobs]
            for job in work.jobs:
                self._spool.mark_started(job.attempt)
            outcomes = asked(self._labeler, requests)
        except Exception as error:
            outcomes = [LabelFailure(f"the host failed with {error!r}", "infra")] * len(work.jobs)
        share = len(work.jobs)
        work_s, cpu_s = (time.monotonic() - work.began) / share, (time.thread_time() - cpu) / share
        for job, outcome in zip(work.jobs, outcomes, strict=True):
            self._finish(job.attempt, outcome, Times(work.began - job.queued_at, work_s, cpu_s))

    def _finish(self, attempt: str, outcome: Outcome, times: Times) -> None:
        self._keep(attempt, outcome, times)
        self._on_done(attempt)

    def _end_overlong_work(self) -> None:
        with self._lock:
            work = self._work
            if work is None or work.abandoned or self._thread is None:
                return
            if time.monotonic() - work.began < self._timeout_s * len(work.jobs):
                return
            work.abandoned = True
            self.abandoned += 1
            late = [job for job in work.jobs if self._spool.outcome(job.attempt) is None]
            self._start_thread()
        for job in late:
            failure = LabelFailure(f"no answer within {self._timeout_s:g} s", "timeout")
            self._finish(job.attempt, failure, Times(work.began - job.queued_at, self._timeout_s))


def asked(labeler: Labeler, requests: Sequence[Request]) -> list[Outcome]:
    """The labeler's checked outcomes; a labeler that raises fails its requests, a pure one only those that raise."""
    try:
        outcomes = list(labeler.label(requests))
    except Exception as error:
        if labeler.info.effect == "pure" and len(requests) > 1:
            return [outcome for request in requests for outcome in asked(labeler, [request])]
        return [LabelFailure(f"labeler {labeler.info.name!r} raised {error!r}", "infra")] * len(requests)
    if len(outcomes) != len(requests):
        reason = f"a labeler must answer each of {len(requests)} requests, but got {len(outcomes)} outcomes."
        return [LabelFailure(reason, "bad_label")] * len(requests)
    return [checked(outcome, labeler.info) for outcome in outcomes]
