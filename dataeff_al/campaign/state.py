"""What a campaign is at one moment: an immutable value, made by applying its events in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from immutables import Map

from dataeff_al.campaign.line import Line
from dataeff_al.events import (
    SEQUENCES,
    AccountName,
    Created,
    Evaluated,
    Finished,
    GeneratorFitted,
    Paused,
    PoolPrepared,
    Purpose,
    Trained,
    account_of,
)

Role = Literal["main", "reference"]


class QueryStatus(StrEnum):
    """Life of a query: PROPOSED -> LEASED -> LABELLED, or one of the three ways in which it ends without a label."""

    PROPOSED = "proposed"
    LEASED = "leased"
    LABELLED = "labelled"
    OUTCOME_UNKNOWN = "outcome_unknown"
    DEAD_LETTER = "dead_letter"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    """Life of an attempt: GRANTED -> RUNNING -> DONE, or one of the ways in which it fails."""

    GRANTED = "granted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    EXTRA = "extra"


LIVE = frozenset({QueryStatus.PROPOSED, QueryStatus.LEASED, QueryStatus.OUTCOME_UNKNOWN})
OPEN = frozenset({AttemptStatus.GRANTED, AttemptStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class QueryState:
    """One query. While it is live, ``max_cost`` is reserved in its purpose's account.

    ``passed_on``: the labeler that is called left it to those outside.
    """

    id: str
    slot: int
    round: int
    purpose: Purpose
    payload: str
    request: str
    synthesised: bool
    content: str
    provenance: str | None
    max_cost: int
    status: QueryStatus = QueryStatus.PROPOSED
    attempts: int = 0
    label: str | None = None
    cost: int = 0
    work_s: float = 0.0
    cpu_s: float = 0.0
    reason: str = ""
    picture: str | None = None
    passed_on: bool = False

    @property
    def account(self) -> AccountName:
        """The account that pays for it."""
        return account_of(self.purpose)


_ORDER = ("validation", "test", "train", "reference")


def _place(query: QueryState) -> tuple[int, int, str]:
    """Where a query stands: what measures comes first, then what trains."""
    return _ORDER.index(SEQUENCES[query.purpose]), query.slot, query.id


@dataclass(frozen=True, slots=True)
class AttemptState:
    """One try of one labeler at one query. ``cost``: what was booked for it when it failed."""

    id: str
    query: str
    number: int
    deadline: float
    status: AttemptStatus = AttemptStatus.GRANTED
    reason: str = ""
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Integer money in the budget's unit. ``reserved + spent + wasted`` never exceeds ``total``."""

    total: int
    reserved: int = 0
    spent: int = 0
    wasted: int = 0

    @property
    def free(self) -> int:
        """What may still be reserved."""
        return self.total - self.reserved - self.spent - self.wasted

    def told(self, unit: str) -> str:
        """What is gone of it, as people are told: ``30/60 minutes (2 wasted)``."""
        wasted = f" ({self.wasted} wasted)" if self.wasted else ""
        return f"{self.spent}/{self.total} {unit}s{wasted}"


@dataclass(frozen=True, slots=True)
class State:
    """A campaign at one moment. ``n`` counts its events; ``live`` and ``open`` index what is unfinished.

    ``waiting`` holds the proposed queries in the order in which they came, ``handed`` those of them that were passed on
    to people or programs outside; ``unknown`` counts those of unknown outcome;
    ``unanswered`` and ``answered`` count live and labelled queries by ``(purpose, round)``.
    ``proposed`` maps ``(purpose, round)`` to the number of slots given out; a round that found nothing has 0.
    ``asked_at``: when the newest queries were proposed. ``infra_streak``: infrastructure failures since a success.
    ``step_trouble``: why a step failed last.
    """

    id: str
    n: int = 0
    created: Created | None = None
    pool: PoolPrepared | None = None
    generator: GeneratorFitted | None = None
    queries: Map[str, QueryState] = field(default_factory=Map)
    live: Map[str, None] = field(default_factory=Map)
    attempts: Map[str, AttemptState] = field(default_factory=Map)
    open: Map[str, None] = field(default_factory=Map)
    waiting: Line = field(default_factory=Line)
    handed: Line = field(default_factory=Line)
    unknown: int = 0
    unanswered: Map[tuple[Purpose, int], int] = field(default_factory=Map)
    answered: Map[tuple[Purpose, int], int] = field(default_factory=Map)
    proposed: Map[tuple[Purpose, int], int] = field(default_factory=Map)
    refusals: Map[str, int] = field(default_factory=Map)
    regimes: Map[str, str] = field(default_factory=Map)
    asked_at: float = 0.0
    trained: Map[tuple[Role, int], Trained] = field(default_factory=Map)
    evaluated: Map[tuple[Role, int], Evaluated] = field(default_factory=Map)
    accounts: Map[AccountName, Account] = field(default_factory=Map)
    extra: int = 0
    infra_streak: int = 0
    step_failures: Map[str, int] = field(default_factory=Map)
    step_trouble: str = ""
    twins: Map[str, str] = field(default_factory=Map)
    paused: Paused | None = None
    cancelling: bool = False
    cancelled: bool = False
    finished: Finished | None = None

    @property
    def queries_cost(self) -> int:
        """What is reserved for one query."""
        return max(self.created.max_cost, 1) if self.created else 1

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen any more, short of an extension."""
        return self.cancelled or self.finished is not None

    @property
    def status(self) -> str:
        """One word for people: running, paused, cancelling, cancelled, finished."""
        if self.finished:
            return "finished"
        if self.cancelled:
            return "cancelled"
        if self.cancelling:
            return "cancelling"
        return "paused" if self.paused else "running"

    def of(self, *purposes: Purpose) -> Iterator[QueryState]:
        """Queries of these purposes in slot order."""
        found = (query for query in self.queries.values() if query.purpose in purposes)
        return iter(sorted(found, key=_place))

    def next_slot(self, purpose: Purpose) -> int:
        """The first slot that is free for a purpose."""
        sequence = SEQUENCES[purpose]
        return sum(count for (other, _), count in self.proposed.items() if SEQUENCES[other] == sequence)

    def labelled(self, *purposes: Purpose) -> list[QueryState]:
        """Labelled queries of these purposes in slot order: the order in which models train."""
        return [query for query in self.of(*purposes) if query.status is QueryStatus.LABELLED]

    def live_queries(self) -> list[QueryState]:
        """Unfinished queries in slot order."""
        return sorted((self.queries[key] for key in self.live), key=_place)

    def open_attempts(self) -> list[AttemptState]:
        """Attempts that are granted or running, in order of their query's slot."""
        return sorted((self.attempts[key] for key in self.open), key=lambda a: _place(self.queries[a.query]))

    @property
    def round(self) -> int:
        """The newest round in which a query was proposed; -1 before the initial ones."""
        asked = (key for key, count in self.proposed.items() if count and account_of(key[0]) == "queries")
        return max((number for _, number in asked), default=-1)
