"""The audit chain: every action a link, and every change past the desk found."""

import json
import sqlite3
from collections.abc import Callable
from hashlib import sha256

import pytest

from tutelage.desk.desk import Desk, DraftRow
from tutelage.desk.errors import ChainBroken, NotAllowed, StaleDraft

Begin = Callable[..., DraftRow]
PEOPLE = 4  # links that the fixture's people made


def test_every_action_is_a_link_with_its_actor(desk: Desk, approved: DraftRow) -> None:
    desk.new_key("client")
    desk.set_password("bo", "another password")
    links = desk.audit()[PEOPLE:]
    assert [(link.actor, link.action, link.subject) for link in links] == [
        ("ann", "new draft", "1"), ("ann", "submit", "1"), ("rita", "approve", "1"), ("operator", "new key", "client"),
        ("operator", "set password", "bo")]
    assert links[2].facts == {"comment": "", "text_sha256": approved.text_sha256, "version": 3}
    desk.check_audit()


def test_a_refused_action_leaves_no_link(desk: Desk, begin: Begin) -> None:
    row = begin()
    before = desk.audit()
    with pytest.raises(StaleDraft):
        desk.edit_draft(row.id, author="ann", text="x", version=7)
    with pytest.raises(NotAllowed):
        desk.submit_draft(row.id, author="bo")
    assert desk.audit() == before


def test_the_hashes_can_be_computed_by_anybody(desk: Desk, approved: DraftRow) -> None:
    previous = ""
    links = desk.audit()
    assert len(links) == PEOPLE + 3
    for link in links:
        facts = json.dumps(link.facts, sort_keys=True, ensure_ascii=False)
        covered = json.dumps([link.number, link.at, link.actor, link.action, link.subject, facts, previous], ensure_ascii=False)
        assert link.hash == sha256(covered.encode()).hexdigest()
        previous = link.hash


def unguarded(raw: sqlite3.Connection, *statements: str) -> None:
    """What someone does who owns the file: drop the guards, change rows."""
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        raw.execute(statement)


@pytest.mark.parametrize("statement, said", [
    ("UPDATE audit SET actor = 'ralf' WHERE number = 7", "row 7 of the audit chain .approve, .* was changed"),
    ("UPDATE audit SET facts = '{}' WHERE number = 2", "row 2 of the audit chain .add user, .* was changed"),
    ("UPDATE audit SET hash = 'x' WHERE number = 7", "row 7 of the audit chain"),
    ("DELETE FROM audit WHERE number = 3", "lacks row 3 .the next one there is 4"),
    ("DELETE FROM audit WHERE number = 7", "ends at row 6; it should end at 7"),
    ("DELETE FROM audit", "ends at row 0; it should end at 7"),
    ("DELETE FROM audit_head", "ends at row 7; it should end at 0"),
    ("UPDATE drafts SET text = 'Payment is due in 90 days.'", "draft 1 is approved, but its text or approver is not what"),
    ("UPDATE drafts SET approver = 'ralf'", "draft 1 is approved, but its text or approver"),
    ("DELETE FROM drafts", "draft 1 was approved according to the audit chain, but is no longer there"),
    ("UPDATE drafts SET state = 'draft'", "draft 1 was approved according to the audit chain"),
])
def test_a_change_past_desk_and_guards_is_found(desk: Desk, approved: DraftRow, raw: sqlite3.Connection, statement: str, said: str) -> None:
    desk.check_audit()
    unguarded(raw, statement)
    with pytest.raises(ChainBroken, match=said):
        desk.check_audit()


def test_an_approval_that_no_link_tells_of_is_found(desk: Desk, begin: Begin, raw: sqlite3.Connection) -> None:
    begin()
    unguarded(raw, "UPDATE drafts SET state = 'approved', approver = 'rita'")
    with pytest.raises(ChainBroken, match="draft 1 is approved, but"):
        desk.check_audit()
