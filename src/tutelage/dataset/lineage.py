"""How each row's text came from its document: the edits that turn document.text[start:end] into it, as patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tutelage.core.edits import Step, between
from tutelage.core.records import Document, Example, Record
from tutelage.text.leaks import compared_text

EDITS = "edits.jsonl"
RULE = "clause text"


class RowEdits(Record):
    """A line of edits.jsonl: applied to `document.text[start:end]`, the steps give the text of the row. Rows without a line are that
    stretch unchanged, or came from no stretch of text (conversations, approved rows).
    """

    row: str
    document: str
    start: int
    end: int
    steps: tuple[Step, ...]


def edits_of(rows: Sequence[Example], documents: Mapping[str, Document]) -> Iterator[RowEdits]:
    """The edits of all rows whose text differs from where it stood."""
    for row in rows:
        if row.origin != "document" or row.end == 0 or row.document_id not in documents:
            continue
        before = documents[row.document_id].text[row.start:row.end]
        step = between(RULE, before, compared_text(row.task, row.messages, row.rejected))
        if step:
            yield RowEdits(row=row.id, document=row.document_id, start=row.start, end=row.end, steps=(step,))
