"""The first tables: people, keys, clauses, drafts with four eyes, and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tutelage.desk.migrations.guards import FIRST_GUARDS

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make tables, guards and the empty chain."""
    _people()
    op.create_table(
        "clauses", _text("id", primary_key=True), *(_text(name) for name in ("clause_type", "language", "title", "keywords", "text")),
        _text("source"), _text("licence"))
    op.create_index("ix_clauses_clause_type", "clauses", ["clause_type"])
    op.create_index("ix_clauses_language", "clauses", ["language"])
    _drafts()
    op.create_table("audit", sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
                    *(_text(name) for name in ("at", "actor", "action", "subject", "facts", "previous", "hash")))
    op.create_table("audit_head", sa.Column("head", sa.Integer, primary_key=True, autoincrement=False),
                    sa.Column("number", sa.Integer, nullable=False), _text("hash"), sa.CheckConstraint("head = 1", name="one_head"))
    op.execute("INSERT INTO audit_head (head, number, hash) VALUES (1, 0, '')")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in FIRST_GUARDS:
        for statement in guard.for_sqlite() if is_sqlite else guard.for_postgresql():
            op.execute(statement)


def _people() -> None:
    op.create_table(
        "users", _text("name", primary_key=True), _text("folded"), _text("role"), _text("language"), _text("password_hash"),
        _text("created_at"), sa.UniqueConstraint("folded"),
        sa.CheckConstraint("role IN ('drafter', 'reviewer', 'admin')", name="known_role"))
    op.create_table(
        "keys", _text("label", primary_key=True), _text("key_hash"), _text("scopes"), _text("models"),
        sa.Column("expires_at", sa.Text, nullable=True), _text("created_at"), sa.UniqueConstraint("key_hash"))


def _drafts() -> None:
    op.create_table(
        "drafts", sa.Column("id", sa.Integer, primary_key=True, autoincrement=True), _text("clause_type"), _text("keywords"),
        _text("language"), _text("model"), sa.Column("is_gated", sa.Boolean, nullable=False), _text("draft"), _text("text"),
        _text("sources"), sa.Column("author", sa.Text, sa.ForeignKey("users.name"), nullable=False), _text("state"), _text("comment"),
        sa.Column("approver", sa.Text, sa.ForeignKey("users.name"), nullable=True), _text("created_at"), _text("updated_at"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('draft', 'submitted', 'approved', 'returned')", name="known_state"),
        sa.CheckConstraint("approver IS NULL OR approver <> author", name="four_eyes"),
        sa.CheckConstraint("state NOT IN ('approved', 'returned') OR approver IS NOT NULL", name="decided_by_somebody"),
        sqlite_autoincrement=True)
    op.create_index("ix_drafts_author", "drafts", ["author"])
    op.create_index("ix_drafts_state", "drafts", ["state"])


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=False)
