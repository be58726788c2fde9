"""Where the time of a campaign went, read from the times at which its events were written."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dataeff_al.campaign.events import Evaluated, GeneratorFitted, Leased, Paused, Proposed, Resumed, Told, Trained
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
class _Span:
    """Labelling as it stood on the wall clock: from the first lease to the last answer, without pauses."""

    began: float | None = None
    ended: float | None = None

    @property
    def seconds(self) -> float:
        return (self.ended or 0.0) - (self.began or 0.0) if self.began and self.ended else 0.0


@dataclass
class Timeline:
    """Rounds and preparation of one campaign in seconds."""

    rounds: dict[int, RoundTimes] = field(default_factory=dict)
    generator_s: float = 0.0
    wall_s: float = 0.0


def timeline(events: Iterable[StoredEvent]) -> Timeline:
    """The timeline of a campaign's events; time between a pause and what follows is nobody's."""
    result, current, span = Timeline(), RoundTimes(), _Span()
    previous, generator = None, 0.0
    for stored in events:
        event = stored.event
        elapsed = 0.0 if previous is None or isinstance(event, Resumed) else max(stored.at - previous, 0.0)
        previous = stored.at
        result.wall_s += elapsed
        current.own += elapsed
        if isinstance(event, Leased) and span.began is None:
            span.began = stored.at
        elif isinstance(event, Told):
            span.ended = stored.at
        elif isinstance(event, Proposed):
            current.propose += event.seconds
        elif isinstance(event, GeneratorFitted):
            generator += event.seconds
            result.generator_s += event.seconds
        elif isinstance(event, Trained) and event.role == "main":
            current.train += event.seconds
        elif isinstance(event, Evaluated) and event.role == "main":
            current.evaluate += event.seconds
            current.label = span.seconds
            spent = current.propose + current.label + current.train + current.evaluate + generator
            current.own = max(current.own - spent, 0.0)
            result.rounds[event.round] = current
            current, span, generator = RoundTimes(), _Span(), 0.0
        elif isinstance(event, Paused):
            span.ended = span.ended or stored.at
    return result
