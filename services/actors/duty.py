"""What the replicas of a labeler are for, and the attempts that wait for one of them."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import Done, LabelerInfo, LabelFailure
from dataeff_al.parts import Runtime
from services.actors.answers import all_is_well
from services.actors.hired import Hired
from services.actors.replica import Post

LEAST_IN_HAND = 32


@dataclass(frozen=True)
class Job:
    """An attempt that waits here or is at a replica; ``on_done`` is told when that is over."""

    attempt: str
    request: Ref
    on_done: Callable[[str], None]


@dataclass(frozen=True)
class Duty:
    """The labeler's declaration, how it runs, where blobs are and what is remembered of attempts.

    ``spool`` is None for pure labelers, whose calls are free to repeat. ``prefix`` begins the replicas' names.
    ``trouble``: what is wrong with the cluster; empty when nothing is.
    """

    post: Post
    info: LabelerInfo
    runtime: Runtime
    blobs: Blobs
    spool: FileSpool | None
    prefix: str
    trouble: Callable[[], str] = all_is_well

    @property
    def batch(self) -> int:
        """Requests per call."""
        return self.runtime.batch or self.info.preferred_batch

    @property
    def timeout_s(self) -> float:
        """Longest time for one request [s]."""
        return self.runtime.timeout_s or self.info.timeout_s

    @property
    def window(self) -> int:
        """Attempts at one replica: a batch in work and one that waits there.

        Nothing waits behind a blind call, for a replica that hangs is ended with all it has.
        """
        return self.batch if self.info.effect == "blind" else 2 * self.batch

    @property
    def capacity(self) -> int:
        """Attempts in hand at once: enough that no replica waits for the driver."""
        return self.runtime.replicas * max(LEAST_IN_HAND, 4 * self.batch)

    def begun(self, held: Sequence[str]) -> list[str]:
        """What the labeler may have been at when its replica was lost: a durable spool knows, else the oldest batch."""
        if self.spool is None:
            return list(held[: self.batch])
        return [key for key in held if self.spool.was_started(key) and self.spool.outcome(key) is None]

    def failed(self, attempt: str, failure: LabelFailure) -> Done:
        """The outcome of an attempt that no replica answered, kept like an answer."""
        done = Done(self.blobs.put(pack_outcome(failure)))
        if self.spool is not None:
            self.spool.mark_done(attempt, done)
        return done


@dataclass
class Waiting:
    """Attempts that no replica has yet. A suspect of having ended a replica is given to one that has nothing else."""

    queue: deque[str] = field(default_factory=deque)
    suspects: deque[str] = field(default_factory=deque)

    def add(self, attempt: str, *, suspect: bool) -> None:
        """Put an attempt at the end."""
        (self.suspects if suspect else self.queue).append(attempt)

    def drop(self, attempts: Iterable[str]) -> None:
        """Take attempts out."""
        gone = {*attempts}
        self.queue = deque(attempt for attempt in self.queue if attempt not in gone)
        self.suspects = deque(attempt for attempt in self.suspects if attempt not in gone)

    def all(self) -> list[str]:
        """Everything that waits."""
        return [*self.suspects, *self.queue]

    def share_out(self, ready: Sequence[Hired], window: int) -> Mapping[Hired, list[str]]:
        """Who gets what now: always the one with the least in hand, and at most ``window`` each."""
        given: dict[Hired, list[str]] = {}
        free = list(ready)
        if self.suspects and free:
            quarantine = free.pop(0)
            if not quarantine.assigned:
                given[quarantine] = [self.suspects.popleft()]
        load = {hired: len(hired.assigned) for hired in free}
        while self.queue and load and min(load.values()) < window:
            least = min(load, key=load.__getitem__)
            given.setdefault(least, []).append(self.queue.popleft())
            load[least] += 1
        return given
