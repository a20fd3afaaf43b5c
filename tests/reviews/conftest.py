"""A desk with a drafter, a reviewer and an admin, made once and copied, and a work folder beside it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutelage.desk.desk import Desk, DraftRow, open_desk


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reviews") / "desk.sqlite"
    desk = open_desk(f"sqlite:///{path}")
    for name, role in (("ann", "drafter"), ("rita", "reviewer"), ("ada", "admin")):
        desk.add_user(name, f"password of {name}", role=role)
    desk.close()
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def url(work: Path, peopled: Path) -> str:
    return f"sqlite:///{shutil.copy(peopled, work / 'desk.sqlite')}"


@pytest.fixture
def desk(url: str) -> Iterator[Desk]:
    opened = open_desk(url)
    yield opened
    opened.close()


@pytest.fixture
def submitted(desk: Desk) -> DraftRow:
    """A draft of ann's that she changed and submitted."""
    row = desk.new_draft(clause_type="fees_payment", keywords=("payment", "期限"), language="en", model="tuned", is_gated=True,
                         draft="Payment is due in 30 days.", sources=("en-payment-terms",), author="ann")
    desk.edit_draft(row.id, author="ann", text="Payment is due in 15 days.", version=row.version)
    return desk.submit_draft(row.id, author="ann")
