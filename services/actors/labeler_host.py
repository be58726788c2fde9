"""A labeler's replicas as one campaign sees them."""

from collections.abc import Callable, Mapping, Sequence

from dataeff_al.digests import Ref
from dataeff_al.labeling.types import LabelerInfo, Progress
from services.actors.duty import Job
from services.actors.staff import Staff


class RayLabelerHost:
    """Implements :class:`dataeff_al.labeling.types.LabelerHost`."""

    def __init__(self, staff: Staff, on_done: Callable[[str], None]) -> None:
        self._staff, self._on_done = staff, on_done

    @property
    def info(self) -> LabelerInfo:
        """The hosted labeler's declaration."""
        return self._staff.duty.info

    @property
    def capacity(self) -> int:
        """How many attempts it takes at once."""
        return self._staff.duty.capacity

    def start(self, attempt: str, request: Ref) -> None:
        """Take on an attempt; idempotent."""
        self._staff.start(Job(attempt, request, self._on_done))

    def poll(self, attempts: Sequence[str]) -> Mapping[str, Progress]:
        """How each attempt stands."""
        return {attempt: self._staff.progress(attempt) for attempt in attempts}

    def kept(self) -> Sequence[str]:
        """Attempts in the spool that nobody has acknowledged."""
        spool = self._staff.duty.spool
        return spool.kept() if spool is not None else []

    def ack(self, attempts: Sequence[str]) -> None:
        """The outcomes are in the record."""
        self._staff.ack(attempts)

    def cancel(self, attempts: Sequence[str]) -> None:
        """Drop what has not begun."""
        self._staff.cancel(attempts)
