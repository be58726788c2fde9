"""What a record and a blob store must offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
class Committed:
    """The log now ends at ``n``; ``replayed``: this request had been committed before, nothing was written."""

    n: int
    replayed: bool = False


class Store(Protocol):
    """The append-only record of campaigns. One controller at a time writes it, fenced by its epoch."""

    @property
    def epoch(self) -> int:
        """The fencing epoch that this holder was given when it opened the store for writing."""

    def append(
        self, campaign: str, events: Sequence[Event], expected_n: int, epoch: int, request: RequestKey | None = None
    ) -> Committed:
        """Write events and everything that follows from them in one transaction, durably, before returning.

        Raises :class:`~dataeff_al.errors.ConflictError` when the log does not end at ``expected_n``, when ``epoch`` is
        not the newest, or when the request id was used with other content.
        """

    def committed(self, campaign: str, request: RequestKey) -> Committed | None:
        """What was answered to a request before, or None.

        Raises :class:`~dataeff_al.errors.ConflictError` when its id was used with other content.
        """

    def read(self, campaign: str, after: int = 0) -> Iterator[StoredEvent]:
        """Events with ``n > after``, in order. Raises :class:`~dataeff_al.errors.NotFoundError`."""

    def campaigns(self) -> Sequence[str]:
        """Ids of all campaigns in order of creation."""

    def close(self) -> None:
        """Let go of the lock."""
