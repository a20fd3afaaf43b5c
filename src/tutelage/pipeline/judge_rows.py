"""The rows that two models are judged by: from any file that documents reads, from a dataset of ours, or from a promptfoo file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from tutelage.core.chat import ChatFormat, render
from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.core.history import Fate
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Document, Example, Message
from tutelage.dataset.examples import Candidate, example_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.tasks import groups_of, plan_for
from tutelage.documents.readers import read
from tutelage.documents.rows import Row
from tutelage.documents.settings import Source
from tutelage.documents.sources import find, fingerprint
from tutelage.engine.remote_wire import SERVED, Wire, marks_of
from tutelage.scores.results import Check, Limit
from tutelage.text.language import language_of

# Rows are taken as they are: nothing is cut, and nothing is dropped for its length.
AS_THEY_ARE = DatasetSettings(minimum_characters=1, maximum_characters=10_000_000)


@dataclass(frozen=True)
class Brought:
    """Rows to judge by, what drafts must meet by row, what was left out and why, and a fingerprint of the file."""

    rows: tuple[Example, ...]
    sha256: str
    checks: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    left_out: tuple[Fate, ...] = ()
    limits: tuple[Limit, ...] = ()


def read_rows_to_judge(path: Path) -> Brought:
    """The rows of a file or folder. Raises InputError if there is no such file."""
    if not path.exists():
        raise InputError(f"--rows {path}: there is no such file or folder. Give rows such as conversations (.jsonl), prompts with "
                         "completions, preference pairs, labelled clauses, documents, or a promptfoo file (.yaml).")
    source = Source(path=str(path.resolve()))
    sha256 = next(iter(fingerprint((source,), Path.cwd()).values()))
    ours = _of_a_dataset(path)
    if ours:
        held_out = tuple(row for row in ours if row.part == "held_out")
        others = tuple(Fate(row=row.id, what="dropped", reason=f"in the part {row.part}", name=row.heading) for row in ours
                       if row.part != "held_out")
        return Brought(held_out, sha256, left_out=others)
    return _of_documents(source, sha256)


def read_trained_on(path: Path) -> Brought:
    """The rows that a candidate was trained on: of a dataset of ours its parts train and validation (planted test texts apart), else
    all rows.
    """
    ours = _of_a_dataset(path) if path.is_file() else ()
    if ours:
        source = Source(path=str(path.resolve()))
        seen = tuple(row for row in ours if row.part != "held_out" and row.origin != "canary")
        return Brought(seen, next(iter(fingerprint((source,), Path.cwd()).values())))
    return read_rows_to_judge(path)


def fit_for(brought: Brought, formats: Sequence[ChatFormat]) -> Brought:
    """The rows that every one of these chat formats can express; the others are left out, with the reason.

    Raises InputError if no row is left.
    """
    kept, left_out = [], list(brought.left_out)
    for row in brought.rows:
        problem = next((problem for one in formats if (problem := _problem(row, one))), "")
        if problem:
            left_out.append(Fate(row=row.id, what="dropped", reason="not in a chat format", name=row.heading, detail=problem))
        else:
            kept.append(row)
    if not kept:
        first = next(iter(left_out), None)
        why = f" First: {first.name or first.row}: {first.reason}. {first.detail}".rstrip() if first else ""
        raise InputError(f"--rows: none of {len(left_out)} rows can be put to both models.{why}")
    return Brought(tuple(kept), brought.sha256, brought.checks, tuple(left_out), brought.limits)


def limits_of(brought: Brought) -> tuple[Limit, ...]:
    """What of the file was not judged."""
    limits = list(brought.limits)
    if brought.left_out:
        reasons = Counter(fate.reason for fate in brought.left_out)
        told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        limits.append(Limit(key="scores.limit.left_out", facts={"rows": len(brought.left_out), "reasons": told}))
    if any(row.task == "preference" for row in brought.rows):
        limits.append(Limit(key="scores.limit.preference"))
    return tuple(limits)


def _problem(row: Example, chat_format: ChatFormat) -> str:
    if chat_format != SERVED:
        for mark in marks_of(chat_format):
            if any(mark in message.content for message in row.messages):
                return f"a message holds {mark!r}, a mark of the format {chat_format.name!r}"
    try:
        render(row.prompt, chat_format, Wire(), reply=True)
        render(row.messages, chat_format, Wire(), reply=False)
    except InputError as error:
        return str(error)
    return ""


def _of_a_dataset(path: Path) -> tuple[Example, ...]:
    """The rows of an examples.jsonl of ours, () for any other file."""
    if path.suffix != ".jsonl":
        return ()
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in islice(file, 1):
            try:
                Example.model_validate_json(line)
            except ValidationError:
                return ()
        file.seek(0)
        try:
            return tuple(Example.model_validate_json(line) for line in file if line.strip())
        except ValidationError as error:
            raise InputError(f"--rows {path}: begins as a dataset of ours and has a line that is none: {error.errors()[0]['msg']}. "
                             "Make the dataset again, or give another file.") from None


def _of_documents(source: Source, sha256: str) -> Brought:
    documents: list[Document] = []
    left_out: list[Fate] = []
    for row in (row for found in find((source,), Path.cwd()) for file in found.files for row in read(file)):
        if row.problem:
            left_out.append(Fate(row=row.id, what="dropped", reason=row.problem.reason, name=row.name, detail=row.problem.suggestion))
        elif row.kind == "feedback" and row.label == "false":
            left_out.append(Fate(row=row.id, what="dropped", reason="an unwanted reply", name=row.name))
        else:
            documents.append(_document(row))
    groups = groups_of(documents, AS_THEY_ARE)
    plan = plan_for(documents, AS_THEY_ARE)
    rows: dict[tuple[Message, ...], Example] = {}
    for document in documents:
        for made in plan.rows(document, AS_THEY_ARE, {}):
            if not isinstance(made, Candidate):
                left_out.append(Fate(row=made.id, what="dropped", reason=made.reason, name=document.name))
                continue
            example = _example(made, groups[document.id])
            if example.messages in rows:  # counted twice it would look like more evidence than it is
                left_out.append(Fate(row=example.id, what="dropped", reason="the same row again", name=document.name,
                                     cause=rows[example.messages].id))
            else:
                rows[example.messages] = example
    return Brought(tuple(rows.values()), sha256, left_out=tuple(left_out))


def _example(made: Candidate, group: str) -> Example:
    """The row as one that is held out; rows of one group count as one document."""
    row = example_of(made, "held_out", AS_THEY_ARE, family=made.id, unit=group)
    return row.model_copy(update={"document_id": short_hash(group)})


def _document(row: Row) -> Document:
    """A row as it was read, without cleaning. A row of data in neither language counts as English, as figures and code do."""
    text = row.text or "\n\n".join([*(message.content for message in row.messages), row.rejected])
    language = language_of(text)
    if language == "other" and row.kind != "text":
        language = "en"
    return Document(id=row.id, name=row.name, source=row.source, source_sha256=row.source_sha256, title=row.title, language=language,
                    text=text, metadata=dict(row.metadata), kind=row.kind, messages=row.messages, rejected=row.rejected, label=row.label,
                    tools=row.tools, images=row.images, permission=row.permission or EVERYONE)
