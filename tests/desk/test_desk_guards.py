"""The database itself refuses what the desk would refuse, also to raw SQL."""

import sqlite3
from collections.abc import Callable

import pytest

from tutelage.desk.desk import Desk, DraftRow

Begin = Callable[..., DraftRow]
COLUMNS = ("clause_type", "keywords", "language", "model", "is_gated", "draft", "text", "sources", "author", "state", "comment", "approver",
           "created_at", "updated_at", "version", "permission")


def copied(columns: tuple[str, ...], **changed: str) -> str:
    """SQL that selects the rows of drafts with some columns changed, to be inserted again."""
    return f"({', '.join(columns)}) SELECT {', '.join(changed.get(column, column) for column in columns)} FROM drafts"


def submitted(desk: Desk, begin: Begin) -> int:
    return desk.submit_draft(begin().id, author="ann").id


def test_sql_cannot_let_an_author_approve(desk: Desk, begin: Begin, raw: sqlite3.Connection) -> None:
    draft_id = desk.submit_draft(begin(author="rita").id, author="rita").id
    with pytest.raises(sqlite3.IntegrityError, match="four_eyes"):
        raw.execute("UPDATE drafts SET state = 'approved', approver = 'rita' WHERE id = ?", (draft_id,))
    with pytest.raises(sqlite3.IntegrityError, match="only a reviewer or an admin decides"):
        raw.execute("UPDATE drafts SET state = 'approved', approver = 'bo' WHERE id = ?", (draft_id,))
    with pytest.raises(sqlite3.IntegrityError, match="only a reviewer or an admin decides"):
        raw.execute("UPDATE drafts SET state = 'approved', approver = NULL WHERE id = ?", (draft_id,))
    assert desk.draft(draft_id).state == "submitted"


def test_sql_cannot_name_an_approver_who_is_nobody(desk: Desk, begin: Begin, raw: sqlite3.Connection) -> None:
    draft_id = submitted(desk, begin)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE drafts SET state = 'approved', approver = 'ghost' WHERE id = ?", (draft_id,))
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        raw.execute("UPDATE drafts SET approver = 'ghost' WHERE id = ?", (draft_id,))


@pytest.mark.parametrize("state, refused", [("draft", ("approved", "returned", "other")), ("submitted", ("draft",)),
                                            ("returned", ("approved",)), ("approved", ("draft", "submitted", "returned"))])
def test_sql_cannot_skip_a_step(desk: Desk, begin: Begin, raw: sqlite3.Connection, state: str, refused: tuple[str, ...]) -> None:
    row = begin()
    if state != "draft":
        row = desk.submit_draft(row.id, author="ann")
    if state in ("returned", "approved"):
        row = desk.decide_draft(row.id, approver="rita", approve=state == "approved", comment="why", text_sha256=row.text_sha256)
    assert row.state == state
    for target in refused:
        with pytest.raises(sqlite3.IntegrityError, match="desk: "):
            raw.execute("UPDATE drafts SET state = ?, approver = 'rita' WHERE id = ?", (target, row.id))
    assert desk.draft(row.id) == row


@pytest.mark.parametrize("change", ["text = 'other'", "comment = 'other'", "approver = 'ralf'", "version = 9", "updated_at = ''"])
def test_sql_cannot_touch_an_approved_draft(desk: Desk, approved: DraftRow, raw: sqlite3.Connection, change: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="an approved draft is final"):
        raw.execute(f"UPDATE drafts SET {change} WHERE id = ?", (approved.id,))
    assert desk.draft(approved.id) == approved


def test_sql_cannot_remove_or_replace_a_draft(desk: Desk, approved: DraftRow, raw: sqlite3.Connection) -> None:
    replacement = copied(("id", *COLUMNS), text="'other'", state="'draft'", approver="NULL")
    for statement, said in (("DELETE FROM drafts", "never deleted"), (f"DELETE FROM drafts WHERE id = {approved.id}", "never deleted"),
                            (f"INSERT OR REPLACE INTO drafts {replacement}", "begins anew"),
                            (f"REPLACE INTO drafts {replacement}", "begins anew")):
        with pytest.raises(sqlite3.IntegrityError, match=said):
            raw.execute(statement)
    assert desk.draft(approved.id) == approved


def test_sql_cannot_change_the_text_that_is_being_read(desk: Desk, begin: Begin, raw: sqlite3.Connection) -> None:
    draft_id = submitted(desk, begin)
    for change in ("text = 'other'", "text = 'other', state = 'approved', approver = 'rita'"):
        with pytest.raises(sqlite3.IntegrityError, match="does not change"):
            raw.execute(f"UPDATE drafts SET {change} WHERE id = ?", (draft_id,))


@pytest.mark.parametrize("column, value", [("author", "bo"), ("draft", "other"), ("model", "other"), ("is_gated", 0), ("sources", "[]"),
                                           ("keywords", "[]"), ("clause_type", "term"), ("language", "zh"), ("created_at", ""), ("id", 77)])
def test_sql_cannot_change_where_a_draft_comes_from(begin: Begin, raw: sqlite3.Connection, column: str, value: object) -> None:
    row = begin()
    with pytest.raises(sqlite3.IntegrityError, match="only text, state, comment and approver"):
        raw.execute(f"UPDATE drafts SET {column} = ? WHERE id = ?", (value, row.id))


def test_sql_cannot_widen_who_may_use_a_draft(begin: Begin, raw: sqlite3.Connection) -> None:
    row = begin(permission="client:acme")
    with pytest.raises(sqlite3.IntegrityError, match="who may use a draft does not change"):
        raw.execute("UPDATE drafts SET permission = 'everyone' WHERE id = ?", (row.id,))


def test_sql_cannot_let_a_draft_begin_as_approved(begin: Begin, raw: sqlite3.Connection) -> None:
    begin()
    with pytest.raises(sqlite3.IntegrityError, match="begins anew"):
        raw.execute("INSERT INTO drafts " + copied(COLUMNS, state="'approved'", approver="'rita'"))
    raw.execute("INSERT INTO drafts " + copied(COLUMNS))  # the same without the approval is a draft like any other


def test_sql_cannot_rename_a_user_into_a_second_pair_of_eyes(approved: DraftRow, raw: sqlite3.Connection) -> None:
    raw.execute("PRAGMA foreign_keys = OFF")
    with pytest.raises(sqlite3.IntegrityError, match="name of a user does not change"):
        raw.execute("UPDATE users SET name = 'x' WHERE name = 'ann'")
    with pytest.raises(sqlite3.IntegrityError, match="there is a user of that name"):
        raw.execute("REPLACE INTO users SELECT name, folded, 'admin', language, password_hash, created_at FROM users WHERE name = 'ann'")


@pytest.mark.parametrize("statement, said", [
    ("UPDATE audit SET actor = 'bo' WHERE number = 1", "never changes"),
    ("DELETE FROM audit WHERE number = 1", "never shrinks"),
    ("INSERT INTO audit SELECT 100, at, actor, action, subject, facts, previous, hash FROM audit WHERE number = 1", "grows at its end"),
    ("REPLACE INTO audit SELECT 1, at, 'bo', action, subject, facts, previous, hash FROM audit WHERE number = 1", "grows at its end"),
    ("UPDATE audit_head SET number = 1", "grows by one"),
    ("DELETE FROM audit_head", "keeps its head"),
])
def test_sql_cannot_rewrite_the_audit_chain(desk: Desk, raw: sqlite3.Connection, statement: str, said: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=said):
        raw.execute(statement)
    desk.check_audit()
