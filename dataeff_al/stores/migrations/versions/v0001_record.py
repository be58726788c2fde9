"""The first schema: the event log, what follows from it, and the triggers that keep the log append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FROZEN = ("events", "requests")

_SQLITE_TRIGGER = """
CREATE TRIGGER {table}_no_{action} BEFORE {action} ON {table}
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
"""

_POSTGRES_FUNCTION = """
CREATE FUNCTION record_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the record is append-only'; END $$
"""

_POSTGRES_TRIGGER = """
CREATE TRIGGER {table}_no_{action} BEFORE {action} ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION record_is_append_only()
"""


def upgrade() -> None:
    """Make tables and triggers."""
    _make_log()
    _make_projections()
    _make_ledger()
    _freeze()


def _make_log() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(meta, [{"id": 1, "epoch": 0}])
    op.create_table(
        "events",
        sa.Column("position", _POSITION, primary_key=True, autoincrement=True),
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.UniqueConstraint("campaign", "n", name="events_campaign_n"),
    )
    first = sa.text("n = 1")
    op.create_index("events_first", "events", ["position"], sqlite_where=first, postgresql_where=first)
    op.create_table(
        "requests",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "request"),
    )


def _make_projections() -> None:
    op.create_table(
        "campaigns",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("spec_digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("campaign"),
    )
    op.create_table(
        "queries",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("round", sa.BigInteger, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("max_cost", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.PrimaryKeyConstraint("campaign", "query"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempts",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("attempt", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "attempt"),
        sqlite_with_rowid=False,
    )


def _make_ledger() -> None:
    op.create_table(
        "entries",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "kind", "subject"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blob_refs",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "n", "ref"),
        sqlite_with_rowid=False,
    )


def _freeze() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRES_FUNCTION)
        for table in _FROZEN:
            for action in ("UPDATE", "DELETE", "TRUNCATE"):
                op.execute(_POSTGRES_TRIGGER.format(table=table, action=action))
        return
    for table in _FROZEN:
        for action in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_TRIGGER.format(table=table, action=action))
