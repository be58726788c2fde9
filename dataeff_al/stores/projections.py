"""From an event to the rows that follow from it. Pure: the same log always gives the same tables.

Tables and their keys stand in :data:`KEYS`. ``entries`` is the ledger: one row per movement of money, its ``subject``
being the query (RESERVE, RELEASE, and POST of an inherited label) or the attempt (POST, WASTE, OVERRUN, EXTRA). Since
``(campaign, kind, subject)`` is the key, no attempt is posted and no reservation released twice (I2, I5). What a try
costs beyond ``max_cost`` is an OVERRUN when it failed and an EXTRA when it brought a label; both stand outside the
budget.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from dataeff_al import events as ev
from dataeff_al.stores.protocol import StoredEvent

KEYS: Mapping[str, tuple[str, ...]] = {
    "campaigns": ("campaign",),
    "queries": ("campaign", "query"),
    "attempts": ("campaign", "attempt"),
    "entries": ("campaign", "kind", "subject"),
    "blob_refs": ("campaign", "n", "ref"),
}
"""Key columns of every projected table."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Insert:
    """New rows of one table, all with the same columns."""

    table: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Update:
    """New values for the rows whose columns equal ``where`` (a tuple means any of its values)."""

    table: str
    where: Row
    values: Row


Change = Insert | Update


@dataclass(frozen=True)
class QueryFacts:
    """What an event about a query leaves unsaid: its ``max_cost`` and the account that pays for it."""

    max_cost: int
    account: str


Known = Callable[[str], QueryFacts]
"""The facts of a query by its id. Raises RecordError for one that was never proposed."""


def changes(stored: StoredEvent, known: Known) -> list[Change]:
    """The changes that an event makes to the projected tables, in the order in which they must be made."""
    refs = sorted(set(blob_refs(stored.event)))
    rows = tuple({"campaign": stored.campaign, "n": stored.n, "ref": ref} for ref in refs)
    return [*_changes(stored.event, stored, known), *([Insert("blob_refs", rows)] if rows else [])]


def blob_refs(event: ev.Event) -> Iterable[str]:
    """Refs of every blob that an event mentions."""
    match event:
        case ev.PoolPrepared():
            return [event.splits]
        case ev.GeneratorFitted():
            return [event.generator, event.latents]
        case ev.Proposed():
            return [ref for query in event.queries for ref in _query_refs(query)]
        case ev.Inherited():
            return [ref for item in event.labels for ref in (*_query_refs(item.query), *_label_refs(item.label))]
        case ev.Told() | ev.ExtraTold():
            return _label_refs(event.label)
        case ev.AttemptFailed():
            return [ref for ref in (event.picture, event.request) if ref]
        case ev.Trained():
            return [event.model]
        case ev.Evaluated():
            return [event.cases] if event.cases else []
    return []


def _label_refs(label: ev.LabelRecord) -> list[str]:
    return [label.label, *([label.picture] if label.picture else [])]


def _query_refs(query: ev.QueryRecord) -> list[str]:
    synthesised = [query.payload] if query.synthesised else []
    return [query.request, *synthesised, *([query.provenance] if query.provenance else [])]


@singledispatch
def _changes(_event: Any, _stored: StoredEvent, _known: Known) -> list[Change]:
    """Events that move neither money nor a query nor an attempt leave the tables as they are."""
    return []


def _entry(stored: StoredEvent, kind: str, account: str, subject: str, amount: int) -> Row:
    return {
        "campaign": stored.campaign,
        "kind": kind,
        "subject": subject,
        "n": stored.n,
        "account": account,
        "amount": amount,
    }


def _book(stored: StoredEvent, *entries: tuple[str, str, str, int]) -> list[Change]:
    """Ledger rows ``(kind, account, subject, amount)``.

    A waste or an overrun of nothing is none; every other kind is written even over nothing, so that its key is taken.
    """
    rows = tuple(_entry(stored, *entry) for entry in entries if entry[3] or entry[0] not in ("WASTE", "OVERRUN"))
    return [Insert("entries", rows)] if rows else []


def _query(stored: StoredEvent, query: str, **values: Any) -> Update:
    return Update("queries", {"campaign": stored.campaign, "query": query}, values)


def _attempt(stored: StoredEvent, attempt: str, **values: Any) -> Update:
    return Update("attempts", {"campaign": stored.campaign, "attempt": attempt}, values)


def _campaign(stored: StoredEvent, **values: Any) -> list[Change]:
    return [Update("campaigns", {"campaign": stored.campaign}, values)]


@_changes.register
def _(event: ev.Created, stored: StoredEvent, _: Known) -> list[Change]:
    row = {
        "campaign": stored.campaign,
        "name": event.name,
        "parent": event.parent,
        "spec_digest": event.spec_digest,
        "created_at": stored.at,
        "state": "running",
    }
    return [Insert("campaigns", (row,))]


def _query_row(stored: StoredEvent, query: ev.QueryRecord, purpose: str, number: int, max_cost: int) -> dict[str, Any]:
    return {
        "campaign": stored.campaign,
        "query": query.id,
        "slot": query.slot,
        "round": number,
        "purpose": purpose,
        "payload": query.payload,
        "content": query.content,
        "max_cost": max_cost,
        "state": "proposed",
        "label": None,
    }


@_changes.register
def _(event: ev.Proposed, stored: StoredEvent, _: Known) -> list[Change]:
    rows = tuple(_query_row(stored, query, event.purpose, event.round, event.max_cost) for query in event.queries)
    account = ev.account_of(event.purpose)
    reserved = [("RESERVE", account, query.id, event.max_cost) for query in event.queries]
    return [*([Insert("queries", rows)] if rows else []), *_book(stored, *reserved)]


@_changes.register
def _(event: ev.Inherited, stored: StoredEvent, _: Known) -> list[Change]:
    rows = tuple(
        _query_row(stored, item.query, item.purpose, 0, item.label.cost)
        | {"state": "labelled", "label": item.label.label}
        for item in event.labels
    )
    posted = [("POST", ev.account_of(item.purpose), item.query.id, item.label.cost) for item in event.labels]
    return [*([Insert("queries", rows)] if rows else []), *_book(stored, *posted)]


@_changes.register
def _(event: ev.Leased, stored: StoredEvent, _: Known) -> list[Change]:
    rows = tuple(
        {
            "campaign": stored.campaign,
            "attempt": grant.attempt,
            "query": grant.query,
            "number": grant.number,
            "epoch": stored.epoch,
            "deadline": grant.deadline,
            "state": "granted",
            "reason": "",
        }
        for grant in event.attempts
    )
    leased = [_query(stored, grant.query, state="leased") for grant in event.attempts]
    return [*([Insert("attempts", rows)] if rows else []), *leased]


@_changes.register
def _(event: ev.Beat, stored: StoredEvent, _: Known) -> list[Change]:
    return [_attempt(stored, key, state="running", deadline=event.deadline) for key in event.attempts]


@_changes.register
def _(event: ev.Told, stored: StoredEvent, known: Known) -> list[Change]:
    facts = known(event.query)
    within = min(event.label.cost, facts.max_cost)
    return [
        _attempt(stored, event.attempt, state="done"),
        _query(stored, event.query, state="labelled", label=event.label.label),
        *_book(
            stored,
            ("POST", facts.account, event.attempt, within),
            ("RELEASE", facts.account, event.query, facts.max_cost - within),
            *_beyond(facts.account, event.attempt, event.label.cost - within),
        ),
    ]


def _beyond(account: str, attempt: str, amount: int) -> list[tuple[str, str, str, int]]:
    """What a label cost beyond its reservation; its attempt may have failed before, with an OVERRUN of its own."""
    return [("EXTRA", account, attempt, amount)] if amount else []


@_changes.register
def _(event: ev.ExtraTold, stored: StoredEvent, known: Known) -> list[Change]:
    account = known(event.query).account
    booked = _book(stored, ("EXTRA", account, event.attempt, event.label.cost))
    return [_attempt(stored, event.attempt, state="extra"), *booked]


@_changes.register
def _(event: ev.ExtraFailed, stored: StoredEvent, known: Known) -> list[Change]:
    booked = _book(stored, ("EXTRA", known(event.query).account, event.attempt, event.cost))
    return [_attempt(stored, event.attempt, state="extra", reason=event.reason), *booked]


def _waste(stored: StoredEvent, attempt: str, query: str, cost: int, reason: str, known: Known) -> list[Change]:
    facts = known(query)
    within = min(cost, facts.max_cost)
    return [
        _attempt(stored, attempt, state="failed", reason=reason),
        *_back_to_queue(stored, query),
        *_book(
            stored,
            ("WASTE", facts.account, attempt, within),
            ("OVERRUN", facts.account, attempt, cost - within),
        ),
    ]


def _back_to_queue(stored: StoredEvent, query: str) -> list[Change]:
    waiting = {"campaign": stored.campaign, "query": query, "state": ("leased", "outcome_unknown")}
    return [Update("queries", waiting, {"state": "proposed"})]


@_changes.register
def _(event: ev.AttemptFailed, stored: StoredEvent, known: Known) -> list[Change]:
    return _waste(stored, event.attempt, event.query, event.cost, event.reason, known)


@_changes.register
def _(event: ev.Settled, stored: StoredEvent, known: Known) -> list[Change]:
    return _waste(stored, event.attempt, event.query, event.cost, f"settled as {event.verdict}", known)


@_changes.register
def _(event: ev.AttemptExpired, stored: StoredEvent, _: Known) -> list[Change]:
    return [_attempt(stored, event.attempt, state="expired"), *_back_to_queue(stored, event.query)]


@_changes.register
def _(event: ev.AttemptUnknown, stored: StoredEvent, _: Known) -> list[Change]:
    """A query that was withdrawn, or answered by another attempt, stays what it is."""
    leased = {"campaign": stored.campaign, "query": event.query, "state": "leased"}
    return [
        _attempt(stored, event.attempt, state="unknown", reason=event.reason),
        Update("queries", leased, {"state": "outcome_unknown"}),
    ]


def _release(stored: StoredEvent, query: str, state: str, known: Known) -> list[Change]:
    facts = known(query)
    return [_query(stored, query, state=state), *_book(stored, ("RELEASE", facts.account, query, facts.max_cost))]


@_changes.register
def _(event: ev.DeadLettered, stored: StoredEvent, known: Known) -> list[Change]:
    return _release(stored, event.query, "dead_letter", known)


@_changes.register
def _(event: ev.QueryCancelled, stored: StoredEvent, known: Known) -> list[Change]:
    return _release(stored, event.query, "cancelled", known)


@_changes.register
def _(_event: ev.Paused, stored: StoredEvent, _: Known) -> list[Change]:
    return _campaign(stored, state="paused")


@_changes.register
def _(_event: ev.Resumed, stored: StoredEvent, _: Known) -> list[Change]:
    return _campaign(stored, state="running")


@_changes.register
def _(_event: ev.Extended, stored: StoredEvent, _: Known) -> list[Change]:
    """Only a campaign that had ended runs again; a paused one stays paused."""
    return [Update("campaigns", {"campaign": stored.campaign, "state": "finished"}, {"state": "running"})]


@_changes.register
def _(_event: ev.CancelRequested, stored: StoredEvent, _: Known) -> list[Change]:
    return _campaign(stored, state="cancelling")


@_changes.register
def _(_event: ev.Cancelled, stored: StoredEvent, _: Known) -> list[Change]:
    return _campaign(stored, state="cancelled")


@_changes.register
def _(_event: ev.Finished, stored: StoredEvent, _: Known) -> list[Change]:
    return _campaign(stored, state="finished")
