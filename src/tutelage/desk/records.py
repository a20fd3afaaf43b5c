"""What leaves the desk: plain records, never rows that are tied to a database session."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from tutelage.core.permission import EVERYONE
from tutelage.core.records import Language, Record

UserRole = Literal["drafter", "reviewer", "admin"]
DraftState = Literal["draft", "submitted", "approved", "returned"]


class User(Record):
    """A person who may sign in. Drafters write; reviewers and admins also decide on the drafts of others."""

    name: str
    role: UserRole
    language: Language


class Limits(Record):
    """How much a key may ask; None: as much as the endpoint gives anybody."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    parallel: Annotated[int, Field(ge=1)] | None = None


class Key(Record):
    """What a key may do: `scopes` such as "generate", `models` it may ask ((): all), and until when (None: for ever).

    `permission` is the label of whose work it is for, such as "client:acme matter:7": it reaches nothing that is for others.
    """

    label: str
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    expires_at: datetime | None
    permission: str = EVERYONE
    limits: Limits = Limits()

    def is_valid(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or self.expires_at > now


class DraftRow(Record):
    """A draft on its way: `draft` is what the model wrote and never changes, `text` what people made of it.

    `sources` are the ids of the library clauses that were shown beside it. `version` rises with every change; an edit
    names the version that it saw. `approver` is who decided last ("": nobody yet). `permission` says who may use it. Times are UTC,
    ISO 8601.
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
    permission: str = EVERYONE

    @property
    def text_sha256(self) -> str:
        """Names exactly the text that is read; a decision must carry it."""
        return text_sha256(self.text)


class GivenLabel(Record):
    """What one person said of a clause: a type, or "none"."""

    person: str
    clause_type: str


class LabelAnswer(Record):
    """A person's answer on a clause and what came of it: `others` answered too, by time; `confirmed` is the agreed type, "" for
    none yet.
    """

    item: str
    clause_type: str
    others: tuple[GivenLabel, ...]
    confirmed: str


class Disagreement(Record):
    """A clause of which people said different things, so that one more person has to decide."""

    item: str
    heading: str
    text: str
    language: Language
    given: tuple[GivenLabel, ...]


class LabelCounts(Record):
    """How far the labelling of a dataset's clauses is.

    `yours`, `skipped` and `left` are a person's own: answered, passed over, still to be answered. Of the `confirmed` clauses
    `suggested` had a suggestion of the rules, and people kept it in `suggestion_kept` of these.
    """

    items: int
    confirmed: int
    disputed: int
    yours: int
    skipped: int
    left: int
    suggested: int
    suggestion_kept: int


class PairAgreement(Record):
    """How often two people gave the same label to the `n` clauses that both were the first to answer.

    `low` and `high` bound the share with 95 % confidence. `kappa` is None where it is not defined: both gave one and the same
    type to all of them.
    """

    first: str
    second: str
    n: int
    agreed: int
    low: float
    high: float
    kappa: float | None


class Agreement(Record):
    """The same over all pairs of people: of `n` clauses with two independent answers the two were equal in `agreed`."""

    n: int
    agreed: int
    low: float
    high: float
    pairs: tuple[PairAgreement, ...]


class StoredCompletion(Record):
    """A chat completion that a client asked to be kept. `body` is the answer as JSON, `messages` the list of what was asked as JSON."""

    id: str
    created: int
    model: str
    body: str
    messages: str
    metadata: dict[str, str]


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
