"""What a record and a blob store must offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dataeff_al.events import Event


@dataclass(frozen=True)
class StoredEvent:
    """An event at its place: ``n`` counts from 1 without gaps; ``at`` is the commit's time [s since the epoch]."""

    campaign: str
    n: int
    epoch: int
    at: float
    event: Event


@dataclass(frozen=True)
class RequestKey:
    """A caller's name for a mutation and the digest of its content: the same request twice is done once."""

    id: str
    digest: str


@dataclass(frozen=True)
class Mark:
    """One of several requests that are answered in one transaction; for it the log ends at ``n``."""

    request: RequestKey
    n: int


@dataclass(frozen=True)
class Committed:
    """The log now ends at ``n``; ``replayed``: this request had been committed before, nothing was written."""

    n: int
    replayed: bool = False


@dataclass(frozen=True)
class Snapshot:
    """What a campaign is after event ``n``, in the words of whoever keeps it. Never the truth: that is the log.

    ``head`` is written anew each time, a block only when it has changed.
    """

    n: int
    head: str
    blocks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What can be said of a campaign without reading its log: when it was created [s since the epoch], its status."""

    created_at: float
    status: str

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more, short of an extension."""
        return self.status in ("finished", "cancelled")


class Store(Protocol):
    """The append-only record of campaigns. One controller at a time writes it, fenced by its epoch."""

    @property
    def epoch(self) -> int:
        """The fencing epoch that this holder was given when it opened the store for writing."""

    def append(
        self,
        campaign: str,
        events: Sequence[Event],
        expected_n: int,
        epoch: int,
        request: RequestKey | None = None,
        marks: Sequence[Mark] = (),
    ) -> Committed:
        """Write events and everything that follows from them in one transaction, durably, before returning.

        ``marks``: instead of one ``request``, several that share the transaction; all must be new.

        Raises :class:`~dataeff_al.errors.ConflictError` when the log does not end at ``expected_n``, when ``epoch`` is
        not the newest, when the request id was used with other content, or when one of ``marks`` was committed before.
        """

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None.

        Raises :class:`~dataeff_al.errors.ConflictError` when its id was used with other content.
        """

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order. Raises :class:`~dataeff_al.errors.NotFoundError`."""

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""

    def about(self, campaign: str) -> About:
        """A campaign at a glance. Raises :class:`~dataeff_al.errors.NotFoundError`."""

    def keep(self, campaign: str, snapshot: Snapshot, epoch: int, onto: int = 0) -> None:
        """Put a snapshot in the place of the one before, durably and all at once.

        Blocks that it does not name stay as they are in the snapshot at ``onto``; with 0 there are none but its own.

        Raises :class:`~dataeff_al.errors.ConflictError` when no snapshot stands at ``onto``, when the log has no event
        ``snapshot.n``, or when ``epoch`` is not the newest.
        """

    def snapshot(self, campaign: str, *, whole: bool = True) -> Snapshot | None:
        """The newest snapshot, without its blocks unless ``whole``; None when there is none that fits the log."""

    def close(self) -> None:
        """Let go of the lock."""
