"""Who may use a draft, and what is learned from it once it is approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tutelage.desk.migrations.guards import DRAFT_PERMISSION_GUARDS

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Drafts that are there already stay for everyone, as they were; the guard keeps what a new one says."""
    op.add_column("drafts", sa.Column("permission", sa.Text, nullable=False, server_default="everyone"))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in DRAFT_PERMISSION_GUARDS:
        for statement in guard.for_sqlite() if is_sqlite else guard.for_postgresql():
            op.execute(statement)
