"""Following a campaign from its events alone: states are made here by replaying what the controller sends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.state import State
from dataeff_al.events import Event
from dataeff_al.rpc.types import WatchedEvent

Observe = Callable[[State, Sequence[Event]], None]


class Watchable(Protocol):
    """Where events come from: a client, or a run's folder."""

    def watch(self, campaign: str, after: Mapping[str, int] | None = None, *, until_idle: bool = False) -> "Events":
        """Events as they come."""


class Events(Protocol):
    """Events one after the other."""

    def __iter__(self) -> "Events":
        """Itself."""

    def __next__(self) -> WatchedEvent:
        """The next one."""


@dataclass
class EventClock:
    """The time at which the newest event was written [s since the epoch]."""

    now: float = 0.0

    def __call__(self) -> float:
        """That time."""
        return self.now


def follow(
    source: Watchable,
    campaign: str,
    observe: Observe,
    clock: EventClock,
    known: Mapping[str, int] | None = None,
    *,
    until_idle: bool = False,
) -> list[State]:
    """The states of a campaign and its family in order of creation, once nothing more comes.

    ``observe`` is told of every event but the first ``known`` ones of a campaign.
    """
    states: dict[str, State] = {}
    for watched in source.watch(campaign, until_idle=until_idle):
        clock.now = watched.at
        state = apply(states.get(watched.campaign, State(watched.campaign)), watched.event)
        states[watched.campaign] = state
        if watched.n > (known or {}).get(watched.campaign, 0):
            observe(state, [watched.event])
    return list(states.values())
