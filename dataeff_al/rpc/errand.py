"""One batch of requests at a labeler service: begun, waited for, given up in time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from dataeff_al.errors import (
    AccessError,
    CapabilityError,
    ConflictError,
    DataError,
    GeometryError,
    LabelingError,
    RequestError,
    UnavailableError,
)
from dataeff_al.labeling.packing import unpack_outcome
from dataeff_al.labeling.types import FailureKind, Label, LabelerInfo, LabelFailure, Outcome, Times
from dataeff_al.rpc import limits
from dataeff_al.rpc.labeler_client import LabelerClient
from dataeff_al.rpc.labeler_messages import AttemptProgress
from dataeff_al.samples.types import SampleSpec

WAIT_S = 20.0
PAUSE_S = 1.0
_REFUSALS = (AccessError, CapabilityError, ConflictError, DataError, GeometryError, RequestError)
"""After these nothing was begun; after any other error nobody knows."""

T = TypeVar("T")


class Errand:
    """Attempts of one call of a labeler.

    A service that is away for a while is waited for: the same attempts may be started again.

    Args:
        client: the service.
        samples: the form of the samples.
        info: what the service declares.
        requests: packed requests by attempt.
    """

    def __init__(
        self, client: LabelerClient, samples: SampleSpec, info: LabelerInfo, requests: Mapping[str, bytes]
    ) -> None:
        self._client, self._samples, self._info, self._requests = client, samples, info, requests
        self._open: dict[str, None] = {}
        self._found: dict[str, Outcome] = {}
        self._until = 0.0

    def outcomes(self, timeout_s: float) -> Mapping[str, Outcome]:
        """An outcome for each attempt.

        Raises UnavailableError when the service cannot be reached in time, LabelingError when it has lost an attempt.
        """
        self._until = time.monotonic() + timeout_s
        self._start(list(self._requests))
        while self._open and (left := self._until - time.monotonic()) > 0:
            self._look(min(left, WAIT_S))
        if self._open:
            self._give_up(timeout_s)
        return self._found

    def _start(self, attempts: Sequence[str]) -> None:
        for some in _portions(attempts, self._requests):
            self._start_together(some)

    def _start_together(self, attempts: Sequence[str]) -> None:
        wanted = {attempt: self._requests[attempt] for attempt in attempts}
        try:
            self._patiently(lambda: self._client.start(self._samples, wanted))
        except _REFUSALS as error:
            if len(attempts) == 1:
                kind: FailureKind = "infra" if isinstance(error, AccessError) else "refused"
                self._take(attempts[0], LabelFailure(str(error), kind))
                return
            # One that is refused does not spoil the others.
            for attempt in attempts:
                self._start_together([attempt])
        else:
            self._open.update(dict.fromkeys(attempts))

    def _look(self, wait_s: float) -> None:
        again = list[str]()
        for some in _portions(list(self._open), {}):
            # Only the first question waits: the others would make it longer.
            found = self._patiently(lambda some=some, wait_s=wait_s: self._client.poll(some, wait_s))  # type: ignore[misc]
            again += self._sorted_out(some, found)
            wait_s = 0.0
        if again:
            # Whoever serves it began anew, and has forgotten: nothing was paid.
            time.sleep(PAUSE_S)
            self._start(again)

    def _sorted_out(self, asked: Sequence[str], found: Sequence[AttemptProgress]) -> list[str]:
        """Take what is done; the attempts that have to be started again."""
        states = {each.attempt: each for each in found}
        if missing := [attempt for attempt in asked if attempt not in states]:
            raise LabelingError(f"a labeler service must say how each attempt stands, but left out {len(missing)}.")
        again = []
        for attempt in asked:
            progress = states[attempt]
            if progress.state == "lost":
                raise LabelingError(f"the labeler service has lost an attempt: {progress.reason or 'no reason given'}")
            if progress.state == "done":
                self._take(attempt, outcome_of(progress, self._info))
            elif progress.state == "unknown":
                again.append(attempt)
        return again

    def _give_up(self, timeout_s: float) -> None:
        """Nobody waits any longer. What a call that goes on may cost is taken for lost, unless it is free."""
        left = list(self._open)
        for some in _portions(left, {}):
            self._client.cancel(some)
            not_begun = self._sorted_out(some, self._client.poll(some))
            for attempt in [attempt for attempt in some if attempt in self._open]:
                begun = attempt not in not_begun
                reason = f"no answer within {timeout_s:g} s{'' if begun else ', nothing had begun'}"
                self._take(attempt, LabelFailure(reason, "timeout", self._info.most_lost if begun else 0))

    def _take(self, attempt: str, outcome: Outcome) -> None:
        self._open.pop(attempt, None)
        self._found[attempt] = outcome

    def _patiently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except UnavailableError:
                if time.monotonic() + PAUSE_S >= self._until:
                    raise
                time.sleep(PAUSE_S)


def outcome_of(progress: AttemptProgress, info: LabelerInfo) -> Outcome:
    """The outcome of an attempt that is done; one that cannot be read is a failure that costs as much as a label."""
    try:
        outcome = unpack_outcome(progress.outcome)
    except DataError as error:
        cost = 0 if info.effect == "pure" else info.cost
        return LabelFailure(f"a labeler service must answer in the packing of the contract: {error}", "bad_label", cost)
    if isinstance(outcome, Label):
        return replace(outcome, times=Times(work_s=progress.work_s))
    return outcome


def _portions(attempts: Sequence[str], contents: Mapping[str, bytes]) -> Iterator[list[str]]:
    """As many together as one message may hold."""
    some, size = list[str](), 0
    for attempt in attempts:
        more = len(contents.get(attempt, b""))
        if some and (len(some) == limits.MAX_LEASES or size + more > limits.MAX_ARRAYS_BYTES):
            yield some
            some, size = [], 0
        some.append(attempt)
        size += more
    if some:
        yield some
