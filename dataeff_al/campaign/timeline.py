"""Where the time of a campaign went, read from the times at which its events were written."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dataeff_al.events import (
    Evaluated,
    ExtraTold,
    GeneratorFitted,
    Inherited,
    Leased,
    PoolPrepared,
    Proposed,
    Resumed,
    Told,
    Trained,
)
from dataeff_al.stores.protocol import StoredEvent

PHASES = ("propose", "label", "train", "evaluate", "own")


@dataclass
class RoundTimes:
    """Seconds of one round by phase. ``own`` is what no phase explains: waiting, writing, reading."""

    propose: float = 0.0
    label: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0
    own: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """The phases by name, rounded to a millisecond."""
        return {phase: round(getattr(self, phase), 3) for phase in PHASES}


@dataclass
class Timeline:
    """Rounds and preparation of one campaign in seconds; ``wall_s`` is the time in which somebody drove it."""

    rounds: dict[int, RoundTimes] = field(default_factory=dict)
    pool_s: float = 0.0
    generator_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class _Round:
    """One round as it goes by. Labelling lasts from the first lease to the last answer."""

    times: RoundTimes = field(default_factory=RoundTimes)
    elapsed: float = 0.0
    beside: float = 0.0
    leased_at: float | None = None
    told_at: float = 0.0

    def done(self) -> RoundTimes:
        times = self.times
        times.label = 0.0 if self.leased_at is None else max(self.told_at - self.leased_at, 0.0)
        spent = times.propose + times.label + times.train + times.evaluate + self.beside
        times.own = max(self.elapsed - spent, 0.0)
        return times


def timeline(events: Iterable[StoredEvent]) -> Timeline:
    """The timeline of a campaign's events.

    The clock stands still while nobody drives: between a pause and what resumes it, and from the last event of one
    controller to the first of the next; and while a twin that has taken over its first labels waits for its turn.
    """
    result, current = Timeline(), _Round()
    previous: StoredEvent | None = None
    for stored in events:
        rests = previous is None or isinstance(stored.event, Resumed) or stored.epoch != previous.epoch
        elapsed = 0.0 if rests or previous is None else max(stored.at - previous.at, 0.0)
        if previous is not None and isinstance(previous.event, Inherited):
            elapsed = min(elapsed, getattr(stored.event, "seconds", 0.0))
        previous = stored
        result.wall_s += elapsed
        current.elapsed += elapsed
        _note(result, current, stored)
        if isinstance(stored.event, Evaluated) and stored.event.role == "main":
            result.rounds[stored.event.round] = current.done()
            current = _Round()
    return result


def _note(result: Timeline, current: _Round, stored: StoredEvent) -> None:
    match stored.event:
        case Leased():
            current.leased_at = result.wall_s if current.leased_at is None else current.leased_at
        case Told() | ExtraTold():
            current.told_at = result.wall_s
        case Proposed() as event:
            current.times.propose += event.seconds
        case PoolPrepared() as event:
            result.pool_s += event.seconds
            current.beside += event.seconds
        case GeneratorFitted() as event:
            result.generator_s += event.seconds
            current.beside += event.seconds
        case Trained(role="main") as event:
            current.times.train += event.seconds
        case Evaluated(role="main") as event:
            current.times.evaluate += event.seconds
