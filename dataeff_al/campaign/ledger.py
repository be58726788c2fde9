"""A campaign's state and its log, moved together: decide, append, apply. Nobody else writes a campaign's events."""

import time
from collections.abc import Callable, Sequence
from functools import reduce

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.commands import Command
from dataeff_al.campaign.decide import decide
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.state import State
from dataeff_al.errors import ConflictError, DataeffError
from dataeff_al.events import Created, Event
from dataeff_al.failpoints import reached_commit
from dataeff_al.stores.chain import repeated
from dataeff_al.stores.protocol import Mark, RequestKey, Store

Clock = Callable[[], float]
Wanted = tuple[Command, RequestKey | None]
Answer = Sequence[Event] | DataeffError


class Ledger:
    """One campaign in one store.

    ``state`` is what the log says; a command is answered only after its events are durable. Whoever knows the newest
    state gives it, so that the log need not be read. Ledgers that share ``recall`` keep cheaper snapshots.
    """

    def __init__(
        self,
        store: Store,
        campaign: str,
        clock: Clock = time.time,
        state: State | None = None,
        recall: Recall | None = None,
    ) -> None:
        self._store, self._clock, self._recall = store, clock, recall or Recall(store)
        self.state = state or self._recall.state(campaign)

    @classmethod
    def create(
        cls,
        store: Store,
        campaign: str,
        events: Sequence[Event],
        clock: Clock = time.time,
        recall: Recall | None = None,
    ) -> "Ledger":
        """A new campaign that begins with these events; one that begins with the same description is opened.

        Raises ConflictError when the store holds another campaign under this id.
        """
        created = events[0]
        assert isinstance(created, Created)
        if campaign in store.campaigns():
            return cls(store, campaign, clock, recall=recall).check(created.spec_digest)
        _commit(store, campaign, events, 0)
        return cls(store, campaign, clock, recall=recall)

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
            _commit(self._store, self.state.id, events, self.state.n, request)
            self._move_to(state)
        return events

    def execute_each(self, asked: Sequence[Wanted]) -> list[Answer]:
        """What several callers want, in one transaction: each gets the events of its own command, or its refusal.

        Raises what the store raises; then nothing has changed for any of them.
        """
        try:
            return self._execute_each(asked, look_first=False)
        except ConflictError:
            # A request that was answered before is rare: only then is each looked up beforehand.
            return self._execute_each(asked, look_first=True)

    def _execute_each(self, asked: Sequence[Wanted], *, look_first: bool) -> list[Answer]:
        state, written, marks = self.state, list[Event](), list[Mark]()
        answers: list[Answer] = []
        for command, request in asked:
            try:
                known = request is not None and self._is_known(request, marks, look_first=look_first)
                events = [] if known else decide(state, command, self._clock())
            except DataeffError as error:
                answers.append(self._refusal(error, request))
                continue
            answers.append(events)
            written.extend(events)
            state = reduce(apply, events, state)
            if request is not None and not known:
                marks.append(Mark(request, state.n))
        if written or marks:
            _commit(self._store, self.state.id, written, self.state.n, marks=marks)
            self._move_to(state)
        return answers

    def _move_to(self, state: State) -> None:
        self.state = state
        self._recall.follow(state)

    def _is_known(self, request: RequestKey, marks: Sequence[Mark], *, look_first: bool) -> bool:
        """Whether a request was answered before, or is by what is about to be written. Raises ConflictError."""
        for mark in marks:
            if mark.request.id == request.id:
                return repeated(request, mark.request.digest, mark.n).replayed
        return look_first and self._store.committed(self.state.id, request) is not None

    def _refusal(self, error: DataeffError, request: RequestKey | None) -> Answer:
        """What was answered before is not refused, whatever has changed since."""
        try:
            return [] if request is not None and self._store.committed(self.state.id, request) else error
        except DataeffError as conflict:
            return conflict


def _commit(
    store: Store,
    campaign: str,
    events: Sequence[Event],
    end: int,
    request: RequestKey | None = None,
    marks: Sequence[Mark] = (),
) -> None:
    """The one place in which a campaign's events are written; what they are names the points around it."""
    kinds = [event.kind for event in events]
    reached_commit(kinds, "before")
    store.append(campaign, events, end, store.epoch, request, marks)
    reached_commit(kinds, "after")
