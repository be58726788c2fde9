"""The SQL that a record needs, each statement built once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Insert, Select, Update, bindparam, insert, select, update

from dataeff_al.events import account_of
from dataeff_al.stores.batches import Batch, merged_rows, updates
from dataeff_al.stores.projections import QueryFacts
from dataeff_al.stores.protocol import Mark
from dataeff_al.stores.schema import campaigns as projected
from dataeff_al.stores.schema import events, meta, metadata, queries, requests

PAGE = 2000

_CAMPAIGN: BindParameter[str] = bindparam("the_campaign")
_N: BindParameter[int] = bindparam("the_n")

_EPOCH: Select[Any] = select(meta.c.epoch).with_for_update()
_END: Select[Any] = (
    select(events.c.n, events.c.digest).where(events.c.campaign == _CAMPAIGN).order_by(events.c.n.desc()).limit(1)
)
_DIGEST: Select[Any] = select(events.c.digest).where(events.c.campaign == _CAMPAIGN, events.c.n == _N)
_PAGE: Select[Any] = (
    select(events.c.n, events.c.epoch, events.c.at, events.c.body, events.c.digest)
    .where(events.c.campaign == _CAMPAIGN, events.c.n > _N)
    .order_by(events.c.n)
    .limit(PAGE)
)
_CAMPAIGNS: Select[Any] = select(events.c.campaign).where(events.c.n == 1).order_by(events.c.position)
_REQUEST: Select[Any] = select(requests.c.digest, requests.c.n).where(
    requests.c.campaign == _CAMPAIGN, requests.c.request == bindparam("the_request")
)
_ABOUT: Select[Any] = select(projected.c.created_at, projected.c.state).where(projected.c.campaign == _CAMPAIGN)
_KNOWN: Select[Any] = (
    select(requests.c.request)
    .where(requests.c.campaign == _CAMPAIGN, requests.c.request.in_(bindparam("the_requests", expanding=True)))
    .limit(1)
)
_FACTS: Select[Any] = select(queries.c.query, queries.c.max_cost, queries.c.purpose).where(
    queries.c.campaign == _CAMPAIGN, queries.c.query.in_(bindparam("the_queries", expanding=True))
)


def newest_epoch(connection: Connection) -> int:
    """The epoch of the newest controller; within a transaction nobody else can move it on."""
    return connection.execute(_EPOCH).scalar_one()


def take_epoch(connection: Connection) -> int:
    """The next epoch, made the newest."""
    epoch = newest_epoch(connection) + 1
    connection.execute(update(meta).values(epoch=epoch))
    return epoch


def answered(connection: Connection, campaign: str, request: str) -> tuple[str, int] | None:
    """Digest of a request that was committed, and where the log ended after it."""
    row = connection.execute(_REQUEST, {"the_campaign": campaign, "the_request": request}).one_or_none()
    return (row.digest, row.n) if row else None


def first_known(connection: Connection, campaign: str, names: Sequence[str]) -> str | None:
    """The id of a request that was committed before, or None when all are new."""
    return connection.execute(_KNOWN, {"the_campaign": campaign, "the_requests": names}).scalar_one_or_none()


def add_requests(connection: Connection, campaign: str, marks: Sequence[Mark]) -> None:
    """Keep that requests were committed."""
    rows = [{"campaign": campaign, "request": m.request.id, "digest": m.request.digest, "n": m.n} for m in marks]
    add_rows(connection, "requests", rows)


def end(connection: Connection, campaign: str) -> tuple[int, str]:
    """Where a log ends, and the digest there; ``(0, "")`` when there is none."""
    row = connection.execute(_END, {"the_campaign": campaign}).one_or_none()
    return (row.n, row.digest) if row else (0, "")


def digest_at(connection: Connection, campaign: str, n: int) -> str:
    """The digest of event ``n``; empty when there is none."""
    return connection.execute(_DIGEST, {"the_campaign": campaign, "the_n": n}).scalar_one_or_none() or ""


def page(connection: Connection, campaign: str, after: int) -> Sequence[Any]:
    """Up to :data:`PAGE` rows ``(n, epoch, at, body, digest)`` that follow event ``after``."""
    return connection.execute(_PAGE, {"the_campaign": campaign, "the_n": after}).all()


def campaigns(connection: Connection) -> list[str]:
    """Ids of all campaigns in order of creation."""
    return list(connection.execute(_CAMPAIGNS).scalars())


def about(connection: Connection, campaign: str) -> tuple[float, str] | None:
    """When a campaign was created, and its status."""
    row = connection.execute(_ABOUT, {"the_campaign": campaign}).one_or_none()
    return (row.created_at, row.state) if row else None


def facts(connection: Connection, campaign: str, names: Sequence[str]) -> dict[str, QueryFacts]:
    """What queries may cost, and who pays; those that were never proposed are left out."""
    if not names:
        return {}
    rows = connection.execute(_FACTS, {"the_campaign": campaign, "the_queries": names})
    return {row.query: QueryFacts(row.max_cost, account_of(row.purpose)) for row in rows}


def add_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of the same columns."""
    if rows:
        connection.execute(_insert(table), [dict(row) for row in rows])


def make(connection: Connection, batch: Batch) -> None:
    """Make changes of one shape; see :mod:`~dataeff_al.stores.batches`."""
    add_rows(connection, batch[0].table, merged_rows(batch))
    found = updates(batch)
    if not found:
        return
    first = found[0]
    several = frozenset(column for column, wanted in first.where.items() if isinstance(wanted, tuple))
    values = [{**{f"where_{column}": wanted for column, wanted in each.where.items()}, **each.values} for each in found]
    # One is not handed over as a list: that would forbid a list of wanted values within it.
    connection.execute(
        _update(first.table, tuple(first.where), several, tuple(first.values)), values if len(found) > 1 else values[0]
    )


@lru_cache(maxsize=64)
def _insert(table: str) -> Insert:
    return insert(metadata.tables[table])


@lru_cache(maxsize=64)
def _update(table: str, where: tuple[str, ...], several: frozenset[str], values: tuple[str, ...]) -> Update:
    columns = metadata.tables[table].c
    conditions = [
        columns[name].in_(bindparam(f"where_{name}", expanding=True))
        if name in several
        else columns[name] == bindparam(f"where_{name}")
        for name in where
    ]
    return update(metadata.tables[table]).where(*conditions).values({name: bindparam(name) for name in values})
