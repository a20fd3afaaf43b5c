"""The audit chain: each action a link, written in the transaction of the action, each link holding the hash of the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tutelage.desk.errors import ChainBroken
from tutelage.desk.records import AuditRow, text_sha256
from tutelage.desk.tables import AuditHeadTable, AuditTable, DraftTable, LabelItemTable, LabelTable

OPERATOR = "operator"  # who acts from the command line or the Python API: the owner of the machine


def now() -> str:
    """This moment in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def append(session: Session, *, actor: str, action: str, subject: str, facts: Mapping[str, str | int | bool]) -> None:
    """Add a link in the session's transaction."""
    head = session.scalars(select(AuditHeadTable)).one()
    told = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
    at = now()
    number = head.number + 1
    link = _hash(number=number, at=at, actor=actor, action=action, subject=subject, facts=told, previous=head.hash)
    session.add(AuditTable(number=number, at=at, actor=actor, action=action, subject=subject, facts=told,
                           previous=head.hash, hash=link))
    session.flush()
    session.execute(update(AuditHeadTable).values(number=number, hash=link))


def rows(session: Session) -> list[AuditRow]:
    """The chain from its first link."""
    return [AuditRow(number=row.number, at=row.at, actor=row.actor, action=row.action, subject=row.subject, facts=json.loads(row.facts),
                     previous=row.previous, hash=row.hash)
            for row in session.scalars(select(AuditTable).order_by(AuditTable.number))]


def check(session: Session) -> None:
    """Raise ChainBroken at the first link that was changed, removed or added past the desk, or if an approved draft, a label
    or a confirmed type differs from what its link says.
    """
    previous, number = "", 0
    approved: dict[str, tuple[str, str]] = {}
    labels: dict[tuple[str, str], str] = {}
    confirmed: dict[str, tuple[str, str]] = {}
    for row in session.scalars(select(AuditTable).order_by(AuditTable.number)):
        number += 1
        if row.number != number:
            raise ChainBroken("desk.chain_gap", number=number, found=row.number)
        link = _hash(number=row.number, at=row.at, actor=row.actor, action=row.action, subject=row.subject, facts=row.facts,
                     previous=row.previous)
        if row.previous != previous or row.hash != link:
            raise ChainBroken("desk.chain_changed", number=number, action=row.action, at=row.at)
        previous = row.hash
        facts = json.loads(row.facts)
        if row.action == "approve":
            approved[row.subject] = (row.actor, str(facts["text_sha256"]))
        elif row.action == "label":
            labels[row.subject, row.actor] = str(facts["clause_type"])
        elif row.action == "confirm label":
            confirmed[row.subject] = (str(facts["clause_type"]), str(facts["confirmed_at"]))
    head = session.scalars(select(AuditHeadTable)).one_or_none()
    if head is None or head.number != number or head.hash != previous:
        raise ChainBroken("desk.chain_cut", number=number, expected=head.number if head else 0)
    for draft in session.scalars(select(DraftTable).where(DraftTable.state == "approved").order_by(DraftTable.id)):
        if approved.pop(str(draft.id), None) != (draft.approver, text_sha256(draft.text)):
            raise ChainBroken("desk.approval_changed", draft=draft.id)
    if approved:
        raise ChainBroken("desk.approval_gone", draft=min(approved, key=int))
    _check_labels(session, labels, confirmed)


def _check_labels(session: Session, labels: dict[tuple[str, str], str], confirmed: dict[str, tuple[str, str]]) -> None:
    found = {(row.item, row.person): row.clause_type for row in session.scalars(select(LabelTable))}
    types = {row.id: (row.clause_type, row.confirmed_at)
             for row in session.scalars(select(LabelItemTable).where(LabelItemTable.clause_type.is_not(None)))}
    for key in sorted(found.keys() | labels.keys()):
        if found.get(key) != labels.get(key):
            raise ChainBroken("desk.label_changed", item=key[0], person=key[1])
    for item in sorted(types.keys() | confirmed.keys()):
        if types.get(item) != confirmed.get(item):
            raise ChainBroken("desk.confirmation_changed", item=item)


def _hash(*, number: int, at: str, actor: str, action: str, subject: str, facts: str, previous: str) -> str:
    return sha256(json.dumps([number, at, actor, action, subject, facts, previous], ensure_ascii=False).encode()).hexdigest()
