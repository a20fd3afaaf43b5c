"""Chat completions that a client asked to be kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; nothing was kept before."""
    op.create_table(
        "completions", sa.Column("number", sa.Integer, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False), sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("model", "body", "messages", "metadata")),
        sa.UniqueConstraint("id"), sqlite_autoincrement=True)
    op.create_index("ix_completions_owner", "completions", ["owner"])
