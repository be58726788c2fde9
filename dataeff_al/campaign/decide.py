"""``decide(state, command, now) -> events``: every rule of the record in one pure place.

A command that the state does not allow raises; a command that changes nothing gives no events, so that a repeated one
is harmless.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.results import step_events
from dataeff_al.campaign.rules import MAX_ATTEMPTS, MAX_INFRA_STREAK, MOST_COST
from dataeff_al.campaign.state import AttemptState, AttemptStatus, QueryState, QueryStatus, State
from dataeff_al.digests import digest_json
from dataeff_al.errors import BudgetError, NotFoundError, StateError

Events = Sequence[ev.Event]


def decide(state: State, command: cmd.Command, now: float) -> Events:
    """The events that a command leads to.

    Raises StateError when the state does not allow it, BudgetError when the budget does not, NotFoundError for an
    unknown query or attempt.
    """
    return _HANDLERS[type(command)](state, command, now)


def attempt_id(query: str, number: int) -> str:
    """An attempt's id: unique per query and try, and the idempotency key that labelers are given."""
    return digest_json(["attempt", query, number])[:32]


_ANSWERED = (AttemptStatus.DONE, AttemptStatus.EXTRA)


def _attempt(state: State, key: str) -> tuple[AttemptState, QueryState]:
    if key not in state.attempts:
        raise NotFoundError(f"an attempt must belong to campaign {state.id!r}, but got {key!r}.")
    attempt = state.attempts[key]
    return attempt, state.queries[attempt.query]


def _step_done(state: State, command: cmd.StepDone, now: float) -> Events:
    """What a step found; too late it is nothing, and a campaign that is being cancelled buys nothing more."""
    if state.terminal:
        return []
    events = step_events(state, command, now)
    proposed = [event for event in events if isinstance(event, ev.Proposed)]
    if state.cancelling and proposed:
        return []
    for event in proposed:
        account = state.accounts[ev.account_of(event.purpose)]
        if event.max_cost * len(event.queries) > account.free:
            raise BudgetError(
                f"reserved, spent and wasted {ev.account_of(event.purpose)} must stay within {account.total}, but got "
                f"a proposal of {len(event.queries)} more at up to {event.max_cost} each."
            )
    return events


def _step_error(state: State, command: cmd.StepError, _: float) -> Events:
    if state.terminal:
        return []
    failed = ev.StepFailed(key=command.key, method=command.method, failure=command.failure, reason=command.reason)
    if command.failure == "error" and state.status == "running":
        return [failed, ev.Paused(cause="error", reason=command.reason)]
    return [failed]


def _lease_s(state: State) -> float:
    assert state.created is not None
    return state.created.lease_s


def _grant(state: State, command: cmd.GrantAttempts, now: float) -> Events:
    if state.paused or state.cancelling or state.terminal:
        raise StateError(f"queries are leased only while a campaign runs, but got a campaign that is {state.status}.")
    deadline = now + (command.lease_s or _lease_s(state))
    grants = []
    for key in dict.fromkeys(command.queries):
        if key not in state.queries:
            raise NotFoundError(f"a query must belong to campaign {state.id!r}, but got {key!r}.")
        query = state.queries[key]
        if query.status is not QueryStatus.PROPOSED:
            raise StateError(f"a query must be waiting to be leased, but got one that is {query.status.value}.")
        number = query.attempts + 1
        grants.append(ev.AttemptGrant(attempt=attempt_id(key, number), query=key, number=number, deadline=deadline))
    return [ev.Leased(attempts=tuple(grants))] if grants else []


def _check_cost(cost: int) -> None:
    if not 0 <= cost <= MOST_COST:
        raise BudgetError(f"a cost must be 0 to {MOST_COST}, but got {cost!r}.")


def _unpaid(attempt: AttemptState, cost: int) -> int:
    """What of a late answer's cost was not booked when its attempt failed, so that nothing is charged twice."""
    return max(cost - attempt.cost, 0)


def _tell(state: State, command: cmd.Tell, _: float) -> Events:
    attempt, query = _attempt(state, command.attempt)
    _check_cost(command.label.cost)
    if attempt.status in _ANSWERED:
        return []
    label = command.label.model_copy(update={"cost": _unpaid(attempt, command.label.cost)})
    body = {"attempt": attempt.id, "query": query.id, "label": label}
    if query.id in state.live:
        return [ev.Told(**body)]
    return [ev.ExtraTold(**body)]


def _fail(state: State, command: cmd.Fail, _: float) -> Events:
    attempt, query = _attempt(state, command.attempt)
    _check_cost(command.cost)
    if attempt.status in _ANSWERED:
        return []
    holds = attempt.id in state.open or attempt.status is AttemptStatus.UNKNOWN
    body = {"attempt": attempt.id, "query": query.id, "failure": command.failure, "reason": command.reason}
    if holds and query.id in state.live:
        give_up = command.failure == "refused" or (command.request is None and _was_last(attempt, query))
        failed = ev.AttemptFailed(**body, cost=command.cost, picture=command.picture, request=command.request)
        return _after_failure(state, failed, query, command.reason, give_up)
    unpaid = _unpaid(attempt, command.cost)
    if unpaid:
        return [ev.ExtraFailed(**body, cost=unpaid)]
    return [ev.AttemptFailed(**body)] if holds else []


def _was_last(attempt: AttemptState, query: QueryState) -> bool:
    """Whether nobody tries again. What was passed on had an attempt more, before anybody was asked."""
    return attempt.number >= MAX_ATTEMPTS + query.passed_on


def _after_failure(state: State, failed: ev.AttemptFailed, query: QueryState, reason: str, give_up: bool) -> Events:
    """A failed try whose cost no longer leaves room for another one ends its query, so that the budget holds."""
    within = min(failed.cost, query.max_cost)
    dead = ev.DeadLettered(query=query.id, reason=reason)
    if within > state.accounts[query.account].free:
        events: list[ev.Event] = [dead, failed]
    else:
        events = [failed, dead] if give_up else [failed]
    return [*events, *_too_many_failures(state, events)]


def _too_many_failures(state: State, events: Events) -> Events:
    after = state
    for event in events:
        after = apply(after, event)
    if after.infra_streak >= MAX_INFRA_STREAK and state.status == "running":
        reason = f"{after.infra_streak} infrastructure failures in a row, the last: {_last_reason(events)}"
        return [ev.Paused(cause="infra", reason=reason)]
    return []


def _last_reason(events: Events) -> str:
    return next(event.reason for event in reversed(events) if isinstance(event, ev.AttemptFailed))


def _lose(state: State, command: cmd.Lose, _: float) -> Events:
    attempt, query = _attempt(state, command.attempt)
    if attempt.id not in state.open:
        return []
    return [ev.AttemptUnknown(attempt=attempt.id, query=query.id, reason=command.reason)]


def _renew(state: State, command: cmd.Renew, now: float) -> Events:
    alive = tuple(key for key in dict.fromkeys(command.attempts) if key in state.open)
    return [ev.Beat(attempts=alive, deadline=now + (command.lease_s or _lease_s(state)))] if alive else []


def _expire(state: State, command: cmd.Expire, now: float) -> Events:
    events: list[ev.Event] = []
    for key in dict.fromkeys(command.attempts):
        attempt, query = _attempt(state, key)
        if key not in state.open or attempt.deadline > now:
            continue
        events.append(ev.AttemptExpired(attempt=key, query=query.id))
        if _was_last(attempt, query) and query.id in state.live:
            events.append(ev.DeadLettered(query=query.id, reason="the deadline passed"))
    return events


def _settle(state: State, command: cmd.Settle, _: float) -> Events:
    attempt, query = _attempt(state, command.attempt)
    if attempt.status is not AttemptStatus.UNKNOWN:
        raise StateError(f"only an attempt of unknown outcome can be settled, but got one that is {attempt.status}.")
    cost = query.max_cost if command.verdict == "wasted" else 0
    reason = f"settled as {command.verdict}"
    if query.id not in state.live:
        settled = ev.Settled(attempt=attempt.id, query=query.id, verdict=command.verdict)
        late = ev.ExtraFailed(attempt=attempt.id, query=query.id, failure="infra", reason=reason, cost=cost)
        return [settled, late] if cost else [settled]
    settled = ev.Settled(attempt=attempt.id, query=query.id, verdict=command.verdict, cost=cost)
    dead = ev.DeadLettered(query=query.id, reason=reason)
    if cost > state.accounts[query.account].free:
        return [dead, settled]
    return [settled, dead] if _was_last(attempt, query) else [settled]


def _withdraw(state: State, command: cmd.Withdraw, _: float) -> Events:
    return [ev.QueryCancelled(query=key) for key in dict.fromkeys(command.queries) if key in state.live]


def _add_twin(state: State, command: cmd.AddTwin, _: float) -> Events:
    return [] if command.name in state.twins else [ev.TwinSpawned(child=command.child, name=command.name)]


def _conclude(state: State, command: cmd.Conclude, _: float) -> Events:
    if state.live:
        raise StateError(f"only a campaign without open queries can end, but got {len(state.live)} of them.")
    if state.terminal:
        return []
    if state.status != "running":
        raise StateError(f"only a running campaign can end, but got one that is {state.status}.")
    return [ev.Finished(outcome=command.outcome, reason=command.reason)]


def _pause(state: State, command: cmd.Pause, _: float) -> Events:
    if state.terminal or state.cancelling:
        raise StateError(f"only a running campaign can be paused, but got one that is {state.status}.")
    return [] if state.paused else [ev.Paused(cause=command.cause, reason=command.reason)]


def _resume(state: State, _command: cmd.Resume, _: float) -> Events:
    if state.terminal or state.cancelling:
        raise StateError(f"only a paused campaign can be resumed, but got one that is {state.status}.")
    return [ev.Resumed()] if state.paused else []


def _cancel(state: State, command: cmd.Cancel, _: float) -> Events:
    if state.finished:
        raise StateError("only an unfinished campaign can be cancelled, but got one that is finished.")
    if state.cancelled or state.cancelling:
        return []
    waiting = [query.id for query in state.live_queries() if query.status is not QueryStatus.LEASED]
    released = [ev.QueryCancelled(query=key) for key in waiting]
    return [ev.CancelRequested(reason=command.reason), *released]


def _confirm_cancel(state: State, _command: cmd.ConfirmCancel, _: float) -> Events:
    if not state.cancelling:
        return []
    return [*(ev.QueryCancelled(query=query.id) for query in state.live_queries()), ev.Cancelled()]


def _extend(state: State, command: cmd.Extend, _: float) -> Events:
    if command.amount < 1:
        raise BudgetError(f"a budget must grow by at least 1, but got {command.amount!r}.")
    if state.cancelled or state.cancelling:
        raise StateError(f"a cancelled campaign cannot be extended, but got one that is {state.status}.")
    return [ev.Extended(amount=command.amount)]


_HANDLERS: dict[type, Callable[[State, Any, float], Events]] = {
    cmd.StepDone: _step_done,
    cmd.StepError: _step_error,
    cmd.GrantAttempts: _grant,
    cmd.Tell: _tell,
    cmd.Fail: _fail,
    cmd.Lose: _lose,
    cmd.Renew: _renew,
    cmd.Expire: _expire,
    cmd.Settle: _settle,
    cmd.Withdraw: _withdraw,
    cmd.AddTwin: _add_twin,
    cmd.Conclude: _conclude,
    cmd.Pause: _pause,
    cmd.Resume: _resume,
    cmd.Cancel: _cancel,
    cmd.ConfirmCancel: _confirm_cancel,
    cmd.Extend: _extend,
}
