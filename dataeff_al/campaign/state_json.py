"""A campaign's state as JSON and back, in a head and blocks of queries with their attempts.

A block holds the queries of :data:`BLOCK` neighbouring slots. Most of a long campaign never changes again, so that a
newer snapshot of it writes the head and the few blocks that have changed. Indexes are not written: they follow from the
queries. Order within mappings survives, so that nothing that is made of the state can tell it from a replayed one.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from immutables import Map

from dataeff_al import events as ev
from dataeff_al.campaign.line import Line
from dataeff_al.campaign.state import LIVE, OPEN, Account, AttemptState, AttemptStatus, QueryState, QueryStatus, State

VERSION = 1
"""Raised when ``apply`` comes to make another state of the same events: older snapshots are then replayed past."""

FORM = [VERSION, *(list(kind.__slots__) for kind in (State, QueryState, AttemptState))]
"""What a snapshot must have been written with to be read: a field more or less, and it is not."""

BLOCK = 512
_EVENTS: Mapping[str, type[ev.Record]] = {
    "created": ev.Created,
    "pool": ev.PoolPrepared,
    "generator": ev.GeneratorFitted,
    "paused": ev.Paused,
    "finished": ev.Finished,
}
_COUNTS = ("unanswered", "answered", "proposed")
_RESULTS: Mapping[str, type[ev.Trained] | type[ev.Evaluated]] = {"trained": ev.Trained, "evaluated": ev.Evaluated}
_APART = {
    *_EVENTS,
    *_COUNTS,
    *_RESULTS,
    "id",
    "queries",
    "attempts",
    "live",
    "open",
    "unknown",
    "waiting",
    "handed",
    "accounts",
}
_MAPS = tuple(each.name for each in fields(State) if each.name not in _APART and each.default_factory is Map)
_PLAIN = tuple(each.name for each in fields(State) if each.name not in {*_APART, *_MAPS})


def head_of(state: State) -> str:
    """Everything but queries and attempts, as JSON text."""
    head: dict[str, Any] = {"form": FORM}
    head |= {name: getattr(state, name) for name in _PLAIN}
    head |= {name: _event(getattr(state, name)) for name in _EVENTS}
    head |= {name: [[*key, count] for key, count in sorted(getattr(state, name).items())] for name in _COUNTS}
    head |= {name: [_event(each) for _, each in sorted(getattr(state, name).items())] for name in _RESULTS}
    accounts = sorted(state.accounts.items())
    head["accounts"] = {name: [a.total, a.reserved, a.spent, a.wasted] for name, a in accounts}
    head |= {name: dict(sorted(getattr(state, name).items())) for name in _MAPS}
    head["line_ends"] = [state.waiting.end, state.handed.end]
    return _text(head)


def form_of(head: str) -> list[Any]:
    """The form that a head was written in; empty for what is no head."""
    try:
        found = json.loads(head)["form"]
    except (ValueError, KeyError, TypeError):
        return []
    return found if isinstance(found, list) else []


def block_of(query: QueryState) -> str:
    """The name of the block in which a query stands."""
    return f"{ev.SEQUENCES[query.purpose]}/{query.slot // BLOCK:08d}"


def blocks_of(state: State, wanted: Iterable[str] | None = None) -> dict[str, str]:
    """Blocks by name as JSON text: the ``wanted`` ones, or all."""
    names = None if wanted is None else frozenset(wanted)
    queries: defaultdict[str, list[QueryState]] = defaultdict(list)
    for query in state.queries.values():
        name = block_of(query)
        if names is None or name in names:
            queries[name].append(query)
    chosen = {query.id: name for name, found in queries.items() for query in found}
    attempts: defaultdict[str, list[AttemptState]] = defaultdict(list)
    for attempt in state.attempts.values():
        if attempt.query in chosen:
            attempts[chosen[attempt.query]].append(attempt)
    return {name: _block(state, queries[name], attempts[name]) for name in sorted(queries)}


def changed_blocks(before: State, after: State) -> set[str]:
    """Names of the blocks that differ between two states of a campaign, the later grown from the earlier."""
    known, tried = before.queries, before.attempts
    changed = {block_of(query) for key, query in after.queries.items() if _differ(known.get(key), query)}
    other = (attempt for key, attempt in after.attempts.items() if _differ(tried.get(key), attempt))
    return changed | {block_of(after.queries[attempt.query]) for attempt in other}


def _differ(before: object, after: object) -> bool:
    return before is not after and before != after


def outline_of(campaign: str, head: str) -> State:
    """The state without its queries and attempts. Raises ValueError, KeyError or TypeError for what is no head."""
    found = json.loads(head)
    if found["form"] != FORM:
        raise ValueError(f"a snapshot must have been written by this version, but got {found['form']!r}.")
    given: dict[str, Any] = {name: found[name] for name in _PLAIN}
    for name, kind in _EVENTS.items():
        given[name] = None if found[name] is None else kind.model_validate(found[name])
    for name in _COUNTS:
        given[name] = Map({(purpose, number): count for purpose, number, count in found[name]})
    given |= {name: _results(kind, found[name]) for name, kind in _RESULTS.items()}
    given["accounts"] = Map({name: Account(*sums) for name, sums in found["accounts"].items()})
    given |= {name: Map(found[name]) for name in _MAPS}
    waiting, handed = (Line.restored({}, end) for end in found["line_ends"])
    return State(id=campaign, waiting=waiting, handed=handed, **given)


def state_from(campaign: str, head: str, blocks: Iterable[str]) -> State:
    """The state. Raises ValueError, KeyError or TypeError for what was not written here."""
    outline = outline_of(campaign, head)
    queries: dict[str, QueryState] = {}
    attempts: dict[str, AttemptState] = {}
    tickets: dict[bool, dict[str, int]] = {False: {}, True: {}}
    for block in blocks:
        found = json.loads(block)
        for row in found["queries"]:
            query = _query(row)
            queries[query.id] = query
            if query.status is QueryStatus.PROPOSED:
                tickets[query.passed_on][query.id] = row[-1]
        attempts.update((row[0], _attempt(row)) for row in found["attempts"])
    waiting = Line.restored(tickets[False], outline.waiting.end)
    handed = Line.restored(tickets[True], outline.handed.end)
    return replace(outline, waiting=waiting, handed=handed, **_indexed(queries, attempts))


def _indexed(queries: Mapping[str, QueryState], attempts: Mapping[str, AttemptState]) -> dict[str, Any]:
    return {
        "queries": Map(queries),
        "attempts": Map(attempts),
        "live": Map({key: None for key, query in queries.items() if query.status in LIVE}),
        "open": Map({key: None for key, attempt in attempts.items() if attempt.status in OPEN}),
        "unknown": sum(query.status is QueryStatus.OUTCOME_UNKNOWN for query in queries.values()),
    }


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _event(event: ev.Record | None) -> Any:
    return None if event is None else event.model_dump(mode="json")


def _results(kind: type[Any], rows: Iterable[Any]) -> Map[Any, Any]:
    found = [kind.model_validate(row) for row in rows]
    return Map({(each.role, each.round): each for each in found})


def _block(state: State, queries: Iterable[QueryState], attempts: Iterable[AttemptState]) -> str:
    rows = [list(_query_row(state, query)) for query in sorted(queries, key=lambda query: (query.slot, query.id))]
    tries = sorted(attempts, key=lambda attempt: (attempt.query, attempt.number, attempt.id))
    return _text({"queries": rows, "attempts": [list(_attempt_row(attempt)) for attempt in tries]})


def _query_row(state: State, query: QueryState) -> Iterator[Any]:
    """The fields in their order, then the query's place in its line."""
    for name in QueryState.__slots__:
        yield getattr(query, name)
    yield (state.handed if query.passed_on else state.waiting).ticket(query.id)


def _attempt_row(attempt: AttemptState) -> Iterator[Any]:
    for name in AttemptState.__slots__:
        yield getattr(attempt, name)


_QUERY_STATUS = QueryState.__slots__.index("status")
_ATTEMPT_STATUS = AttemptState.__slots__.index("status")


def _query(row: list[Any]) -> QueryState:
    given = row[:-1]
    given[_QUERY_STATUS] = QueryStatus(given[_QUERY_STATUS])
    return QueryState(*given)


def _attempt(row: list[Any]) -> AttemptState:
    given = row.copy()
    given[_ATTEMPT_STATUS] = AttemptStatus(given[_ATTEMPT_STATUS])
    return AttemptState(*given)
