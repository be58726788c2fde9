"""What a check is: it is shown the events of one campaign in order, and says what is wrong with each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dataeff_al.stores.protocol import StoredEvent


@dataclass(frozen=True)
class Violation:
    """A broken rule: the invariant's name (``I1`` to ``I9``, or ``states``), where it shows, and one sentence."""

    invariant: str
    campaign: str
    n: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.campaign}#{self.n}: {self.sentence}"


class Check(Protocol):
    """One invariant, or a few that share a replay."""

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """What is wrong with the next event; must be run to its end."""


def violation(invariant: str, stored: StoredEvent, sentence: str) -> Violation:
    """A violation that shows at an event."""
    return Violation(invariant, stored.campaign, stored.n, sentence)


def violations(check: Check, events: Iterable[StoredEvent]) -> list[Violation]:
    """Everything that a check finds in a campaign's events."""
    return [found for stored in events for found in check.see(stored)]
