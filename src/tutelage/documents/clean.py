"""A row made fit for learning: cleaned field by field, in a wanted language, of a wanted length, without e-mail addresses; or dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.core.edits import Edited, places_after
from tutelage.core.records import Document, Kind, Message, Place
from tutelage.documents.filters import Dropped, too_long, unfit
from tutelage.documents.mask import MaskedField, mask_fields
from tutelage.documents.paragraphs import Survey, is_long, survey
from tutelage.documents.rows import Row, Unreadable
from tutelage.documents.rules import RuleFailed, chinese_only_would_delete, rewrite
from tutelage.documents.settings import DocumentsSettings
from tutelage.guard.personal_data import Span
from tutelage.text.language import language_of
from tutelage.text.rules import Tidied
from tutelage.text.tidy import tidy

TEXT, REJECTED, TITLE, LABEL, TOOLS = "text", "rejected", "title", "label", "tools"
BETWEEN = "\n\n"
REPLIES: tuple[Kind, ...] = ("messages", "preference", "feedback")

# JSON can spell half of a character; no file of UTF-8 can hold it.
_SURROGATES = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Cleaned:
    """The document, or why the row was dropped; with what was changed on the way.

    `changes` counts the edits of all fields by rule, `edited` are those edits, `masked` the places of addresses by field, `places`
    where the text stood in the file, `would_delete` what the rule chinese_only takes or would take.
    """

    row: Row
    outcome: Document | Dropped
    changes: dict[str, int] = field(default_factory=dict)
    edited: tuple[Edited, ...] = ()
    masked: tuple[tuple[str, Span], ...] = ()
    places: tuple[Place, ...] = ()
    survey: Survey = field(default_factory=Survey)
    would_delete: Counter[str] = field(default_factory=Counter)


def clean(row: Row, settings: DocumentsSettings) -> Cleaned:
    """Clean each text of the row, check language and length, mask e-mail addresses in every field."""
    if row.problem is not None:
        return Cleaned(row, Dropped(row.problem.reason, _told(row.problem), row.problem.field, row.problem.expected))
    fields = {name: _SURROGATES.sub("\ufffd", text) for name, text in _fields(row).items()}
    try:
        tidied = {name: _tidied(name, text, row.kind, settings) for name, text in fields.items()}
    except RuleFailed as failed:
        return Cleaned(row, Dropped(f"rule:{failed.rule}", failed.detail))
    halves = sum(len(_SURROGATES.findall(text)) for text in _fields(row).values())
    changes: Counter[str] = Counter({"lone_surrogates": halves} if halves else {})
    for one in tidied.values():
        changes.update(one.changes)
    text = _all_text(row, {name: one.text for name, one in tidied.items()})
    language = language_of(text)
    counted = _chinese_only(fields, settings)
    dropped = _unfit(row, tidied, text, language, settings)
    if dropped:
        return Cleaned(row, dropped, dict(changes), would_delete=counted)
    if language not in settings.languages:
        language = settings.languages[0]
    masked = _masked({name: one.text for name, one in tidied.items()}, settings)
    return Cleaned(
        row, _document(row, language, masked), dict(changes), _edited(row.id, tidied, masked),
        tuple((name, span) for name, one in masked.items() for span in one.spans),
        _moved(row.places, tidied.get(TEXT), masked.get(TEXT)), survey(text, language), counted)


def _told(problem: Unreadable) -> str:
    """Field, what was expected and what to do, in one line."""
    expected = f"expected {problem.expected}" if problem.expected else ""
    place = ": ".join(part for part in (problem.field, expected) if part)
    return f"{place}. {problem.suggestion}" if place else problem.suggestion


def _fields(row: Row) -> dict[str, str]:
    """All texts of a row by the name of their field."""
    messages = {_message(number): message.content for number, message in enumerate(row.messages)}
    labels = {REJECTED: row.rejected, TITLE: row.title, LABEL: row.label, TOOLS: row.tools}
    return {**(messages or {TEXT: row.text}), **{name: text for name, text in labels.items() if text},
            **{f"metadata {key}": value for key, value in row.metadata}}


def _message(number: int) -> str:
    return f"message {number}"


def _tidied(name: str, text: str, kind: Kind, settings: DocumentsSettings) -> Tidied:
    """Texts that are learned go through all rules; titles, labels and metadata are only tidied; tools are data and stay."""
    if name == TOOLS:
        return Tidied(text)
    if name in (TITLE, LABEL) or name.startswith("metadata "):
        return tidy(text, settings.half_width)
    return rewrite(text, settings, is_document=kind == "text")


def _all_text(row: Row, texts: Mapping[str, str]) -> str:
    """The text of a row, or its messages and the reply that was rejected."""
    if not row.messages:
        return texts[TEXT]
    parts = [texts[_message(number)] for number in range(len(row.messages))]
    return BETWEEN.join([*parts, texts[REJECTED]] if REJECTED in texts else parts)


def _chinese_only(fields: Mapping[str, str], settings: DocumentsSettings) -> Counter[str]:
    if settings.chinese_only == "off":
        return Counter()
    learned = (text for name, text in fields.items() if name in (TEXT, REJECTED) or name.startswith("message "))
    return sum(map(chinese_only_would_delete, learned), Counter())


def _unfit(row: Row, tidied: Mapping[str, Tidied], text: str, language: str, settings: DocumentsSettings) -> Dropped | None:
    if not text.strip():
        return Dropped("empty", "There is no text in it.")
    if row.kind == "text":
        return unfit(text, language, settings, stated=dict(row.metadata).get("language", ""))
    last = _message(len(row.messages) - 1)
    if row.kind in REPLIES and not tidied[last].text.strip() and not row.tools:
        return Dropped("empty reply", f"{last} is empty: there is nothing to learn from it. Fill it in, or take the row out.")
    if row.kind == "preference" and (REJECTED not in tidied or not tidied[REJECTED].text.strip()):
        return Dropped("empty reply", "The rejected reply is empty: there is nothing to compare with. Fill it in, or take the row out.")
    if language not in settings.languages and is_long(text):
        return Dropped(f"language:{language}", f"Wanted are {', '.join(settings.languages)} (documents.languages).")
    return too_long(len(text), settings)


def _masked(texts: Mapping[str, str], settings: DocumentsSettings) -> dict[str, MaskedField]:
    return mask_fields(texts) if settings.mask_emails else {name: MaskedField(text) for name, text in texts.items()}


def _document(row: Row, language: str, masked: Mapping[str, MaskedField]) -> Document:
    texts = {name: one.text for name, one in masked.items()}
    messages = tuple(Message(role=message.role, content=texts[_message(number)]) for number, message in enumerate(row.messages))
    return Document(id=row.id, name=row.name, source=row.source, source_sha256=row.source_sha256, title=texts.get(TITLE, ""),
                    language=language, text=_all_text(row, texts), metadata={key: texts[f"metadata {key}"] for key, _ in row.metadata},
                    kind=row.kind, messages=messages, rejected=texts.get(REJECTED, ""), label=texts.get(LABEL, ""),
                    tools=texts.get(TOOLS, ""), images=row.images, permission=row.permission)


def _edited(row: str, tidied: Mapping[str, Tidied], masked: Mapping[str, MaskedField]) -> tuple[Edited, ...]:
    steps = {name: (*tidied[name].steps, *masked[name].steps) for name in tidied}
    return tuple(Edited(row=row, field=name, steps=made) for name, made in steps.items() if made)


def _moved(places: tuple[Place, ...], tidied: Tidied | None, masked: MaskedField | None) -> tuple[Place, ...]:
    """The places in the cleaned text, without those of which nothing is left."""
    if not places or tidied is None or masked is None:
        return ()
    steps = (*tidied.steps, *masked.steps)
    starts = places_after([place.start for place in places], steps)
    ends = places_after([place.end for place in places], steps)
    return tuple(place.model_copy(update={"start": start, "end": end})
                 for place, start, end in zip(places, starts, ends, strict=True) if start < end)
