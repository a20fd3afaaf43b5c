"""The tables of the desk for SQLAlchemy; the migrations make them, with the triggers that guard them."""

from __future__ import annotations

import json

from sqlalchemy import BigInteger, CheckConstraint, Dialect, ForeignKey, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Words(TypeDecorator[tuple[str, ...]]):
    """Several strings in one text column, as a JSON array: both databases compare it, so triggers can guard it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        """From the database."""
        return None if value is None else tuple(json.loads(value))


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {str: Text, tuple[str, ...]: Words}  # noqa: RUF012 - SQLAlchemy reads a plain dict


class UserTable(Table):
    """People. `folded` is the name in one spelling, so that "Ann" and "ann" cannot be two pairs of eyes."""

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(primary_key=True)
    folded: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    language: Mapped[str]
    password_hash: Mapped[str]
    created_at: Mapped[str]
    __table_args__ = (CheckConstraint("role IN ('drafter', 'reviewer', 'admin')", name="known_role"),)


class KeyTable(Table):
    """Keys of programs; only the SHA-256 of a key is kept. A limit that is None is none; `permission` is whose work the key is for."""

    __tablename__ = "keys"
    label: Mapped[str] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[tuple[str, ...]]
    models: Mapped[tuple[str, ...]]
    expires_at: Mapped[str | None]
    created_at: Mapped[str]
    permission: Mapped[str]
    requests_per_minute: Mapped[int | None]
    tokens_per_minute: Mapped[int | None]
    parallel: Mapped[int | None]


class ClauseTable(Table):
    """The clause library."""

    __tablename__ = "clauses"
    id: Mapped[str] = mapped_column(primary_key=True)
    clause_type: Mapped[str] = mapped_column(index=True)
    language: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    keywords: Mapped[tuple[str, ...]]
    text: Mapped[str]
    source: Mapped[str]
    licence: Mapped[str]
    permission: Mapped[str]


class DraftTable(Table):
    """Drafts and what was decided on them."""

    __tablename__ = "drafts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    clause_type: Mapped[str]
    keywords: Mapped[tuple[str, ...]]
    language: Mapped[str]
    model: Mapped[str]
    is_gated: Mapped[bool]
    draft: Mapped[str]
    text: Mapped[str]
    sources: Mapped[tuple[str, ...]]
    author: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    state: Mapped[str] = mapped_column(index=True)
    comment: Mapped[str]
    approver: Mapped[str | None] = mapped_column(ForeignKey("users.name"))
    created_at: Mapped[str]
    updated_at: Mapped[str]
    version: Mapped[int]
    permission: Mapped[str]
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'submitted', 'approved', 'returned')", name="known_state"),
        CheckConstraint("approver IS NULL OR approver <> author", name="four_eyes"),
        CheckConstraint("state NOT IN ('approved', 'returned') OR approver IS NOT NULL", name="decided_by_somebody"),
        {"sqlite_autoincrement": True},
    )


class LabelItemTable(Table):
    """Clauses that people give a type to. `dataset` is the one that listed the clause last; `clause_type` is None until it is confirmed."""

    __tablename__ = "label_items"
    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    dataset: Mapped[str] = mapped_column(index=True)
    text: Mapped[str]
    heading: Mapped[str]
    language: Mapped[str]
    suggested: Mapped[str]
    document_id: Mapped[str]
    source: Mapped[str]
    clause_type: Mapped[str | None]
    confirmed_at: Mapped[str | None]
    __table_args__ = (CheckConstraint("(clause_type IS NULL) = (confirmed_at IS NULL)", name="confirmed_whole"),)


class LabelTable(Table):
    """What each person said of a clause: a type, "none" (no clause worth learning) or "skip" (no answer)."""

    __tablename__ = "labels"
    item: Mapped[str] = mapped_column(ForeignKey("label_items.id"), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("users.name"), primary_key=True, index=True)
    clause_type: Mapped[str]
    at: Mapped[str]


class CompletionTable(Table):
    """Chat completions that a client asked to be kept; `body` and `messages` are JSON as they were answered and asked."""

    __tablename__ = "completions"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str] = mapped_column(index=True)
    created: Mapped[int] = mapped_column(BigInteger)
    model: Mapped[str]
    body: Mapped[str]
    messages: Mapped[str]
    facts: Mapped[str] = mapped_column("metadata")
    __table_args__ = ({"sqlite_autoincrement": True},)


class AuditTable(Table):
    """The audit chain, append only. `facts` is canonical JSON, exactly as it was hashed."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str]


class AuditHeadTable(Table):
    """One row: number and hash of the chain's last link, so that a cut-off end shows; and the lock of appenders."""

    __tablename__ = "audit_head"
    head: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str]
    __table_args__ = (CheckConstraint("head = 1", name="one_head"),)


class ReceiptTable(Table):
    """Receipts of answers, append only and chained. `body` is canonical JSON, exactly as it was hashed and signed."""

    __tablename__ = "receipts"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(unique=True)
    body: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str]
    signature: Mapped[str]


class ReceiptHeadTable(Table):
    """One row: number and hash of the newest receipt, so that a cut-off end shows."""

    __tablename__ = "receipts_head"
    head: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str]
    __table_args__ = (CheckConstraint("head = 1", name="one_receipts_head"),)
