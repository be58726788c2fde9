"""``apply(state, event) -> state``: the only way in which a campaign's state changes. Pure; never refuses."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from immutables import Map

from dataeff_al import events as ev
from dataeff_al.campaign.state import (
    LIVE,
    OPEN,
    Account,
    AttemptState,
    AttemptStatus,
    QueryState,
    QueryStatus,
    State,
)


def apply(state: State, event: ev.Event) -> State:
    """The state after the event."""
    return replace(_HANDLERS[type(event)](state, event), n=state.n + 1)


def replay(campaign: str, events: Iterable[ev.Event]) -> State:
    """The state after all events, from nothing."""
    state = State(id=campaign)
    for event in events:
        state = apply(state, event)
    return state


def _with_query(state: State, query: QueryState) -> State:
    """The state with the query as it is now, and every index of queries kept in step."""
    before = state.queries.get(query.id)
    old, new = before.status if before else None, query.status
    if old is new:
        return replace(state, queries=state.queries.set(query.id, query))
    key, live, unanswered, answered = (query.purpose, query.round), state.live, state.unanswered, state.answered
    if (new in LIVE) != (old in LIVE):
        live = live.set(query.id, None) if new in LIVE else live.delete(query.id)
        unanswered = _counted(unanswered, key, 1 if new in LIVE else -1)
    if new is QueryStatus.LABELLED:
        answered = _counted(answered, key, 1)
    waits = new is QueryStatus.PROPOSED
    waiting, handed = state.waiting.leave(query.id), state.handed.leave(query.id)
    if waits and query.passed_on:
        handed = state.handed.join(query.id)
    elif waits:
        waiting = state.waiting.join(query.id)
    return replace(
        state,
        queries=state.queries.set(query.id, query),
        live=live,
        waiting=waiting,
        handed=handed,
        unknown=state.unknown + (new is QueryStatus.OUTCOME_UNKNOWN) - (old is QueryStatus.OUTCOME_UNKNOWN),
        unanswered=unanswered,
        answered=answered,
    )


def _counted(counts: Map, key: Any, change: int) -> Map:
    return counts.set(key, counts.get(key, 0) + change)


def _with_attempt(state: State, attempt: AttemptState) -> State:
    still_open = state.open.set(attempt.id, None) if attempt.status in OPEN else state.open
    if attempt.status not in OPEN and attempt.id in state.open:
        still_open = state.open.delete(attempt.id)
    return replace(state, attempts=state.attempts.set(attempt.id, attempt), open=still_open)


def _end_attempt(state: State, attempt_id: str, status: AttemptStatus, reason: str = "", cost: int = 0) -> State:
    attempt = state.attempts[attempt_id]
    return _with_attempt(state, replace(attempt, status=status, reason=reason, cost=attempt.cost + cost))


def _book(state: State, query: QueryState, *, reserved: int = 0, spent: int = 0, wasted: int = 0) -> State:
    account = state.accounts[query.account]
    booked = Account(account.total, account.reserved + reserved, account.spent + spent, account.wasted + wasted)
    return replace(state, accounts=state.accounts.set(query.account, booked))


def _created(state: State, event: ev.Created) -> State:
    budget = Account(total=int(event.spec["budget"]["total"]))
    accounts: Map = Map(queries=budget, evaluation=Account(total=0))
    return replace(state, created=event, accounts=accounts)


def _pool_prepared(state: State, event: ev.PoolPrepared) -> State:
    account = replace(state.accounts["evaluation"], total=event.evaluation_budget)
    return replace(state, pool=event, accounts=state.accounts.set("evaluation", account))


def _generator_fitted(state: State, event: ev.GeneratorFitted) -> State:
    return replace(state, generator=event)


def _new_query(record: ev.QueryRecord, purpose: ev.Purpose, number: int, max_cost: int) -> QueryState:
    return QueryState(
        id=record.id,
        slot=record.slot,
        round=number,
        purpose=purpose,
        payload=record.payload,
        request=record.request,
        synthesised=record.synthesised,
        content=record.content,
        provenance=record.provenance,
        max_cost=max_cost,
    )


def _proposed(state: State, event: ev.Proposed) -> State:
    """All queries at once, because there may be very many."""
    new = [_new_query(record, event.purpose, event.round, event.max_cost) for record in event.queries]
    key, names = (event.purpose, event.round), [query.id for query in new]
    if new:
        state = _book(state, new[0], reserved=event.max_cost * len(new))
    return replace(
        state,
        queries=state.queries.update({query.id: query for query in new}),
        live=state.live.update(dict.fromkeys(names)),
        waiting=state.waiting.join_all(names),
        unanswered=_counted(state.unanswered, key, len(new)),
        proposed=state.proposed.set(key, len(new)),
        refusals=state.refusals.update(
            {reason: state.refusals.get(reason, 0) + count for reason, count in event.refusals.items()}
        ),
        regimes=state.regimes.update(_regimes(event)),
        asked_at=event.at,
    )


def _regimes(event: ev.Proposed) -> dict[str, str]:
    """Which strategy chose, where a sampler has several, by round."""
    return {str(event.round): "+".join(sorted(event.regimes))} if event.regimes and event.purpose == "acquire" else {}


def _inherited(state: State, event: ev.Inherited) -> State:
    for item in event.labels:
        query = _new_query(item.query, item.purpose, 0, item.label.cost)
        query = _answered(query, item.label, item.label.cost)
        state = _book(_with_query(state, query), query, spent=query.cost)
        state = _given_out(state, item.purpose, item.query.slot + 1)
    for purpose, slots in event.slots.items():
        state = _given_out(state, purpose, slots)
    return state


def _given_out(state: State, purpose: ev.Purpose, slots: int) -> State:
    """At least so many slots of a purpose are taken, so that no later query gets one of them."""
    most = max(state.proposed.get((purpose, 0), 0), slots)
    return replace(state, proposed=state.proposed.set((purpose, 0), most))


def _leased(state: State, event: ev.Leased) -> State:
    for grant in event.attempts:
        query = state.queries[grant.query]
        attempt = AttemptState(grant.attempt, grant.query, grant.number, grant.deadline)
        state = _with_attempt(state, attempt)
        state = _with_query(state, replace(query, status=QueryStatus.LEASED, attempts=grant.number))
    return state


def _beat(state: State, event: ev.Beat) -> State:
    for key in event.attempts:
        running = replace(state.attempts[key], status=AttemptStatus.RUNNING, deadline=event.deadline)
        state = _with_attempt(state, running)
    return state


def _answered(query: QueryState, label: ev.LabelRecord, cost: int) -> QueryState:
    return replace(
        query,
        status=QueryStatus.LABELLED,
        label=label.label,
        cost=cost,
        work_s=label.work_s,
        cpu_s=label.cpu_s,
        picture=label.picture or (query.picture if query.passed_on else None),
    )


def _told(state: State, event: ev.Told) -> State:
    query = state.queries[event.query]
    within = min(event.label.cost, query.max_cost)
    state = _end_attempt(state, event.attempt, AttemptStatus.DONE)
    state = _with_query(state, _answered(query, event.label, within))
    state = _book(state, query, reserved=-query.max_cost, spent=within)
    return replace(state, infra_streak=0, extra=state.extra + event.label.cost - within)


def _extra_told(state: State, event: ev.ExtraTold) -> State:
    state = _end_attempt(state, event.attempt, AttemptStatus.EXTRA)
    return replace(state, extra=state.extra + event.label.cost)


def _extra_failed(state: State, event: ev.ExtraFailed) -> State:
    state = _end_attempt(state, event.attempt, AttemptStatus.EXTRA, event.reason)
    return replace(state, extra=state.extra + event.cost)


def _back_to_queue(state: State, query: QueryState, reason: str) -> State:
    if query.status not in (QueryStatus.LEASED, QueryStatus.OUTCOME_UNKNOWN):
        return state
    return _with_query(state, replace(query, status=QueryStatus.PROPOSED, reason=reason))


def _attempt_failed(state: State, event: ev.AttemptFailed) -> State:
    query = replace(state.queries[event.query], picture=event.picture)
    if event.request is not None:
        query = replace(query, request=event.request, passed_on=True)
    within = min(event.cost, query.max_cost)
    state = _end_attempt(state, event.attempt, AttemptStatus.FAILED, event.reason, event.cost)
    state = _book(_back_to_queue(state, query, event.reason), query, wasted=within)
    streak = state.infra_streak + 1 if event.failure == "infra" else 0
    return replace(state, infra_streak=streak, extra=state.extra + event.cost - within)


def _attempt_expired(state: State, event: ev.AttemptExpired) -> State:
    state = _end_attempt(state, event.attempt, AttemptStatus.EXPIRED, "the deadline passed")
    return _back_to_queue(state, state.queries[event.query], "the deadline passed")


def _attempt_unknown(state: State, event: ev.AttemptUnknown) -> State:
    """A query that was withdrawn, or answered by another attempt, stays what it is."""
    state, query = _end_attempt(state, event.attempt, AttemptStatus.UNKNOWN, event.reason), state.queries[event.query]
    if query.status is not QueryStatus.LEASED:
        return state
    return _with_query(state, replace(query, status=QueryStatus.OUTCOME_UNKNOWN, reason=event.reason))


def _settled(state: State, event: ev.Settled) -> State:
    query = state.queries[event.query]
    state = _end_attempt(state, event.attempt, AttemptStatus.FAILED, f"settled as {event.verdict}", event.cost)
    within = min(event.cost, query.max_cost)
    state = _book(_back_to_queue(state, query, f"settled as {event.verdict}"), query, wasted=within)
    return replace(state, extra=state.extra + event.cost - within)


def _released(state: State, query_id: str, status: QueryStatus, reason: str) -> State:
    query = state.queries[query_id]
    state = _with_query(state, replace(query, status=status, reason=reason))
    return _book(state, query, reserved=-query.max_cost)


def _dead_lettered(state: State, event: ev.DeadLettered) -> State:
    return _released(state, event.query, QueryStatus.DEAD_LETTER, event.reason)


def _query_cancelled(state: State, event: ev.QueryCancelled) -> State:
    return _released(state, event.query, QueryStatus.CANCELLED, "cancelled")


def _trained(state: State, event: ev.Trained) -> State:
    return replace(state, trained=state.trained.set((event.role, event.round), event))


def _evaluated(state: State, event: ev.Evaluated) -> State:
    return replace(state, evaluated=state.evaluated.set((event.role, event.round), event))


def _step_failed(state: State, event: ev.StepFailed) -> State:
    failures = state.step_failures.get(event.key, 0) + 1
    return replace(state, step_failures=state.step_failures.set(event.key, failures), step_trouble=event.reason)


def _twin_spawned(state: State, event: ev.TwinSpawned) -> State:
    return replace(state, twins=state.twins.set(event.name, event.child))


def _paused(state: State, event: ev.Paused) -> State:
    return replace(state, paused=event)


def _resumed(state: State, _: ev.Resumed) -> State:
    return replace(state, paused=None, infra_streak=0, step_failures=Map())


def _cancel_requested(state: State, _: ev.CancelRequested) -> State:
    return replace(state, cancelling=True, paused=None)


def _cancelled(state: State, _: ev.Cancelled) -> State:
    return replace(state, cancelled=True, cancelling=False)


def _extended(state: State, event: ev.Extended) -> State:
    account = state.accounts["queries"]
    grown = replace(account, total=account.total + event.amount)
    return replace(state, accounts=state.accounts.set("queries", grown), finished=None)


def _finished(state: State, event: ev.Finished) -> State:
    return replace(state, finished=event)


_HANDLERS: dict[type, Callable[[State, Any], State]] = {
    ev.Created: _created,
    ev.PoolPrepared: _pool_prepared,
    ev.GeneratorFitted: _generator_fitted,
    ev.Proposed: _proposed,
    ev.Inherited: _inherited,
    ev.Leased: _leased,
    ev.Beat: _beat,
    ev.Told: _told,
    ev.ExtraTold: _extra_told,
    ev.ExtraFailed: _extra_failed,
    ev.AttemptFailed: _attempt_failed,
    ev.AttemptExpired: _attempt_expired,
    ev.AttemptUnknown: _attempt_unknown,
    ev.Settled: _settled,
    ev.DeadLettered: _dead_lettered,
    ev.QueryCancelled: _query_cancelled,
    ev.Trained: _trained,
    ev.Evaluated: _evaluated,
    ev.StepFailed: _step_failed,
    ev.TwinSpawned: _twin_spawned,
    ev.Paused: _paused,
    ev.Resumed: _resumed,
    ev.CancelRequested: _cancel_requested,
    ev.Cancelled: _cancelled,
    ev.Extended: _extended,
    ev.Finished: _finished,
}
