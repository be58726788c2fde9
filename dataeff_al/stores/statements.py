"""The SQL that a record needs, each statement built once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Insert, Select, Update, bindparam, insert, select, update

from dataeff_al.errors import RecordError
from dataeff_al.events import account_of
from dataeff_al.stores import projections
from dataeff_al.stores.projections import Change, QueryFacts
from dataeff_al.stores.protocol import RequestKey
from dataeff_al.stores.schema import events, meta, metadata, queries, requests
from dataeff_al.stores.tables import unknown_query

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
_FACTS: Select[Any] = select(queries.c.max_cost, queries.c.purpose).where(
    queries.c.campaign == _CAMPAIGN, queries.c.query == bindparam("the_query")
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


def add_request(connection: Connection, campaign: str, request: RequestKey, n: int) -> None:
    """Keep that a request was committed."""
    row = {"campaign": campaign, "request": request.id, "digest": request.digest, "n": n}
    connection.execute(insert(requests), row)


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


def facts(connection: Connection, campaign: str, query: str) -> QueryFacts:
    """What a query may cost, and who pays. Raises RecordError for one that was never proposed."""
    row = connection.execute(_FACTS, {"the_campaign": campaign, "the_query": query}).one_or_none()
    if row is None:
        raise RecordError(unknown_query(campaign, query))
    return QueryFacts(row.max_cost, account_of(row.purpose))


def add_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of the same columns."""
    if rows:
        connection.execute(_insert(table), [dict(row) for row in rows])


def make(connection: Connection, change: Change) -> None:
    """Make a change of a projected table."""
    if isinstance(change, projections.Insert):
        add_rows(connection, change.table, change.rows)
        return
    where = {f"where_{column}": wanted for column, wanted in change.where.items()}
    several = frozenset(column for column, wanted in change.where.items() if isinstance(wanted, tuple))
    connection.execute(
        _update(change.table, tuple(change.where), several, tuple(change.values)), {**where, **change.values}
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
