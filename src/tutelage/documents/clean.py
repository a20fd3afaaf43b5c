"""A row made fit for learning: tidied, in a wanted language, long enough, without e-mail addresses; or dropped with a reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tutelage.core.records import Document
from tutelage.documents.rows import Row
from tutelage.documents.settings import DocumentsSettings
from tutelage.guard.personal_data import Span, mask_emails
from tutelage.text.language import language_of
from tutelage.text.tidy import tidy

# In two licences that say the same in Chinese and English, one Chinese character takes the place of five; four errs towards dropping.
CHINESE_CHARACTER = 4


@dataclass(frozen=True)
class Dropped:
    """Why a row goes: a short reason that can be counted, and what a person should know."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Cleaned:
    """The document, or why the row was dropped; with what was changed on the way."""

    row: Row
    outcome: Document | Dropped
    changes: dict[str, int]
    spans: tuple[Span, ...] = ()


def clean(row: Row, settings: DocumentsSettings) -> Cleaned:
    """Tidy the text, check language and length, mask e-mail addresses in the text, the title and the metadata."""
    if row.problem is not None:
        return Cleaned(row, Dropped(row.problem.reason, row.problem.suggestion), {})
    tidied = tidy(row.text)
    language = language_of(tidied.text)
    dropped = _unfit(row, tidied.text, language, settings)
    if dropped:
        return Cleaned(row, dropped, tidied.changes)
    text, title, metadata = tidied.text, tidy(row.title).text, dict(row.metadata)
    spans: tuple[Span, ...] = ()
    if settings.mask_emails:
        masked = mask_emails(text)
        text, spans = masked.text, masked.spans
        title = mask_emails(title).text
        metadata = {key: mask_emails(value).text for key, value in row.metadata}
    document = Document(id=row.id, name=row.name, source=row.source, source_sha256=row.source_sha256, title=title, language=language,
                        text=text, metadata=metadata, permission=row.permission)
    return Cleaned(row, document, tidied.changes, spans)


def _unfit(row: Row, text: str, language: str, settings: DocumentsSettings) -> Dropped | None:
    if not text.strip():
        return Dropped("empty", "There is no text in it.")
    if language not in settings.languages:
        stated = dict(row.metadata).get("language")
        says = f" The file itself says {stated}." if stated else ""
        return Dropped(f"language:{language}", f"Wanted are {', '.join(settings.languages)} (documents.languages).{says}")
    least = math.ceil(settings.min_characters / CHINESE_CHARACTER) if language == "zh" else settings.min_characters
    if len(text) < least:
        chinese = f", for Chinese {least}" if language == "zh" else ""
        return Dropped("too short", f"It has {len(text)} characters; documents.min_characters is {settings.min_characters}{chinese}.")
    return None
