"""A request for a clause, the model's draft of it as it streams, and candidates with their provenance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.errors import InputError
from tutelage.core.records import Answer, Language, Record
from tutelage.drafting.known_types import unknown_type
from tutelage.drafting.search import Hit, split_keywords
from tutelage.drafting.settings import DraftingSettings, Opening
from tutelage.prompts.clause import clause_messages
from tutelage.text.clause_types import CLAUSE_TYPES

MOST_KEYWORDS = 12
LONGEST_KEYWORD = 60


class ClauseRequest(Record):
    """What a person asks for. Build it with `request_clause`, which tells mistakes in plain words."""

    clause_type: str
    keywords: tuple[str, ...] = Field(min_length=1, max_length=MOST_KEYWORDS)
    language: Language

    @field_validator("clause_type")
    @classmethod
    def _known(cls, value: str) -> str:
        if mistake := unknown_type(value):
            raise ValueError(mistake)
        return value


class Provenance(Record):
    """Where a candidate comes from. For a clause of the library `clause_id`, `title`, `source`, `licence`, `score` and
    `matched` say which and why, and `permission` who may use it; for a draft `model` names who wrote it and `is_gated` whether
    that model passed its gate.
    """

    source: str
    licence: str = ""
    permission: str = ""
    clause_id: str = ""
    title: str = ""
    score: float = 0.0
    matched: tuple[str, ...] = ()
    model: str = ""
    is_gated: bool = False
    finish_reason: Literal["", "stop", "length"] = ""


class Candidate(Record):
    """A text to begin from."""

    kind: Literal["library", "model"]
    text: str
    clause_type: str
    language: Language
    provenance: Provenance


def request_clause(clause_type: str, keywords: str | tuple[str, ...] | list[str], language: str) -> ClauseRequest:
    """A checked request. Raises InputError that names the mistake and, for an unknown type, the nearest one."""
    kind = clause_type.strip()
    if mistake := unknown_type(kind):
        raise InputError(mistake)
    if language not in ("en", "zh"):
        raise InputError(f"language is {language!r}; a clause is drafted in en or zh. Choose one of them.")
    words = split_keywords(keywords)
    if not words:
        raise InputError("keywords: there are none. Type at least one word that the clause is about, such as 保密期限.")
    if len(words) > MOST_KEYWORDS:
        raise InputError(f"keywords: there are {len(words)}; at most {MOST_KEYWORDS} are used. Keep the most important.")
    long = next((word for word in words if len(word) > LONGEST_KEYWORD), None)
    if long:
        raise InputError(f"keywords: {long[:20]!r}... has {len(long)} characters; at most {LONGEST_KEYWORD} are allowed. "
                         "Part words by commas.")
    return ClauseRequest.model_validate({"clause_type": kind, "keywords": words, "language": language})


def opening_request(opening: Opening, page: Language) -> ClauseRequest:
    """What the form holds when a page in that language opens. Raises InputError for keywords that cannot be asked for."""
    language = opening.language or page
    return request_clause(opening.clause_type, opening.keywords or CLAUSE_TYPES[opening.clause_type].name(language), language)


def stream_draft(engine: Engine, chat_format: ChatFormat, request: ClauseRequest, settings: DraftingSettings) -> Iterator[str | Answer]:
    """Pieces of the model's draft as they come, and at the end the Answer. Closing the iterator stops the model."""
    messages = clause_messages(request.clause_type, request.keywords, request.language)
    prompt = render(messages, chat_format, engine, reply=True)
    yield from engine.stream(prompt.ids, settings.sampling(), end_ids=(end_id(chat_format, engine),))


def from_hit(hit: Hit) -> Candidate:
    """A clause of the library as a candidate."""
    clause = hit.clause
    return Candidate(kind="library", text=clause.text, clause_type=clause.clause_type, language=clause.language,
                     provenance=Provenance(source=clause.source, licence=clause.licence, permission=clause.permission, clause_id=clause.id,
                                           title=clause.title, score=hit.score, matched=hit.matched))


def from_answer(answer: Answer, request: ClauseRequest, *, is_gated: bool) -> Candidate:
    """A model's draft as a candidate."""
    return Candidate(kind="model", text=answer.text, clause_type=request.clause_type, language=request.language,
                     provenance=Provenance(source="model", model=answer.model, is_gated=is_gated, finish_reason=answer.finish_reason))
