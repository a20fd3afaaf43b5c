"""Who may do what with a draft, and that the desk agrees with what the pages are told."""

import pytest

from tutelage.desk.desk import Desk, DraftRow, User
from tutelage.desk.errors import DeskError, NotAllowed, StaleDraft, WrongState
from tutelage.reviews.flow import approve, give_back, may_decide, may_edit, may_read, submit


def person(desk: Desk, name: str) -> User:
    found = desk.user(name)
    assert found is not None
    return found


def begun(desk: Desk, author: str) -> DraftRow:
    return desk.new_draft(clause_type="term", keywords=(), language="en", model="tuned", is_gated=True, draft="One year.", sources=(),
                          author=author)


def test_a_draft_is_submitted_returned_mended_and_approved(desk: Desk) -> None:
    ann, rita = person(desk, "ann"), person(desk, "rita")
    row = submit(desk, begun(desk, "ann").id, user=ann)
    row = give_back(desk, row.id, user=rita, text_sha256=row.text_sha256, comment="two years")
    assert (row.state, row.comment) == ("returned", "two years")
    row = desk.edit_draft(row.id, author="ann", text="Two years.", version=row.version)
    row = approve(desk, submit(desk, row.id, user=ann).id, user=rita, text_sha256=row.text_sha256)
    assert (row.state, row.approver, row.text) == ("approved", "rita", "Two years.")


@pytest.mark.parametrize("author, name, state, expected", [  # what is expected: may edit, may decide, may read
    ("ann", "ann", "draft", (True, False, True)), ("ann", "ann", "submitted", (False, False, True)),
    ("ann", "ann", "returned", (True, False, True)), ("ann", "ann", "approved", (False, False, True)),
    ("ann", "rita", "draft", (False, False, False)), ("ann", "rita", "submitted", (False, True, True)),
    ("ann", "ada", "submitted", (False, True, True)), ("ann", "rita", "approved", (False, False, True)),
    ("rita", "rita", "submitted", (False, False, True)), ("rita", "ann", "submitted", (False, False, False)),
])
def test_what_the_pages_offer_is_what_the_desk_allows(desk: Desk, author: str, name: str, state: str,
                                                      expected: tuple[bool, bool, bool]) -> None:
    row = begun(desk, author)
    if state != "draft":
        row = desk.submit_draft(row.id, author=author)
    if state in ("returned", "approved"):
        row = desk.decide_draft(row.id, approver="ada", approve=state == "approved", comment="so", text_sha256=row.text_sha256)
    user = person(desk, name)
    assert (may_edit(user, row), may_decide(user, row), may_read(user, row)) == expected
    edited = decided = True
    try:
        desk.edit_draft(row.id, author=name, text=row.text, version=row.version)
    except (NotAllowed, WrongState):
        edited = False
    try:
        approve(desk, row.id, user=user, text_sha256=row.text_sha256)
    except (NotAllowed, WrongState):
        decided = False
    assert (edited, decided) == expected[:2]


def test_the_author_does_not_approve_whatever_the_role(desk: Desk) -> None:
    ada = person(desk, "ada")
    row = submit(desk, begun(desk, "ada").id, user=ada)
    with pytest.raises(NotAllowed, match="nobody decides on their own draft"):
        approve(desk, row.id, user=ada, text_sha256=row.text_sha256)


def test_a_text_that_changed_after_it_was_read_is_not_approved(desk: Desk, submitted: DraftRow) -> None:
    rita = person(desk, "rita")
    read = submitted.text_sha256
    give_back(desk, submitted.id, user=rita, text_sha256=read, comment="mend")
    desk.edit_draft(submitted.id, author="ann", text="Payment is due never.", version=desk.draft(submitted.id).version)
    desk.submit_draft(submitted.id, author="ann")
    with pytest.raises(StaleDraft, match="not the one that you read"):
        approve(desk, submitted.id, user=rita, text_sha256=read)


def test_giving_back_needs_a_reason(desk: Desk, submitted: DraftRow) -> None:
    with pytest.raises(DeskError, match="Say what its author should change"):
        give_back(desk, submitted.id, user=person(desk, "rita"), text_sha256=submitted.text_sha256, comment="")
