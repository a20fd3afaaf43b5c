"""Who may do what with a draft: submit, approve, give back. The desk decides; here people are told before they ask."""

from __future__ import annotations

from tutelage.desk.desk import Desk, DraftRow, User

DECIDERS = ("reviewer", "admin")


def may_edit(user: User, draft: DraftRow) -> bool:
    """Whether this person may change and submit the draft: its author, until it is submitted."""
    return user.name == draft.author and draft.state in ("draft", "returned")


def may_decide(user: User, draft: DraftRow) -> bool:
    """Whether this person may approve or return the draft: a reviewer or an admin who did not write it."""
    return draft.state == "submitted" and user.name != draft.author and user.role in DECIDERS


def may_read(user: User, draft: DraftRow) -> bool:
    """Whether this person may open the draft: its author, and those who decide on drafts once it is submitted."""
    return user.name == draft.author or (user.role in DECIDERS and draft.state != "draft")


def submit(desk: Desk, draft_id: int, *, user: User) -> DraftRow:
    """Hand the draft to a second person. Raises NotAllowed for anybody but its author, WrongState if it is under way."""
    return desk.submit_draft(draft_id, author=user.name)


def approve(desk: Desk, draft_id: int, *, user: User, text_sha256: str, comment: str = "") -> DraftRow:
    """Approve the text that was read. Raises NotAllowed, WrongState or StaleDraft; then nothing was changed."""
    return desk.decide_draft(draft_id, approver=user.name, approve=True, comment=comment, text_sha256=text_sha256)


def give_back(desk: Desk, draft_id: int, *, user: User, text_sha256: str, comment: str) -> DraftRow:
    """Return the draft to its author with a comment that says what to change. Raises as `approve`, and for no comment."""
    return desk.decide_draft(draft_id, approver=user.name, approve=False, comment=comment, text_sha256=text_sha256)

