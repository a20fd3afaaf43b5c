"""Clauses of documents and approved rows as candidates: with a type, or with the reason why they are none; and candidates as rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tutelage.core.files import short_hash
from tutelage.core.records import ApprovedRow, ConfirmedLabel, Document, Example, Image, Language, Message, Part, Task
from tutelage.dataset.settings import DatasetSettings
from tutelage.prompts.clause import clause_messages
from tutelage.text.clause_types import CLAUSE_TYPES, GENERAL, heading_types, told_types
from tutelage.text.clauses import Clause, cut_clauses
from tutelage.text.keywords import keywords
from tutelage.text.language import language_of

DOUBTFUL, TOLD, NAMED, SURE = 0, 1, 2, 3
NO_CLAUSE = "none"  # what people call a text that is no clause worth learning
LABELLED_NONE = "labelled as no clause"
NAMEABLE = ("untyped", "doubtful type")  # what a person can still give a type
ENDS = re.compile(r"[.!?)\]\"”’』」。！？）]\W*$")
HAN = re.compile(r"[\u3400-\u9fff]")
BEGINS = re.compile(r"[\"“‘'(\[《「『（]*[A-Z0-9\u4e00-\u9fff]")
# An opening that leans on a sentence which the cut left behind.
LEANS = re.compile(
    r"(any |all |in |under |the )?such\b|that\b|these (?!terms|licen|general|conditions of)|if (this|that|so|not|the above)\b"
    r"|in (this|that) (case|event)\b|in the event of (any )?such\b|the following (replaces|is inserted|is added)"
    r"|(similarly|further|furthermore|moreover|however|therefore|thus|otherwise|accordingly|in addition|additionally|also|for example"
    r"|for instance|e\.g|likewise|instead|but|and|or)\b|上述|前述|此外|但是|否则|因此|同时", re.IGNORECASE)
LEFTOVER = re.compile(r"<<|>>|\.{4,}|_{4,}|={4,}|<[a-z/]+>|\ufffd|\[[^\]\d]{15,}\]|\*\s*$|\(\w\) \(\w\)|\|.*\|", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A row that may enter the dataset. `certainty` says how sure its type is: SURE where heading and text agree.

    `text` is what is compared with other rows: the clause, or all turns of a conversation. `messages` are those of a row
    that is no clause draft; a clause draft gets its prompt at the end. `group` names the document that it stays with
    ("": its own). `label` is what the source called it.
    """

    id: str
    text: str
    clause_type: str
    language: Language
    heading: str
    document_id: str
    source: str
    start: int
    end: int
    certainty: int
    keywords: tuple[str, ...] = ()
    origin: Literal["document", "review"] = "document"
    task: Task = "clause"
    group: str = ""
    permission: str = "everyone"
    label: str = ""
    messages: tuple[Message, ...] = ()
    rejected: str = ""
    images: tuple[Image, ...] = ()

    @property
    def stays_with(self) -> str:
        """The name of what it is never parted from."""
        return self.group or self.document_id or self.id


@dataclass(frozen=True)
class Left:
    """A clause or row that is none of the dataset's, with the reason. `suggested` is the type that rules would choose, "" for none."""

    id: str
    reason: str
    text: str = ""
    heading: str = ""
    suggested: str = ""
    language: Language = "en"


def characters(text: str) -> int:
    """Length of a text; a Chinese character counts as two."""
    return len(text) + len(HAN.findall(text))


def clauses_of(document: Document, settings: DatasetSettings,
               confirmed: Mapping[str, ConfirmedLabel] | None = None) -> list[Candidate | Left]:
    """The document's clauses in order: a candidate, or what is left out and why. A type that people confirmed is SURE."""
    if document.language not in ("en", "zh"):
        return []
    language: Language = "zh" if document.language == "zh" else "en"
    longest = settings.maximum_characters // 2 if language == "zh" else settings.maximum_characters
    found: list[Candidate | Left] = []
    for clause in cut_clauses(document.text, language, longest=longest):
        row_id = short_hash(document.id, str(clause.start), str(clause.end), clause.text)
        clause_type = clause.type_in(language)
        certainty = certainty_of(clause, clause_type, language) if clause_type else DOUBTFUL
        label = confirmed.get(row_id) if confirmed else None
        if label and label.clause_type == NO_CLAUSE:
            found.append(Left(row_id, LABELLED_NONE))
            continue
        if label:
            clause_type, certainty = label.clause_type, SURE
        reason = why_dropped(clause, clause_type, certainty, language, settings)
        if reason or clause_type is None:
            found.append(Left(row_id, reason, clause.text, clause.heading or clause.above, clause_type or "", language))
            continue
        found.append(Candidate(id=row_id, text=clause.text, clause_type=clause_type, language=language,
                               heading=clause.heading or clause.above, document_id=document.id,
                               source=document.title or document.name, start=clause.start, end=clause.end, certainty=certainty,
                               group=document.id, permission=document.permission))
    return found


def certainty_of(clause: Clause, clause_type: str, language: Language) -> int:
    """How sure the type is: SURE if heading and text agree, NAMED if one heading says it and the text nothing else,
    TOLD if only the text says it and only that, or says it in more general words; else DOUBTFUL.
    """
    named, told = heading_types(clause.heading, language), told_types(clause.text, language)
    if clause_type in named and told[:1] == [clause_type]:
        return SURE
    if named == [clause_type] and not told:
        return NAMED
    if named == [clause_type] and (clause_type in told or any(clause_type in GENERAL.get(key, ()) for key in told)):
        return TOLD
    if told == [clause_type] and clause_type in heading_types(clause.above, language):
        return NAMED
    return TOLD if told == [clause_type] else DOUBTFUL


def why_dropped(clause: Clause, clause_type: str | None, certainty: int, language: Language, settings: DatasetSettings) -> str:
    """The reason to drop a clause, "" to keep it."""
    length = characters(clause.text)
    if length < settings.minimum_characters:
        return "too short"
    if length > settings.maximum_characters:
        return "too long"
    if not clause.heading and LEANS.match(clause.text):
        return "fragment"
    if not BEGINS.match(clause.text) or not ENDS.search(clause.text) or LEFTOVER.search(clause.text):
        return "fragment"
    if clause_type is None:
        return "untyped"
    if certainty == DOUBTFUL:
        return "doubtful type"
    return "other language" if language_of(clause.text) != language else ""


def candidate_of(row: ApprovedRow) -> Candidate:
    """An approved row as a candidate: its text is what two people agreed on."""
    return Candidate(id=row.id, text=row.text, clause_type=row.clause_type, language=row.language, heading="", document_id="",
                     source=f"review of {row.approved_at[:10]}", start=0, end=0, certainty=SURE, keywords=row.keywords, origin="review",
                     permission=row.permission)


def example_of(candidate: Candidate, part: Part, settings: DatasetSettings, *, family: str, unit: str) -> Example:
    """The row to learn. A clause draft is its prompt with the clause as the reply; other rows bring their messages."""
    words, messages = candidate.keywords, candidate.messages
    if candidate.task == "clause":
        kind = CLAUSE_TYPES.get(candidate.clause_type)
        name = kind.name(candidate.language) if kind else candidate.label or candidate.clause_type.replace("_", " ")
        words = words or keywords(candidate.text, candidate.language, settings.keywords, apart_from=name)
        messages = (*clause_messages(candidate.clause_type, words, candidate.language, name=name),
                    Message(role="assistant", content=candidate.text))
    return Example(id=candidate.id, messages=messages, clause_type=candidate.clause_type, keywords=words, language=candidate.language,
                   heading=candidate.heading, document_id=candidate.document_id, source=candidate.source, start=candidate.start,
                   end=candidate.end, family=family, part=part, origin=candidate.origin, task=candidate.task, unit=unit,
                   permission=candidate.permission, rejected=candidate.rejected, label=candidate.label, images=candidate.images)
