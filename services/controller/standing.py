"""How campaigns stand: states kept up to date from the record, and what clients are told of them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.state import AttemptState, AttemptStatus, State
from dataeff_al.events import Event, account_of
from dataeff_al.rpc.types import Activity, CampaignInfo, Status, UnknownAttempt
from dataeff_al.stores.protocol import Store

KEPT = 256
MAX_UNKNOWN = 1000


class Standing:
    """States of campaigns as the record has them. Threads share it.

    Whoever writes tells :meth:`grow` of it, so that nobody has to read what has just been written.
    """

    def __init__(self, store: Store) -> None:
        self._store, self.recall = store, Recall(store)
        self._lock = threading.Lock()
        self._known: OrderedDict[str, State] = OrderedDict()
        self._ends: dict[str, int] = {}

    def state(self, campaign: str) -> State:
        """The state after the newest event. Raises NotFoundError."""
        with self._lock:
            known = self._known.get(campaign)
            if known is not None and known.n >= self._ends.get(campaign, known.n + 1):
                self._known.move_to_end(campaign)
                return known
        return self._read(campaign, known)

    def outline(self, campaign: str) -> State:
        """The state, of a campaign that has ended perhaps without its queries: much cheaper. Raises NotFoundError."""
        with self._lock:
            known = campaign in self._known
        return self.state(campaign) if known else self.recall.outline(campaign)

    def created_at(self, campaign: str) -> float:
        """When a campaign was created [s since the epoch]. Raises NotFoundError."""
        return self._store.about(campaign).created_at

    def grow(self, campaign: str, events: Sequence[Event], n: int) -> None:
        """The campaign's log has grown by events and ends at ``n`` now."""
        with self._lock:
            self._ends[campaign] = max(n, self._ends.get(campaign, 0))
            known = self._known.get(campaign)
        if known is None or known.n != n - len(events):
            return
        grown = reduce(apply, events, known)
        with self._lock:
            if self._known.get(campaign) is known:
                self._known[campaign] = grown

    def _read(self, campaign: str, state: State | None) -> State:
        if state is None:
            state = self.recall.state(campaign)
        for stored in self._store.read(campaign, state.n):
            state = apply(state, stored.event)
        with self._lock:
            known = self._known.get(campaign)
            if known is None or known.n <= state.n:
                self._known[campaign] = state
            self._ends[campaign] = max(state.n, self._ends.get(campaign, 0))
            self._known.move_to_end(campaign)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return state


def unknown_attempts(state: State) -> tuple[UnknownAttempt, ...]:
    """Attempts that must be settled, at most :data:`MAX_UNKNOWN` of them."""
    found = [each for each in state.attempts.values() if each.status is AttemptStatus.UNKNOWN]
    return tuple(_unknown(state, each) for each in sorted(found, key=lambda a: a.id)[:MAX_UNKNOWN])


def _unknown(state: State, attempt: AttemptState) -> UnknownAttempt:
    query = state.queries[attempt.query]
    return UnknownAttempt(attempt.id, query.id, query.purpose, query.payload, attempt.reason)


def info_of(
    state: State, created_at: float, activity: Activity, *, problem: str = "", members: tuple[str, ...] = (), full: bool
) -> CampaignInfo:
    """What clients are told of a campaign; ``full`` with its description and what must be settled.

    Without that, an outline of the state is enough.
    """
    created = state.created
    assert created is not None
    rules = rules_of(state)
    newest = max((number for role, number in state.evaluated if role == "main"), default=None)
    validation = state.evaluated[("main", newest)].validation.get(rules.metric) if newest is not None else None
    finished = state.finished
    return CampaignInfo(
        id=state.id,
        name=created.name,
        parent=created.parent or "",
        status=_status(state),
        activity=activity,
        reason=_reason(state),
        outcome=finished.outcome if finished else "",
        problem=problem,
        events=state.n,
        created_at=created_at,
        round=state.round,
        labels=sum(n for (purpose, _), n in state.answered.items() if account_of(purpose) == "queries"),
        unit=str(created.spec["budget"]["unit"]),
        queries=state.accounts["queries"],
        evaluation=state.accounts["evaluation"],
        extra=state.extra,
        metric=rules.metric,
        target=rules.target,
        validation=validation,
        reached=finished.outcome == "reached" if finished and rules.target is not None else None,
        members=members,
        unknown=unknown_attempts(state) if full else (),
        spec_yaml=spec_of(created).to_yaml() if full else "",
    )


def _status(state: State) -> Status:
    found: Status = state.status  # type: ignore[assignment]
    return found


def _reason(state: State) -> str:
    if state.finished is not None:
        return state.finished.reason
    return state.paused.reason if state.paused is not None else ""
