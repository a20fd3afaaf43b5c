"""The desk: everything that people and programs may ask of the database."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tutelage.core.permission import EVERYONE
from tutelage.core.records import Language, LibraryClause, Override, Verdict
from tutelage.desk import audit, drafts, keys, overrides
from tutelage.desk.audit import OPERATOR
from tutelage.desk.completions import Completions, forget_owner
from tutelage.desk.connection import connect, reading, writing
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.labels import Labels
from tutelage.desk.passwords import hash_of_nobody, hash_password, is_password
from tutelage.desk.receipts import Receipts
from tutelage.desk.records import AuditRow, DraftRow, DraftState, Key, Limits, User, UserRole
from tutelage.desk.tables import ClauseTable, KeyTable, UserTable

__all__ = ["AuditRow", "Desk", "DraftRow", "DraftState", "Key", "User", "UserRole", "open_desk"]

LONGEST_NAME = 64


def open_desk(url: str) -> Desk:
    """The desk at `url`, such as "sqlite:///desk.sqlite" or "postgresql://host/tutelage"; made if there is none.

    Raises DeskError if it cannot be opened, is not a desk, or was made by a newer version.
    """
    return Desk(connect(url))


class Desk:
    """One open desk; safe to use from several threads, and beside other processes on the same database.

    Every change appends to the audit chain in its own transaction: both happen, or neither. `labels` is the labelling queue,
    `completions` are the chat completions that clients asked to be kept, `receipts` what stands behind each answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.labels = Labels(engine)
        self.completions = Completions(engine)
        self.receipts = Receipts(engine)
        self._nobody = hash_of_nobody()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # people

    def add_user(self, name: str, password: str, *, role: UserRole, language: Language = "en") -> User:
        """Add a person. Raises DeskError for a name that is taken in any spelling, an unknown role or language, or a short password."""
        shown = _check_name(name)
        if role not in ("drafter", "reviewer", "admin"):
            raise DeskError("desk.unknown_role", role=role)
        if language not in ("en", "zh"):
            raise DeskError("desk.unknown_language", wanted=language)
        kept = hash_password(password)
        row = UserTable(name=shown, folded=_folded(shown), role=role, language=language, password_hash=kept, created_at=audit.now())
        try:
            with writing(self._engine) as session:
                session.add(row)
                session.flush()
                audit.append(session, actor=OPERATOR, action="add user", subject=shown, facts={"role": role, "language": language})
        except IntegrityError:
            raise DeskError("desk.name_taken", name=shown) from None
        return _user(row)

    def set_password(self, name: str, password: str) -> None:
        """Give a person another password. Raises NotFound for an unknown name."""
        kept = hash_password(password)
        with writing(self._engine) as session:
            row = _find_user(session, name)
            if row is None:
                raise NotFound("desk.no_user", name=name)
            row.password_hash = kept
            audit.append(session, actor=OPERATOR, action="set password", subject=row.name, facts={})

    def sign_in(self, name: str, password: str) -> User | None:
        """The person, or None; an unknown name takes as long as a wrong password."""
        with reading(self._engine) as session:
            row = _find_user(session, name)
        is_right = is_password(password, row.password_hash if row else self._nobody)
        return _user(row) if row and is_right else None

    def user(self, name: str) -> User | None:
        """The person of that name, or None."""
        with reading(self._engine) as session:
            row = _find_user(session, name)
            return _user(row) if row else None

    # keys of programs

    def new_key(self, label: str, *, scopes: Sequence[str] = ("generate",), models: Sequence[str] = (),
                expires_at: datetime | None = None, permission: str = EVERYONE, limits: Limits = keys.NO_LIMITS,
                replace: bool = False) -> str:
        """A new key, shown this once. With `replace` the old key of that label ends; without, a taken label is refused."""
        keys.check_wish(label, scopes=scopes, permission=permission, expires_at=expires_at)
        try:
            with writing(self._engine) as session:
                return keys.new(session, label, scopes=scopes, models=models, expires_at=expires_at, permission=permission, limits=limits,
                                replace=replace)
        except IntegrityError:
            raise DeskError("desk.label_taken", label=label) from None

    def check_key(self, key: str) -> Key | None:
        """What the key may do, or None for an unknown or expired one."""
        with reading(self._engine) as session:
            return keys.find(session, key)

    def keys(self) -> list[Key]:
        """All keys by label, the expired ones too; never the keys themselves."""
        with reading(self._engine) as session:
            return keys.listed(session)

    def end_key(self, label: str) -> None:
        """Make a key worthless, from the next request on, and delete what it kept. Raises NotFound for an unknown label."""
        with writing(self._engine) as session:
            row = session.get(KeyTable, label)
            if row is None:
                raise NotFound("desk.no_key", label=label)
            session.delete(row)
            # Who is given this label later must not find what was kept under it.
            forgotten = forget_owner(session, f"key {label}")
            audit.append(session, actor=OPERATOR, action="end key", subject=label, facts={"forgotten": forgotten} if forgotten else {})

    # the clause library

    def put_clauses(self, rows: Sequence[LibraryClause]) -> int:
        """Put clauses into the library; gives how many are new. A clause that is there already is brought up to date."""
        with writing(self._engine) as session:
            kept = {row.id: row for row in session.scalars(select(ClauseTable))}
            new = changed = 0
            for clause in rows:
                there = kept.get(clause.id)
                if there is None:
                    kept[clause.id] = ClauseTable(**clause.model_dump())
                    session.add(kept[clause.id])
                    new += 1
                elif _clause(there) != clause:
                    for name, value in clause.model_dump().items():
                        setattr(there, name, value)
                    changed += 1
            if new or changed:
                audit.append(session, actor=OPERATOR, action="put clauses", subject="library", facts={"new": new, "changed": changed})
        return new

    def relabel_clauses(self, rows: Sequence[LibraryClause]) -> int:
        """Write the permission of these clauses to those that the library holds already, add none; gives how many changed."""
        wanted = {clause.id: clause.permission for clause in rows}
        with writing(self._engine) as session:
            changed = [row for row in session.scalars(select(ClauseTable)) if wanted.get(row.id, row.permission) != row.permission]
            for row in changed:
                row.permission = wanted[row.id]
            if changed:
                audit.append(session, actor=OPERATOR, action="relabel clauses", subject="library", facts={"changed": len(changed)})
        return len(changed)

    def clauses(self, *, language: Language | None = None, clause_type: str | None = None) -> list[LibraryClause]:
        """The library, or the part of it in a language or of a type, by type and id."""
        query = select(ClauseTable).order_by(ClauseTable.clause_type, ClauseTable.id)
        if language:
            query = query.where(ClauseTable.language == language)
        if clause_type:
            query = query.where(ClauseTable.clause_type == clause_type)
        with reading(self._engine) as session:
            return [_clause(row) for row in session.scalars(query)]

    # drafts

    def new_draft(self, *, clause_type: str, keywords: Sequence[str], language: Language, model: str, is_gated: bool, draft: str,
                  sources: Sequence[str], author: str, permission: str = EVERYONE) -> DraftRow:
        """Keep what a model (or the library) proposed, as `author`'s draft. Its text begins as the draft; `permission` never changes."""
        with writing(self._engine) as session:
            return drafts.new(session, drafts.NewDraft(
                clause_type=clause_type, keywords=tuple(keywords), language=language, model=model, is_gated=is_gated, draft=draft,
                sources=tuple(sources), author=author, permission=permission))

    def edit_draft(self, draft_id: int, *, author: str, text: str, version: int) -> DraftRow:
        """Change the text. `version` is the one that the author saw; if it is not the newest, StaleDraft is raised and
        nothing is overwritten. A returned draft becomes a draft again.
        """
        with writing(self._engine) as session:
            return drafts.edit(session, draft_id, author=author, text=text, version=version)

    def submit_draft(self, draft_id: int, *, author: str) -> DraftRow:
        """Hand the draft to a second person; from here its text stands still until it is decided on."""
        with writing(self._engine) as session:
            return drafts.submit(session, draft_id, author=author)

    def decide_draft(self, draft_id: int, *, approver: str, approve: bool, comment: str, text_sha256: str) -> DraftRow:
        """Approve or return a submitted draft. `text_sha256` is that of the text that the approver read.

        Raises NotAllowed for the author or a drafter, WrongState if it was not submitted, StaleDraft if the text is another.
        """
        with writing(self._engine) as session:
            return drafts.decide(session, draft_id, approver=approver, approve=approve, comment=comment, text_sha256=text_sha256)

    def draft(self, draft_id: int) -> DraftRow:
        """One draft. Raises NotFound."""
        with reading(self._engine) as session:
            return drafts.record(drafts.find(session, draft_id))

    def drafts(self, *, state: DraftState | None = None, author: str | None = None) -> list[DraftRow]:
        """Drafts in a state or of an author, the one changed last first."""
        with reading(self._engine) as session:
            return drafts.listed(session, state=state, author=author)

    # gates that the evidence does not decide

    def override_gate(self, *, scores_id: str, gate_sha256: str, verdict: Verdict, candidate: str, person: str, reason: str) -> Override:
        """Record that a person answers for serving a copy. Raises NotFound, NotAllowed, WrongState, or DeskError for no reason."""
        with writing(self._engine) as session:
            return overrides.override(session, scores_id=scores_id, gate_sha256=gate_sha256, verdict=verdict, candidate=candidate,
                                      person=person, reason=reason)

    def withdraw_override(self, scores_id: str, *, person: str, reason: str) -> int:
        """Record that nobody answers for these scores any more; gives how many did. Raises as `override_gate`."""
        with writing(self._engine) as session:
            return overrides.withdraw(session, scores_id, person=person, reason=reason)

    def overrides(self, scores_id: str) -> tuple[Override, ...]:
        """Who answers for serving what these scores did not decide, the first one first. Raises ChainBroken if the chain does not hold."""
        with reading(self._engine) as session:
            found = overrides.standing(session, scores_id)
            if found:
                audit.check(session)
            return found

    def overridden(self) -> tuple[str, ...]:
        """All scores for which anybody ever answered."""
        with reading(self._engine) as session:
            return tuple(overrides.overridden(session))

    # the audit chain

    def model_taken_off(self, name: str, *, actor: str, model_id: str) -> None:
        """Record that somebody took a model off the door."""
        with writing(self._engine) as session:
            audit.append(session, actor=actor, action="take off model", subject=name, facts={"model_id": model_id})

    def audit(self) -> list[AuditRow]:
        """Everything that was done, from the first action."""
        with reading(self._engine) as session:
            return audit.rows(session)

    def check_audit(self) -> None:
        """Raise ChainBroken if a link, or an approved draft, was changed or removed past the desk."""
        with reading(self._engine) as session:
            audit.check(session)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _check_name(name: str) -> str:
    shown = unicodedata.normalize("NFKC", name).strip()
    if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
        raise DeskError("desk.bad_name", length=len(shown), longest=LONGEST_NAME)
    return shown


def _find_user(session: Session, name: str) -> UserTable | None:
    return session.scalars(select(UserTable).where(UserTable.folded == _folded(name))).one_or_none()


def _user(row: UserTable) -> User:
    return User.model_validate({"name": row.name, "role": row.role, "language": row.language})


def _clause(row: ClauseTable) -> LibraryClause:
    return LibraryClause.model_validate({name: row.__dict__[name] for name in LibraryClause.model_fields})
