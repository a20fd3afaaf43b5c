"""Batches of work: which files and rows are read and cleaned together, and what becomes of them. Pure functions, for any process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tutelage.core.edits import Placed
from tutelage.core.files import row_line
from tutelage.core.history import Fate
from tutelage.core.records import Document
from tutelage.documents.clean import TEXT, Cleaned, clean
from tutelage.documents.filters import Dropped
from tutelage.documents.readers import read
from tutelage.documents.rows import ReadOptions, Recognised, Row, Unsure
from tutelage.documents.settings import DocumentsSettings
from tutelage.documents.sources import SourceFile

BATCH_BYTES = 1 << 20
BATCH_FILES = 64
BATCH_ROWS = 2_000
# Larger files of rows are read here, row by row, and cleaned elsewhere; so are URLs, for which only this process may hold what it takes
# to reach them. All others are read where they are cleaned.
SPLIT_BYTES = 4 << 20
UNSURE_TOLD = 200  # lines in the report; the history has those of each row
OF_ROWS = (".jsonl", ".json", ".csv", ".parquet", ".zip")


@dataclass(frozen=True)
class Batch:
    """Files to read and clean, or rows that were read already; `size` is how many bytes of the sources it stands for."""

    settings: DocumentsSettings
    files: tuple[SourceFile, ...] = ()
    rows: tuple[Row, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Kept:
    """A row that is fit: its document, edits and places as lines of their files (b"" for none)."""

    document: bytes
    edits: bytes
    places: bytes


@dataclass
class Tally:
    """Counts over rows that can be added up. `guessed` names the first row of each file whose encoding was guessed, `unsure` the first
    lines of pictures that may be read wrongly, by row."""

    rows: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    paragraphs: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    would_delete: Counter[str] = field(default_factory=Counter)
    guessed: dict[str, tuple[str, str]] = field(default_factory=dict)
    emails: int = 0
    rows_with_emails: int = 0
    edited_rows: int = 0
    pages_recognised: int = 0
    lines_recognised: int = 0
    lines_unsure: int = 0
    unsure: list[tuple[str, Unsure]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the counts of another batch, which came later."""
        self.rows += other.rows
        for mine, theirs in ((self.changes, other.changes), (self.left_out, other.left_out), (self.paragraphs, other.paragraphs),
                             (self.scripts, other.scripts), (self.encodings, other.encodings), (self.would_delete, other.would_delete)):
            mine.update(theirs)
        for file, guess in other.guessed.items():
            self.guessed.setdefault(file, guess)
        self.emails += other.emails
        self.rows_with_emails += other.rows_with_emails
        self.edited_rows += other.edited_rows
        self.pages_recognised += other.pages_recognised
        self.lines_recognised += other.lines_recognised
        self.lines_unsure += other.lines_unsure
        self.unsure += other.unsure[:UNSURE_TOLD - len(self.unsure)]


@dataclass(frozen=True)
class Done:
    """What became of a batch: ids of the rows, what happened to them, those that are fit, and counts."""

    ids: tuple[str, ...]
    fates: tuple[Fate, ...]
    kept: tuple[Kept, ...]
    tally: Tally
    size: int


def size_of(file: SourceFile) -> int:
    """Bytes of a file on the disk; 0 of one at a URL, or that is not there."""
    try:
        return 0 if file.url else file.path.stat().st_size
    except OSError:
        return 0


def batches(files: Sequence[SourceFile], settings: DocumentsSettings) -> Iterator[Batch]:
    """The files in order: small ones together, those of many rows in pieces."""
    together: list[SourceFile] = []
    size = 0
    for file in files:
        bytes_here = size_of(file)
        is_split = file.url != "" or (bytes_here > SPLIT_BYTES and PurePosixPath(file.name).suffix.lower() in OF_ROWS)
        if together and (is_split or size + bytes_here > BATCH_BYTES or len(together) == BATCH_FILES):
            yield Batch(settings, files=tuple(together), size=size)
            together, size = [], 0
        if is_split:
            yield from _pieces(file, bytes_here, settings)
        else:
            together.append(file)
            size += bytes_here
    if together:
        yield Batch(settings, files=tuple(together), size=size)


def _pieces(file: SourceFile, file_bytes: int, settings: DocumentsSettings) -> Iterator[Batch]:
    rows: list[Row] = []
    told = length = 0
    for row in read(file, read_options(settings)):
        rows.append(row)
        length += len(row.text) + sum(len(message.content) for message in row.messages)
        if length >= BATCH_BYTES or len(rows) == BATCH_ROWS:
            size = min(length, file_bytes - told)
            yield Batch(settings, rows=tuple(rows), size=size)
            rows, length, told = [], 0, told + size
    yield Batch(settings, rows=tuple(rows), size=file_bytes - told)


def read_options(settings: DocumentsSettings) -> ReadOptions:
    """What the readers must know of the settings."""
    return ReadOptions(tracked_changes=settings.tracked_changes, recognise=settings.recognise)


def done(batch: Batch) -> Done:
    """Read what is not read yet, and clean every row."""
    rows = batch.rows or (row for file in batch.files for row in read(file, read_options(batch.settings)))
    ids: list[str] = []
    fates: list[Fate] = []
    kept: list[Kept] = []
    tally = Tally()
    for row in rows:
        one = clean(row, batch.settings)
        ids.append(row.id)
        fates += _fates(one)
        _count(tally, one)
        if isinstance(one.outcome, Document):
            edits = b"".join(map(row_line, one.edited))
            places = row_line(Placed(row=row.id, places=one.places)) if one.places else b""
            kept.append(Kept(row_line(one.outcome), edits, places))
    return Done(tuple(ids), tuple(fates), tuple(kept), tally, batch.size)


def _fates(one: Cleaned) -> Iterator[Fate]:
    row = one.row
    if row.is_guess:
        yield Fate(row=row.id, name=row.name, what="edited", reason="encoding guessed", detail=row.encoding)
    if row.recognised:
        yield Fate(row=row.id, name=row.name, what="edited", reason="recognised", detail=_told(row.recognised))
    if row.removed:
        yield Fate(row=row.id, name=row.name, what="edited", reason="left out by the reader",
                   detail=", ".join(f"{reason} {count}" for reason, count in row.removed))
    if one.changes:
        yield Fate(row=row.id, name=row.name, what="edited", reason="tidied",
                   detail=", ".join(f"{name} {count}" for name, count in one.changes.items()))
    if one.masked:
        yield Fate(row=row.id, name=row.name, what="masked", reason="email", detail=", ".join(
            f"{span.placeholder} {span.kind} at {span.start} length {span.length}{'' if name == TEXT else f' in {name}'}"
            for name, span in one.masked))
    if isinstance(one.outcome, Dropped):
        yield Fate(row=row.id, name=row.name, what="dropped", reason=one.outcome.reason, detail=one.outcome.detail,
                   field=one.outcome.field, expected=one.outcome.expected)


def _told(recognised: Recognised) -> str:
    """Pages, lines, mean confidence, and each line that may be wrong."""
    unsure = "".join(f"; page {line.page}, {line.confidence:.2f}: {line.text}" for line in recognised.unsure)
    return f"{recognised.pages} pages, {recognised.lines} lines, mean confidence {recognised.confidence:.3f}{unsure}"


def _count(tally: Tally, one: Cleaned) -> None:
    row = one.row
    tally.rows += 1
    tally.changes.update(one.changes)
    tally.left_out.update(dict(row.removed))
    tally.paragraphs.update(one.survey.languages)
    tally.scripts.update(one.survey.scripts)
    tally.would_delete.update(one.would_delete)
    if row.encoding:
        tally.encodings[row.encoding] += 1
    if row.is_guess:
        tally.guessed.setdefault(row.source_sha256, (row.name, row.encoding))
    if row.recognised:
        tally.pages_recognised += row.recognised.pages
        tally.lines_recognised += row.recognised.lines
        tally.lines_unsure += len(row.recognised.unsure)
        tally.unsure += [(row.name, line) for line in row.recognised.unsure][:UNSURE_TOLD - len(tally.unsure)]
    tally.emails += len(one.masked)
    tally.rows_with_emails += bool(one.masked)
    tally.edited_rows += bool(one.edited)
