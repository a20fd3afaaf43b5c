"""Whose work a key is for and how much it may ask; and the receipts of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tutelage.desk.migrations.guards import RECEIPT_GUARDS

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Keys that are there already reach models for everyone only, without limits; make the tables and guards of the receipts."""
    op.add_column("keys", sa.Column("permission", sa.Text, nullable=False, server_default="everyone"))
    for name in ("requests_per_minute", "tokens_per_minute", "parallel"):
        op.add_column("keys", sa.Column(name, sa.Integer, nullable=True))
    op.create_table(
        "receipts", sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("id", "body", "previous", "hash", "signature")), sa.UniqueConstraint("id"))
    head = op.create_table(
        "receipts_head", sa.Column("head", sa.Integer, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer, nullable=False), sa.Column("hash", sa.Text, nullable=False),
        sa.CheckConstraint("head = 1", name="one_receipts_head"))
    op.bulk_insert(head, [{"head": 1, "number": 0, "hash": ""}])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in RECEIPT_GUARDS:
        for statement in guard.for_sqlite() if is_sqlite else guard.for_postgresql():
            op.execute(statement)
