"""What a labeler service does, without the wire: attempts are taken on, answered, told, forgotten."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataeff_al.digests import Ref, digest_json
from dataeff_al.errors import CapabilityError, ConflictError, DataError, RequestError, UnavailableError
from dataeff_al.labeling.packing import unpack_request
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import (
    Done,
    Effect,
    Labeler,
    LabelerContext,
    LabelerInfo,
    Progress,
    Running,
    Unknown,
    answered_outside,
)
from dataeff_al.parts import PartSpec
from dataeff_al.rpc import limits
from dataeff_al.rpc.labeler_messages import AttemptProgress, form_from_text
from dataeff_al.samples.columns import check_sample
from dataeff_al.samples.form_only import FormOnly
from dataeff_al.samples.types import SampleSpec
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.small_files import write_durably
from services.labeler_service.assignments import Assignment, Assignments

LOOK_S = 0.5
MAX_FORMS = 32
KEPT_S = 30 * 86_400.0


class Desk:
    """A labeler for samples of any form that it can work on: one copy for each form, made when first asked.

    Args:
        part: the labeler.
        folder: holds what was asked and answered until it is acknowledged; one desk alone may use it.
        data_root: the folder of shared data, or None.
    """

    def __init__(self, part: PartSpec, folder: Path, data_root: Path | None) -> None:
        """Raises CorruptError when what the folder holds cannot be read, ConflictError when its attempts are another
        labeler's.
        """
        self._part, self._data_root = part, data_root
        self._blobs = FileBlobs(folder / "blobs")
        self._spool = FileSpool(folder / "outcomes")
        self._assignments = Assignments(folder / "attempts")
        self._hosts: dict[str, Spooled] = {}
        self._forms: dict[Ref, str] = {}
        self._unused: set[Ref] = set()
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []
        self._closing = False
        self._claim(folder / "labeler")
        self._blobs.sweep()
        self._forget(self._assignments.older_than(KEPT_S))
        for ref in {*self._blobs.refs()} - self._needed():
            self._blobs.discard(ref)

    def describe(self, samples: str) -> LabelerInfo:
        """What is answered about samples of a form. Raises RequestError, or what the labeler raises when it cannot work
        on such samples.
        """
        return self._host(samples).info

    def start(self, samples: str, wanted: Mapping[str, bytes]) -> None:
        """Take on attempts, packed requests by attempt: all of them, or none.

        Raises DataError for a sample that breaks its form, ConflictError for an attempt that asked something else.
        """
        if self._closing:
            raise UnavailableError("a labeler service must go on to take on attempts, but got one that is going down.")
        host, form = self._host(samples), form_from_text(samples)
        for attempt, content in wanted.items():
            _check_request(attempt, content, form)
        with self._lock:
            ref = self._blobs.put(samples.encode())
            asked = {attempt: Assignment(ref, self._blobs.put(content)) for attempt, content in wanted.items()}
            for attempt, assignment in asked.items():
                self._check_same(attempt, assignment)
            for attempt, assignment in asked.items():
                if self._assignments.get(attempt) is None:
                    self._assignments.add(attempt, assignment)
                host.start(attempt, assignment.request)

    def poll(self, attempts: Sequence[str]) -> Sequence[AttemptProgress]:
        """How attempts stand. Outcomes come up to a bound together: others that are done are said to be running."""
        return [*self._told({attempt: self._progress(attempt) for attempt in attempts})]

    def listen(self, listener: Callable[[], None]) -> None:
        """Have it called whenever some attempt has come to an end, in any thread."""
        self._listeners.append(listener)

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts; what is still worked on is left alone."""
        with self._lock:
            known = [attempt for attempt in attempts if self._assignments.get(attempt)]
            self._forget([attempt for attempt in known if not isinstance(self._progress(attempt), Running)])

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what has not begun."""
        for host in [*self._hosts.values()]:
            host.cancel(attempts)

    def close(self) -> None:
        """Take on and begin nothing more; what waited is unknown to whoever asks for it, and is started again."""
        self._closing = True
        self.cancel(self._assignments.attempts())

    def rest(self, wait_s: float) -> bool:
        """Wait for what is being worked on; whether it came to its end in time [s]."""
        until = time.monotonic() + wait_s
        while self._at_work() and time.monotonic() < until:
            time.sleep(LOOK_S)
        return not self._at_work()

    def _at_work(self) -> bool:
        return any(isinstance(self._progress(attempt), Running) for attempt in self._assignments.attempts())

    def _claim(self, path: Path) -> None:
        """Answers of one labeler must not be taken for those of another."""
        mine, held = digest_json(self._part.canonical()), len(self._assignments.attempts())
        if held and path.exists() and path.read_text("ascii") != mine:
            raise ConflictError(
                f"a store must be served by the labeler whose {held} attempts it holds, but got another one, or other "
                "settings."
            )
        write_durably(path, mine)

    def _progress(self, attempt: str) -> Progress | None:
        """How an attempt stands; None when it is not known."""
        assignment = self._assignments.get(attempt)
        if assignment is None:
            return None
        if assignment.form not in self._forms:
            self._forms[assignment.form] = self._blobs.get(assignment.form).decode()
        return self._host(self._forms[assignment.form]).poll([attempt])[attempt]

    def _told(self, found: Mapping[str, Progress | None]) -> Iterator[AttemptProgress]:
        size = 0
        for attempt, progress in found.items():
            if not isinstance(progress, Done):
                yield self._without_outcome(attempt, progress)
                continue
            outcome = self._blobs.get(progress.outcome)
            if size and size + len(outcome) > limits.MAX_ARRAYS_BYTES:
                yield AttemptProgress(attempt, "running")
                continue
            size += len(outcome)
            yield AttemptProgress(attempt, "done", outcome, progress.times.work_s)

    def _without_outcome(self, attempt: str, progress: Progress | None) -> AttemptProgress:
        if isinstance(progress, Running):
            return AttemptProgress(attempt, "running")
        if not isinstance(progress, Unknown) or not progress.started or self._effect in ("pure", "keyed"):
            return AttemptProgress(attempt, "unknown")
        reason = progress.reason or "the labeler was ended while it was at work"
        return AttemptProgress(attempt, "lost", reason=reason)

    @property
    def _effect(self) -> Effect:
        """What a repeated call costs, whatever the form."""
        return next(iter(self._hosts.values())).info.effect

    def _check_same(self, attempt: str, assignment: Assignment) -> None:
        known = self._assignments.get(attempt)
        if known is not None and known != assignment:
            raise ConflictError(f"an attempt must ask what it asked before, but got another question for {attempt!r}.")

    def _forget(self, attempts: Sequence[str]) -> None:
        """Remove what belongs to attempts, and the blobs that no other one needs."""
        for attempt in attempts:
            outcome = self._spool.outcome(attempt)
            for host in self._hosts.values():
                host.ack([attempt])
            self._spool.forget(attempt)
            self._unused.add(self._assignments.remove(attempt).request)
            self._unused |= {outcome.outcome} if outcome is not None else set()
        # An outcome that is being written down may be the same as one that is forgotten.
        if not self._at_work():
            for ref in self._unused - self._needed():
                self._blobs.discard(ref)
            self._unused.clear()

    def _needed(self) -> set[Ref]:
        """The blobs of all attempts that are known."""
        outcomes = (self._spool.outcome(attempt) for attempt in self._spool.kept())
        return {outcome.outcome for outcome in outcomes if outcome is not None} | self._assignments.refs()

    def _host(self, samples: str) -> Spooled:
        with self._lock:
            if samples not in self._hosts:
                if len(self._hosts) >= MAX_FORMS:
                    raise RequestError(f"samples must have one of at most {MAX_FORMS} forms, but got another one.")
                labeler = self._built(form_from_text(samples))
                self._hosts[samples] = Spooled(labeler, self._blobs, self._spool, on_done=self._on_done)
            return self._hosts[samples]

    def _built(self, form: SampleSpec) -> Labeler:
        labeler: Labeler = self._part.build(LabelerContext(FormOnly(form), Path.cwd(), self._data_root))
        if answered_outside(labeler.info) is not None:
            raise CapabilityError(
                f"a labeler service must answer by itself, but got {self._part.kind!r}, which waits for others."
            )
        return labeler

    def _on_done(self, _: str) -> None:
        for listener in self._listeners:
            listener()


def _check_request(attempt: str, content: bytes, form: SampleSpec) -> None:
    with _named(attempt):
        check_sample(unpack_request(content, attempt).sample, form)


@contextmanager
def _named(attempt: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"attempt {attempt!r}: {error}") from error
