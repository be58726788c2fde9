"""How campaigns stand: states kept up to date from the record, and what clients are told of them."""

import threading
from collections import OrderedDict

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.state import AttemptStatus, State
from dataeff_al.events import Created
from dataeff_al.rpc.types import Activity, CampaignInfo, Status, UnknownAttempt
from dataeff_al.stores.protocol import Store

KEPT = 256
MAX_UNKNOWN = 1000


class Standing:
    """States of campaigns as the record has them. Threads share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[State, float]] = OrderedDict()

    def state(self, campaign: str) -> State:
        """The state after the newest event. Raises NotFoundError."""
        return self._newest(campaign)[0]

    def created_at(self, campaign: str) -> float:
        """When a campaign was created [s since the epoch]. Raises NotFoundError."""
        return self._newest(campaign)[1]

    def _newest(self, campaign: str) -> tuple[State, float]:
        with self._lock:
            state, created_at = self._known.get(campaign, (State(campaign), 0.0))
        for stored in self._store.read(campaign, state.n):
            state = apply(state, stored.event)
            if isinstance(stored.event, Created):
                created_at = stored.at
        with self._lock:
            known = self._known.get(campaign)
            if known is None or known[0].n <= state.n:
                self._known[campaign] = (state, created_at)
            self._known.move_to_end(campaign)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return state, created_at


def unknown_attempts(state: State) -> tuple[UnknownAttempt, ...]:
    """Attempts that must be settled, at most :data:`MAX_UNKNOWN` of them."""
    found = [each for each in state.attempts.values() if each.status is AttemptStatus.UNKNOWN]
    return tuple(UnknownAttempt(each.id, each.query) for each in sorted(found, key=lambda a: a.id)[:MAX_UNKNOWN])


def info_of(
    state: State, created_at: float, activity: Activity, *, problem: str = "", members: tuple[str, ...] = (), full: bool
) -> CampaignInfo:
    """What clients are told of a campaign; ``full`` with its description and what must be settled."""
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
        labels=len(state.labelled("initial", "acquire")),
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
