"""A desk with people at it; made once and copied, because hashing passwords is slow on purpose."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tutelage.desk.desk import Desk, DraftRow, open_desk


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk file with ann and bo (drafters), rita and ralf (reviewers)."""
    path = tmp_path_factory.mktemp("desk") / "desk.sqlite"
    desk = open_desk(f"sqlite:///{path}")
    for name, role in (("ann", "drafter"), ("bo", "drafter"), ("rita", "reviewer"), ("ralf", "reviewer")):
        desk.add_user(name, f"password of {name}", role=role)
    desk.close()
    return path


@pytest.fixture
def desk_path(peopled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(peopled, tmp_path / "desk.sqlite"))


@pytest.fixture
def desk(desk_path: Path) -> Iterator[Desk]:
    opened = open_desk(f"sqlite:///{desk_path}")
    yield opened
    opened.close()


@pytest.fixture
def begin(desk: Desk) -> Callable[..., DraftRow]:
    """Starts a draft of ann's (or of another author)."""
    def started(author: str = "ann", draft: str = "Payment is due in 30 days.", permission: str = "everyone") -> DraftRow:
        return desk.new_draft(clause_type="fees_payment", keywords=("payment",), language="en", model="tuned", is_gated=True, draft=draft,
                              sources=("en-payment-terms",), author=author, permission=permission)
    return started


@pytest.fixture
def approved(desk: Desk, begin: Callable[..., DraftRow]) -> DraftRow:
    """A draft of ann's that rita approved."""
    row = desk.submit_draft(begin().id, author="ann")
    return desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)


@pytest.fixture
def raw(desk: Desk, desk_path: Path) -> Iterator[sqlite3.Connection]:
    """The same file past the desk."""
    connection = sqlite3.connect(desk_path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    yield connection
    connection.close()
