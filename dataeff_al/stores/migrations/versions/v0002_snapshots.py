"""Snapshots of campaigns, from which a controller starts without replaying their whole logs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, empty: the first start afterwards replays the logs and fills them."""
    op.create_table(
        "snapshots",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("blocks", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("campaign"),
    )
    op.create_table(
        "snapshot_blocks",
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("block", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "block"),
    )
