"""The way of a draft: written, submitted, approved or returned."""

from collections.abc import Callable

import pytest

from tutelage.core.language import LANGUAGES
from tutelage.core.records import LibraryClause
from tutelage.desk.desk import Desk, DraftRow
from tutelage.desk.errors import DeskError, NotAllowed, NotFound, StaleDraft, WrongState
from tutelage.desk.records import text_sha256

Begin = Callable[..., DraftRow]


def test_a_draft_goes_from_its_author_to_a_second_person(desk: Desk, begin: Begin) -> None:
    row = begin()
    assert (row.state, row.text, row.version, row.approver) == ("draft", row.draft, 1, "")
    row = desk.edit_draft(row.id, author="ann", text="Payment is due in 15 days.", version=1)
    assert (row.text, row.draft, row.version) == ("Payment is due in 15 days.", "Payment is due in 30 days.", 2)
    row = desk.submit_draft(row.id, author="ann")
    row = desk.decide_draft(row.id, approver="rita", approve=True, comment=" good ", text_sha256=row.text_sha256)
    assert (row.state, row.approver, row.comment, row.version) == ("approved", "rita", "good", 4)
    assert desk.draft(row.id) == row


def test_a_returned_draft_can_be_mended_and_approved(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin().id, author="ann")
    row = desk.decide_draft(row.id, approver="rita", approve=False, comment="say which days", text_sha256=row.text_sha256)
    assert (row.state, row.approver, row.comment) == ("returned", "rita", "say which days")
    row = desk.edit_draft(row.id, author="ann", text="Payment is due in 30 calendar days.", version=row.version)
    assert (row.state, row.comment) == ("draft", "say which days")
    row = desk.submit_draft(row.id, author="ann")
    row = desk.decide_draft(row.id, approver="ralf", approve=True, comment="", text_sha256=row.text_sha256)
    assert (row.state, row.approver) == ("approved", "ralf")


def test_a_stale_edit_overwrites_nothing(desk: Desk, begin: Begin) -> None:
    row = begin()
    desk.edit_draft(row.id, author="ann", text="first tab", version=1)
    with pytest.raises(StaleDraft, match=r"you saw version 1, the newest is 2. Nothing was overwritten"):
        desk.edit_draft(row.id, author="ann", text="second tab", version=1)
    assert desk.draft(row.id).text == "first tab"


def test_nobody_approves_or_returns_their_own_draft(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin(author="rita").id, author="rita")
    for approve in (True, False):
        with pytest.raises(NotAllowed, match=r"nobody decides on their own draft. Ask a second person"):
            desk.decide_draft(row.id, approver="rita", approve=approve, comment="fine", text_sha256=row.text_sha256)
    assert desk.draft(row.id).state == "submitted"


def test_a_drafter_decides_nothing(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin().id, author="ann")
    with pytest.raises(NotAllowed, match="'bo' is a drafter; only a reviewer or an admin decides"):
        desk.decide_draft(row.id, approver="bo", approve=True, comment="", text_sha256=row.text_sha256)


def test_what_is_approved_is_what_was_read(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin().id, author="ann")
    with pytest.raises(StaleDraft, match="not the one that you read"):
        desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=text_sha256("another text"))
    assert desk.draft(row.id).state == "submitted"


def test_only_the_author_edits_and_submits(desk: Desk, begin: Begin) -> None:
    row = begin()
    with pytest.raises(NotAllowed, match="is not by 'bo'"):
        desk.edit_draft(row.id, author="bo", text="mine", version=1)
    with pytest.raises(NotAllowed, match="only its author edits and submits"):
        desk.submit_draft(row.id, author="rita")


def test_each_step_is_possible_in_its_state_only(desk: Desk, begin: Begin, approved: DraftRow) -> None:
    row = begin()
    with pytest.raises(WrongState, match="is draft; only a submitted draft can be decided"):
        desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)
    row = desk.submit_draft(row.id, author="ann")
    with pytest.raises(WrongState, match="is submitted; only a draft or a returned draft can be edited"):
        desk.edit_draft(row.id, author="ann", text="late", version=row.version)
    with pytest.raises(WrongState, match="is submitted; only a draft or a returned draft can be submitted"):
        desk.submit_draft(row.id, author="ann")
    with pytest.raises(WrongState, match="is approved"):
        desk.edit_draft(approved.id, author="ann", text="later", version=approved.version)
    with pytest.raises(WrongState, match="is approved"):
        desk.decide_draft(approved.id, approver="ralf", approve=False, comment="no", text_sha256=approved.text_sha256)


def test_returning_needs_a_comment(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin().id, author="ann")
    with pytest.raises(DeskError, match="Say what its author should change"):
        desk.decide_draft(row.id, approver="rita", approve=False, comment="  ", text_sha256=row.text_sha256)


def test_a_text_that_is_none_is_refused(desk: Desk, begin: Begin) -> None:
    row = begin()
    for text, said in ((" \n", "the clause is empty"), ("x" * 50_001, "has 50001 characters; at most 50000"), ("a\x00b", "zero byte"),
                       ("half \ud83d", "half a character")):
        with pytest.raises(DeskError, match=said):
            desk.edit_draft(row.id, author="ann", text=text, version=1)
    assert desk.draft(row.id) == row


def test_unknown_drafts_and_authors_are_told(desk: Desk, begin: Begin) -> None:
    with pytest.raises(NotFound, match="no draft 99"):
        desk.draft(99)
    with pytest.raises(NotFound, match="no user 'zoe'"):
        begin(author="zoe")


def test_drafts_are_listed_by_state_and_author_the_last_changed_first(desk: Desk, begin: Begin) -> None:
    first, second, third = begin(), begin(author="bo"), begin()
    desk.edit_draft(first.id, author="ann", text="changed last", version=1)
    desk.submit_draft(third.id, author="ann")
    assert [row.id for row in desk.drafts()] == [third.id, first.id, second.id]
    assert [row.id for row in desk.drafts(author="ann")] == [third.id, first.id]
    assert [row.id for row in desk.drafts(state="draft")] == [first.id, second.id]


def test_errors_are_told_in_the_language_of_the_page(desk: Desk) -> None:
    with pytest.raises(NotFound) as caught:
        desk.draft(99)
    assert caught.value.told("zh") == "不存在编号为 99 的草稿。请从草稿列表中选择。"
    assert caught.value.told("en") == str(caught.value)
    assert len({caught.value.told(language) for language in LANGUAGES}) == 2


def test_putting_clauses_twice_adds_them_once_and_brings_them_up_to_date(desk: Desk) -> None:
    clause = LibraryClause(id="en-x", clause_type="term", language="en", title="Term", text="Two years.", source="ours", licence="CC0-1.0",
                           keywords=("term", "期限"))
    other = clause.model_copy(update={"id": "zh-x", "language": "zh"})
    assert desk.put_clauses([clause, other]) == 2
    assert desk.put_clauses([clause, other]) == 0
    assert desk.clauses() == [clause, other]
    assert desk.clauses(language="zh") == [other]
    assert desk.clauses(clause_type="survival") == []
    mended = clause.model_copy(update={"text": "Three years."})
    assert desk.put_clauses([mended]) == 0
    assert desk.clauses(language="en") == [mended]
    assert [row.facts for row in desk.audit() if row.action == "put clauses"] == [{"changed": 0, "new": 2}, {"changed": 1, "new": 0}]
