"""Keys of programs: what each may do, for whose work, how much of it, and until when. Only hashes of keys are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tutelage.core.errors import InputError
from tutelage.core.permission import EVERYONE, parse
from tutelage.desk import audit
from tutelage.desk.audit import OPERATOR
from tutelage.desk.errors import DeskError
from tutelage.desk.passwords import hash_key, make_key
from tutelage.desk.records import Key, Limits
from tutelage.desk.tables import KeyTable

SCOPES = ("generate", "admin", "metrics")  # what a key may be for
NO_LIMITS = Limits()


def check_wish(label: str, *, scopes: Sequence[str], permission: str, expires_at: datetime | None) -> None:
    """Raise DeskError for what no key can have."""
    if not label.strip():
        raise DeskError("desk.no_label")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise DeskError("desk.unknown_scope", scope=unknown[0] if unknown else "", scopes=", ".join(SCOPES))
    if expires_at is not None and expires_at.tzinfo is None:
        raise DeskError("desk.naive_time", time=expires_at.isoformat())
    try:
        parse(permission)
    except InputError as error:
        raise DeskError("desk.bad_permission", cause=str(error)) from None


def new(session: Session, label: str, *, scopes: Sequence[str], models: Sequence[str] = (), expires_at: datetime | None = None,
        permission: str = EVERYONE, limits: Limits = NO_LIMITS, replace: bool = False) -> str:
    """Add a key and give its secret."""
    until = expires_at.astimezone(UTC).isoformat() if expires_at else None
    secret = make_key()
    if replace:
        session.execute(delete(KeyTable).where(KeyTable.label == label))
    session.add(KeyTable(label=label, key_hash=hash_key(secret), scopes=tuple(scopes), models=tuple(models), expires_at=until,
                         created_at=audit.now(), permission=permission, **limits.model_dump()))
    session.flush()
    facts = {"scopes": " ".join(scopes), "models": " ".join(models), "expires_at": until or "", "permission": permission}
    told = {name: value for name, value in limits.model_dump().items() if value is not None}
    audit.append(session, actor=OPERATOR, action="new key", subject=label, facts=facts | told)
    return secret


def find(session: Session, secret: str) -> Key | None:
    """What the key may do, or None for an unknown or expired one."""
    row = session.scalars(select(KeyTable).where(KeyTable.key_hash == hash_key(secret))).one_or_none()
    if row is None:
        return None
    found = record(row)
    return found if found.is_valid(datetime.now(UTC)) else None


def listed(session: Session) -> list[Key]:
    """All keys by label, the expired ones too."""
    return [record(row) for row in session.scalars(select(KeyTable).order_by(KeyTable.label))]


def record(row: KeyTable) -> Key:
    """The key without its hash."""
    until = datetime.fromisoformat(row.expires_at) if row.expires_at else None
    limits = Limits(requests_per_minute=row.requests_per_minute, tokens_per_minute=row.tokens_per_minute, parallel=row.parallel)
    return Key(label=row.label, scopes=row.scopes, models=row.models, expires_at=until, permission=row.permission, limits=limits)
