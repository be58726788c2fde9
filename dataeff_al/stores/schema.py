"""The record's tables, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

HEAD = "0002"
"""Revision of the newest migration."""

READABLE = ("0001", HEAD)
"""Revisions that can be read as they are: the first lacks nothing but snapshots."""

metadata = MetaData()

_position = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)
"""One row: the fencing epoch of the newest controller."""

events = Table(
    "events",
    metadata,
    Column("position", _position, primary_key=True, autoincrement=True),
    Column("campaign", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", Text, nullable=False),
    UniqueConstraint("campaign", "n", name="events_campaign_n"),
)
"""The truth. Triggers refuse updates and deletes; ``position`` is the order over all campaigns."""

Index("events_first", events.c.position, sqlite_where=text("n = 1"), postgresql_where=text("n = 1"))

requests = Table(
    "requests",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("campaign", "request"),
)
"""Requests that were answered: where the log ended after each. Triggers refuse updates and deletes."""

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("parent", Text),
    Column("spec_digest", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("campaign"),
)

queries = Table(
    "queries",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("max_cost", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("label", Text),
    PrimaryKeyConstraint("campaign", "query"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("attempt", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("deadline", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("campaign", "attempt"),
    sqlite_with_rowid=False,
)

entries = Table(
    "entries",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("campaign", "kind", "subject"),
    sqlite_with_rowid=False,
)
"""The ledger: see :mod:`dataeff_al.stores.projections`."""

blob_refs = Table(
    "blob_refs",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("ref", Text, nullable=False),
    PrimaryKeyConstraint("campaign", "n", "ref"),
    sqlite_with_rowid=False,
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("log", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("blocks", Text, nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("campaign"),
)
"""What campaigns were after event ``n``: ``log`` is that event's digest, ``blocks`` the digests of the blocks by name,
``digest`` seals the row. Nothing is lost with it: see :mod:`dataeff_al.stores.snapshots`."""

snapshot_blocks = Table(
    "snapshot_blocks",
    metadata,
    Column("campaign", Text, nullable=False),
    Column("block", Text, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("campaign", "block"),
)
