"""What may happen to a draft, inside one transaction. The database's own guards hold the same rules behind it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tutelage.core.records import Language, Record
from tutelage.desk import audit
from tutelage.desk.errors import DeskError, NotAllowed, NotFound, StaleDraft, WrongState
from tutelage.desk.records import DraftRow, DraftState, text_sha256
from tutelage.desk.tables import DraftTable, UserTable

LONGEST_TEXT = 50_000
DECIDERS = ("reviewer", "admin")


class NewDraft(Record):
    """What a draft begins with."""

    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    model: str
    is_gated: bool
    draft: str
    sources: tuple[str, ...]
    author: str
    permission: str


def find(session: Session, draft_id: int) -> DraftTable:
    """The draft's row. Raises NotFound."""
    row = session.get(DraftTable, draft_id)
    if row is None:
        raise NotFound("desk.no_draft", draft=draft_id)
    return row


def new(session: Session, begun: NewDraft) -> DraftRow:
    """Add a draft in state draft."""
    _check_text(begun.draft)
    check_letters(*begun.keywords, begun.model, *begun.sources)
    author = user_row(session, begun.author)
    at = audit.now()
    row = DraftTable(**begun.model_dump(exclude={"author"}), author=author.name, text=begun.draft, state="draft", comment="", approver=None,
                     created_at=at, updated_at=at, version=1)
    session.add(row)
    session.flush()
    audit.append(session, actor=author.name, action="new draft", subject=str(row.id),
                 facts={"clause_type": row.clause_type, "model": row.model, "is_gated": row.is_gated, "text_sha256": text_sha256(row.text)})
    return record(row)


def edit(session: Session, draft_id: int, *, author: str, text: str, version: int) -> DraftRow:
    """Change the text, if `version` is the newest."""
    _check_text(text)
    row = find(session, draft_id)
    _check_author(row, author)
    if row.state not in ("draft", "returned"):
        raise WrongState("desk.edit_state", draft=draft_id, state=row.state)
    if row.version != version:
        raise StaleDraft("desk.stale", draft=draft_id, version=version, newest=row.version)
    row.text, row.state = text, "draft"
    return _changed(session, row, actor=row.author, action="edit", facts={"text_sha256": text_sha256(text)})


def submit(session: Session, draft_id: int, *, author: str) -> DraftRow:
    """Hand the draft to a second person."""
    row = find(session, draft_id)
    _check_author(row, author)
    if row.state not in ("draft", "returned"):
        raise WrongState("desk.submit_state", draft=draft_id, state=row.state)
    row.state = "submitted"
    return _changed(session, row, actor=row.author, action="submit", facts={"text_sha256": text_sha256(row.text)})


def decide(session: Session, draft_id: int, *, approver: str, approve: bool, comment: str, text_sha256: str) -> DraftRow:
    """Approve or return a submitted draft."""
    row = find(session, draft_id)
    person = user_row(session, approver)
    if person.name == row.author:
        raise NotAllowed("desk.own_draft", draft=draft_id, name=person.name)
    if person.role not in DECIDERS:
        raise NotAllowed("desk.decide_role", name=person.name, role=person.role)
    if row.state != "submitted":
        raise WrongState("desk.decide_state", draft=draft_id, state=row.state)
    if record(row).text_sha256 != text_sha256:
        raise StaleDraft("desk.other_text", draft=draft_id)
    if not approve and not comment.strip():
        raise DeskError("desk.no_comment", draft=draft_id)
    if len(comment) > LONGEST_TEXT:
        raise DeskError("desk.long_text", length=len(comment), longest=LONGEST_TEXT)
    check_letters(comment)
    row.state, row.approver, row.comment = "approved" if approve else "returned", person.name, comment.strip()
    return _changed(session, row, actor=person.name, action="approve" if approve else "return",
                    facts={"text_sha256": text_sha256, "comment": row.comment})


def listed(session: Session, *, state: DraftState | None, author: str | None) -> list[DraftRow]:
    """Drafts, the one changed last first."""
    query = select(DraftTable).order_by(DraftTable.updated_at.desc(), DraftTable.id.desc())
    if state:
        query = query.where(DraftTable.state == state)
    if author:
        query = query.where(DraftTable.author == author)
    return [record(row) for row in session.scalars(query)]


def record(row: DraftTable) -> DraftRow:
    """The row as a record."""
    values = {name: row.__dict__[name] for name in DraftRow.model_fields}
    return DraftRow.model_validate({**values, "approver": row.approver or ""})


def _changed(session: Session, row: DraftTable, *, actor: str, action: str, facts: dict[str, str | int | bool]) -> DraftRow:
    row.version += 1
    row.updated_at = audit.now()
    session.flush()
    audit.append(session, actor=actor, action=action, subject=str(row.id), facts={**facts, "version": row.version})
    return record(row)


def user_row(session: Session, name: str) -> UserTable:
    """The person's row. Raises NotFound."""
    row = session.get(UserTable, name)
    if row is None:
        raise NotFound("desk.no_user", name=name)
    return row


def _check_author(row: DraftTable, author: str) -> None:
    if row.author != author:
        raise NotAllowed("desk.not_author", draft=row.id, name=author)


def _check_text(text: str) -> None:
    if not text.strip():
        raise DeskError("desk.empty_text")
    if len(text) > LONGEST_TEXT:
        raise DeskError("desk.long_text", length=len(text), longest=LONGEST_TEXT)
    check_letters(text)


def check_letters(*texts: str) -> None:
    """Refuse what no database keeps: zero bytes and halves of surrogate pairs."""
    if any("\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text) for text in texts):
        raise DeskError("desk.bad_text")
