"""Rows of data files as candidates: conversations, pairs, judged replies, labelled clauses; and passages of running text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tutelage.core.files import short_hash
from tutelage.core.records import ConfirmedLabel, Document, Language, Message, Task
from tutelage.dataset.examples import LABELLED_NONE, NO_CLAUSE, SURE, Candidate, Left, characters, clauses_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.tasks_labels import type_of_label
from tutelage.text.clause_types import CLAUSE_TYPES
from tutelage.text.leaks import compared_text

Labels = Mapping[str, ConfirmedLabel]

NAMING: dict[Language, str] = {"en": "You name the type of a contract clause.", "zh": "你判断合同条款的类型。"}
REVISING: dict[Language, str] = {"en": "You revise contract clauses.", "zh": "你修改合同条款。"}
REVISE: dict[Language, str] = {"en": "Revise this paragraph:\n\n", "zh": "请修改下面的段落：\n\n"}
TOOLS: dict[Language, str] = {"en": "You may call these tools:\n", "zh": "你可以调用以下工具：\n"}
_PARAGRAPH = re.compile(r"\S.*?(?=\n[ \t]*\n|\Z)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\n")


def conversation(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """An instruction row: the turns as they are, the tools that it offers in the system message."""
    return _turns(document, "instruction")


def pair(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """A preference row: the last turn is the better reply, `rejected` the worse one."""
    if not document.rejected.strip():
        return [Left(document.id, "no rejected reply")]
    if document.rejected == document.messages[-1].content:
        return [Left(document.id, "both replies are the same")]
    return _turns(document, "preference")


def judged(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """A feedback row: a reply that was wanted ("true") or not ("false")."""
    return _turns(document, "feedback") if document.label in ("true", "false") else [Left(document.id, "no judgement")]


def edited(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """A preference row of a tracked change: asked to revise the old paragraph, the new one is better than no change."""
    language = _language(document)
    if not document.rejected.strip() or not document.text.strip():
        return [Left(document.id, "nothing to revise")]
    messages = (Message(role="system", content=REVISING[language]), Message(role="user", content=REVISE[language] + document.rejected),
                Message(role="assistant", content=document.text))
    return _turns(document.model_copy(update={"messages": messages}), "preference")


def labelled(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """A clause drafting row of a labelled clause; what people confirmed goes before the label of the source."""
    clause_type, label = type_of_label(document.label), document.label
    if confirmed := labels.get(document.id):
        if confirmed.clause_type == NO_CLAUSE:
            return [Left(document.id, LABELLED_NONE)]
        clause_type, label = confirmed.clause_type, confirmed.clause_type
    length = characters(document.text)
    reason = ("no label" if not clause_type else "too short" if length < settings.minimum_characters
              else "too long" if length > settings.maximum_characters else "")
    if reason:
        return [Left(document.id, reason)]
    return [replace(_whole(document, "clause"), text=document.text, clause_type=clause_type, label=label, end=len(document.text))]


def named(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """A classification row of a labelled clause."""
    return [_naming(row) if isinstance(row, Candidate) else row for row in labelled(document, settings, labels)]


def recognised(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """Classification rows of a text: its clauses with the types that rules are sure of."""
    return [_naming(row) if isinstance(row, Candidate) else row for row in clauses_of(document, settings, labels)]


def passages(document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
    """Pretraining rows: paragraphs packed up to the limit, never over the end of the document. White space between rows is left out."""
    found: list[Candidate | Left] = []
    for start, end in _packed(document.text, settings.pretraining_characters):
        text = document.text[start:end]
        row_id = short_hash(document.id, str(start), str(end), text)
        if characters(text) < settings.minimum_characters:
            found.append(Left(row_id, "too short"))
        else:
            found.append(replace(_whole(document, "pretraining"), id=row_id, text=text, start=start, end=end,
                                 messages=(Message(role="assistant", content=text),)))
    return found


def _turns(document: Document, task: Task) -> list[Candidate | Left]:
    messages = document.messages
    if not messages or messages[-1].role != "assistant" or not messages[-1].content.strip():
        return [Left(document.id, "no reply to learn")]
    language = _language(document)
    if document.tools:
        offer = TOOLS[language] + document.tools
        if messages[0].role == "system":
            messages = (Message(role="system", content=f"{messages[0].content}\n\n{offer}"), *messages[1:])
        else:
            messages = (Message(role="system", content=offer), *messages)
    row = replace(_whole(document, task), messages=messages, rejected=document.rejected,
                  label=document.label if task == "feedback" else "")
    return [replace(row, text=compared_text(task, messages, document.rejected))]


def _naming(row: Candidate) -> Candidate:
    kind = CLAUSE_TYPES.get(row.clause_type)
    label = row.label or (kind.name(row.language) if kind else row.clause_type)
    messages = (Message(role="system", content=NAMING[row.language]), Message(role="user", content=row.text),
                Message(role="assistant", content=label))
    return replace(row, task="classification", label=label, messages=messages)


def _whole(document: Document, task: Task) -> Candidate:
    return Candidate(id=document.id, text=document.text, clause_type="", language=_language(document), heading="", document_id=document.id,
                     source=document.title or document.name, start=0, end=0, certainty=SURE, task=task, group=document.id,
                     permission=document.permission, images=document.images)


def _language(document: Document) -> Language:
    return "zh" if document.language == "zh" else "en"


def _packed(text: str, limit: int) -> Iterator[tuple[int, int]]:
    """Stretches of whole paragraphs within the limit; a longer paragraph is cut after a sentence, a longer sentence at the limit."""
    start = end = -1
    for low, high in _pieces(text, limit):
        if start >= 0 and characters(text[start:high]) > limit:
            yield start, end
            start = low
        start = low if start < 0 else start
        end = high
    if start >= 0:
        yield start, end


def _pieces(text: str, limit: int) -> Iterator[tuple[int, int]]:
    for paragraph in _PARAGRAPH.finditer(text):
        low, high = paragraph.start(), paragraph.end()
        if characters(text[low:high]) <= limit:
            yield low, high
            continue
        ends = [low + gap.start() for gap in _SENTENCE.finditer(text[low:high])] + [high]
        for end in ends:
            while characters(text[low:end]) > limit:
                yield low, low + limit // 2
                low += limit // 2
            if text[low:end].strip():
                yield low + len(text[low:end]) - len(text[low:end].lstrip()), end
                low = end
