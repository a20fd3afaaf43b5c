"""Overriding a gate that the evidence does not decide: who may, and what still stands. The audit chain is the record."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from tutelage.core.records import Override, Verdict
from tutelage.desk import audit
from tutelage.desk.drafts import DECIDERS, LONGEST_TEXT, check_letters, user_row
from tutelage.desk.errors import DeskError, NotAllowed, NotFound, WrongState
from tutelage.desk.tables import AuditTable, UserTable

GIVEN, WITHDRAWN = "override gate", "withdraw override"


def override(session: Session, *, scores_id: str, gate_sha256: str, verdict: Verdict, candidate: str, person: str,
             reason: str) -> Override:
    """Add the word of a reviewer or an admin. Raises NotAllowed for a drafter, WrongState for a second word of the same person."""
    row, said = _decider(session, person), _reason(reason)
    if any(one.person == row.name for one in standing(session, scores_id)):
        raise WrongState("desk.override_twice", name=row.name, scores=scores_id)
    audit.append(session, actor=row.name, action=GIVEN, subject=scores_id,
                 facts={"gate_sha256": gate_sha256, "verdict": verdict, "candidate": candidate, "role": row.role, "reason": said})
    return standing(session, scores_id)[-1]


def withdraw(session: Session, scores_id: str, *, person: str, reason: str) -> int:
    """End all words for these scores; gives how many stood. Any reviewer or admin may. Raises NotFound where none stands."""
    row, said = _decider(session, person), _reason(reason)
    there = standing(session, scores_id)
    if not there:
        raise NotFound("desk.no_override", scores=scores_id)
    audit.append(session, actor=row.name, action=WITHDRAWN, subject=scores_id, facts={"reason": said, "ended": len(there)})
    return len(there)


def standing(session: Session, scores_id: str) -> tuple[Override, ...]:
    """The words that stand for these scores, the oldest first."""
    found: list[Override] = []
    for link in session.scalars(select(AuditTable).where(AuditTable.action.in_((GIVEN, WITHDRAWN)), AuditTable.subject == scores_id)
                                .order_by(AuditTable.number)):
        if link.action == WITHDRAWN:
            found.clear()
        else:
            found.append(Override.model_validate({**json.loads(link.facts), "scores_id": scores_id, "person": link.actor, "at": link.at}))
    return tuple(found)


def overridden(session: Session) -> Sequence[str]:
    """All scores for which a word was ever given, whether it stands or not."""
    return session.scalars(select(AuditTable.subject).where(AuditTable.action == GIVEN).distinct()).all()


def _decider(session: Session, person: str) -> UserTable:
    row = user_row(session, person)
    if row.role not in DECIDERS:
        raise NotAllowed("desk.override_role", name=row.name, role=row.role)
    return row


def _reason(reason: str) -> str:
    said = reason.strip()
    if not said:
        raise DeskError("desk.override_reason")
    if len(said) > LONGEST_TEXT:
        raise DeskError("desk.long_text", length=len(said), longest=LONGEST_TEXT)
    check_letters(said)
    return said
