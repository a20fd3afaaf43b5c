"""What leaves the desk: plain records, never rows that are tied to a database session."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Literal

from tutelage.core.records import Language, Record

UserRole = Literal["drafter", "reviewer", "admin"]
DraftState = Literal["draft", "submitted", "approved", "returned"]


class User(Record):
    """A person who may sign in. Drafters write; reviewers and admins also decide on the drafts of others."""

    name: str
    role: UserRole
    language: Language


class Key(Record):
    """What a key may do: `scopes` such as "generate", `models` it may ask ((): all), and until when (None: for ever)."""

    label: str
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    expires_at: datetime | None


class DraftRow(Record):
    """A draft on its way: `draft` is what the model wrote and never changes, `text` what people made of it.

    `sources` are the ids of the library clauses that were shown beside it. `version` rises with every change; an edit
    names the version that it saw. `approver` is who decided last ("": nobody yet). Times are UTC, ISO 8601.
    """

    id: int
    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    model: str
    is_gated: bool
    draft: str
    text: str
    sources: tuple[str, ...]
    author: str
    state: DraftState
    comment: str
    approver: str
    created_at: str
    updated_at: str
    version: int

    @property
    def text_sha256(self) -> str:
        """Names exactly the text that is read; a decision must carry it."""
        return text_sha256(self.text)


class AuditRow(Record):
    """One link of the audit chain: `hash` covers all other fields, `previous` is the hash of the row before."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    facts: dict[str, str | int | bool]
    previous: str
    hash: str


def text_sha256(text: str) -> str:
    """Hex SHA-256 of a text in UTF-8."""
    return sha256(text.encode()).hexdigest()
