"""A campaign's state and its log, moved together: decide, append, apply. Nobody else writes a campaign's events."""

import time
from collections.abc import Callable, Sequence

from dataeff_al.campaign.apply import apply, replay
from dataeff_al.campaign.commands import Command
from dataeff_al.campaign.decide import decide
from dataeff_al.campaign.state import State
from dataeff_al.errors import ConflictError
from dataeff_al.events import Created, Event
from dataeff_al.stores.protocol import RequestKey, Store

Clock = Callable[[], float]


class Ledger:
    """One campaign in one store.

    ``state`` is what the log says; a command is answered only after its events are durable. Whoever knows the newest
    state gives it, so that the log need not be read.
    """

    def __init__(self, store: Store, campaign: str, clock: Clock = time.time, state: State | None = None) -> None:
        self._store, self._clock = store, clock
        self.state = state or replay(campaign, (stored.event for stored in store.read(campaign)))

    @classmethod
    def create(cls, store: Store, campaign: str, events: Sequence[Event], clock: Clock = time.time) -> "Ledger":
        """A new campaign that begins with these events; one that begins with the same description is opened.

        Raises ConflictError when the store holds another campaign under this id.
        """
        created = events[0]
        assert isinstance(created, Created)
        if campaign in store.campaigns():
            return cls(store, campaign, clock).check(created.spec_digest)
        store.append(campaign, events, 0, store.epoch)
        return cls(store, campaign, clock)

    def check(self, spec_digest: str) -> "Ledger":
        """Itself, when it is the ledger of the campaign so described. Raises ConflictError."""
        found = self.state.created
        if found is None or found.spec_digest != spec_digest:
            name = found.name if found else self.state.id
            raise ConflictError(
                f"the record must hold the campaign {name!r} as it is described now, but got another "
                "description under that name; choose another folder or name."
            )
        return self

    @property
    def now(self) -> float:
        """The ledger's time [s since the epoch]."""
        return self._clock()

    def execute(self, command: Command, request: RequestKey | None = None) -> Sequence[Event]:
        """Decide, write, apply. Raises what ``decide`` and the store raise; then nothing has changed."""
        return self.execute_all([command], request)

    def execute_all(self, commands: Sequence[Command], request: RequestKey | None = None) -> Sequence[Event]:
        """Several commands in one transaction; a request that was answered before changes nothing."""
        if request is not None and self._store.committed(self.state.id, request):
            return []
        state, events = self.state, list[Event]()
        for command in commands:
            for event in decide(state, command, self._clock()):
                state = apply(state, event)
                events.append(event)
        if events or request is not None:
            self._store.append(self.state.id, events, self.state.n, self._store.epoch, request)
            self.state = state
        return events
