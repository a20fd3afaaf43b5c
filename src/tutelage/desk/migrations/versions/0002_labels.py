"""Labels of clauses that two people give, and who may find a clause of the library."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tutelage.desk.migrations.guards import LABEL_GUARDS

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and guards of the labels; clauses that are there already are for everyone."""
    op.add_column("clauses", sa.Column("permission", sa.Text, nullable=False, server_default="everyone"))
    op.create_table(
        "label_items", sa.Column("id", sa.Text, primary_key=True, nullable=False), sa.Column("number", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False)
          for name in ("dataset", "text", "heading", "language", "suggested", "document_id", "source")),
        sa.Column("clause_type", sa.Text, nullable=True), sa.Column("confirmed_at", sa.Text, nullable=True), sa.UniqueConstraint("number"),
        sa.CheckConstraint("(clause_type IS NULL) = (confirmed_at IS NULL)", name="confirmed_whole"))
    op.create_index("ix_label_items_dataset", "label_items", ["dataset"])
    op.create_table(
        "labels", sa.Column("item", sa.Text, sa.ForeignKey("label_items.id"), primary_key=True, nullable=False),
        sa.Column("person", sa.Text, sa.ForeignKey("users.name"), primary_key=True, nullable=False),
        sa.Column("clause_type", sa.Text, nullable=False), sa.Column("at", sa.Text, nullable=False))
    op.create_index("ix_labels_person", "labels", ["person"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in LABEL_GUARDS:
        for statement in guard.for_sqlite() if is_sqlite else guard.for_postgresql():
            op.execute(statement)
