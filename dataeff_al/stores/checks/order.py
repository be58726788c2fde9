"""I8, I9 and the states: numbering, fencing tokens, and what may follow what."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataeff_al import events as ev
from dataeff_al.stores.checks.protocol import Violation, violation
from dataeff_al.stores.protocol import StoredEvent


@dataclass
class NumberCheck:
    """I9: events count from 1 without gaps, begin with ``created``, and their epochs never fall."""

    _n: int = 0
    _epoch: int = 0

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Hold the event's place against the one before it."""
        if stored.n != self._n + 1:
            yield violation("I9", stored, f"events must count on to {self._n + 1}, but got {stored.n}.")
        if (stored.n == 1) != isinstance(stored.event, ev.Created):
            yield violation(
                "I9", stored, f"a log must begin with created and hold it once, but got {stored.event.kind}."
            )
        if stored.epoch < self._epoch:
            yield violation("I8", stored, f"epochs must not fall below {self._epoch}, but got {stored.epoch}.")
        self._n, self._epoch = stored.n, max(stored.epoch, self._epoch)


@dataclass
class LeaseCheck:
    """I8: attempts have ids of their own and numbers that rise per query. States: who may be leased and answered."""

    _numbers: dict[str, int] = field(default_factory=dict)
    _attempts: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _leased: dict[str, str] = field(default_factory=dict)

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Follow queries and attempts through the event."""
        event = stored.event
        match event:
            case ev.Proposed():
                self._numbers.update({query.id: 0 for query in event.queries})
            case ev.Leased():
                for grant in event.attempts:
                    yield from self._lease(stored, grant)
            case ev.Beat():
                for attempt in event.attempts:
                    yield from self._alive(stored, attempt)
            case ev.AttemptExpired() | ev.AttemptUnknown():
                yield from self._lapse(stored, event)
            case ev.Told() | ev.ExtraTold() | ev.ExtraFailed() | ev.AttemptFailed() | ev.Settled():
                yield from self._end(stored, event.attempt, event.query)
        if isinstance(event, ev.Told | ev.DeadLettered | ev.QueryCancelled):
            self._gone.add(event.query)

    def _lapse(self, stored: StoredEvent, event: ev.AttemptExpired | ev.AttemptUnknown) -> Iterator[Violation]:
        """An attempt of unknown outcome goes on to hold its query, until it is settled."""
        yield from self._alive(stored, event.attempt)
        yield from self._end(stored, event.attempt, event.query)
        if isinstance(event, ev.AttemptUnknown):
            self._leased[event.query] = event.attempt

    def _lease(self, stored: StoredEvent, grant: ev.AttemptGrant) -> Iterator[Violation]:
        if grant.query not in self._numbers or grant.query in self._gone:
            yield violation("states", stored, f"a leased query must wait for a label, but got {grant.query!r}.")
        if grant.query in self._leased:
            holder = self._leased[grant.query]
            yield violation("states", stored, f"a query must have one open attempt, but got {holder!r} still open.")
        if grant.attempt in self._attempts:
            yield violation("I8", stored, f"an attempt's id must be new, but got {grant.attempt!r} again.")
        last = self._numbers.get(grant.query, 0)
        if grant.number <= last:
            yield violation(
                "I8", stored, f"tokens of query {grant.query!r} must rise above {last}, but got {grant.number}."
            )
        self._numbers[grant.query] = max(last, grant.number)
        self._attempts[grant.attempt] = grant.query
        self._leased[grant.query] = grant.attempt

    def _alive(self, stored: StoredEvent, attempt: str) -> Iterator[Violation]:
        if attempt not in self._attempts or attempt in self._ended:
            yield violation("states", stored, f"an attempt must be open to go on or lapse, but got {attempt!r}.")

    def _end(self, stored: StoredEvent, attempt: str, query: str) -> Iterator[Violation]:
        if self._attempts.get(attempt) != query:
            yield violation("states", stored, f"an attempt at {query!r} must have been granted, but got {attempt!r}.")
        self._ended.add(attempt)
        if self._leased.get(query) == attempt:
            del self._leased[query]


@dataclass
class LifeCheck:
    """States: nothing is bought by a campaign that is paused, being cancelled, cancelled or finished."""

    _over: str = ""
    _paused: bool = False

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Follow the campaign's life through the event."""
        event = stored.event
        match event:
            case ev.CancelRequested() | ev.Cancelled() | ev.Finished():
                self._over = event.kind
            case ev.Extended():
                self._over = "" if self._over == "finished" else self._over
            case ev.Paused():
                self._paused = True
            case ev.Resumed():
                self._paused = False
            case ev.Leased() if self._over or self._paused:
                yield violation(
                    "states", stored, f"leases must be granted only while running, but got {self._over or 'paused'}."
                )
            case ev.Proposed() if event.queries and self._over in ("cancelled", "finished"):
                yield violation(
                    "states", stored, f"a campaign that is {self._over} must buy nothing, but got a proposal."
                )
