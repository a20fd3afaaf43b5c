"""Where a row stood in its file, and what was changed in its text on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tutelage.core.edits import Edited, Placed
from tutelage.core.files import read_rows
from tutelage.core.records import Document, Example, Place, Record
from tutelage.core.store import Artifact, Store
from tutelage.dataset.lineage import RowEdits


class Origin(Record):
    """The file of a row, the places (pages, paragraphs) that its text came from, and edits by rule.

    `start` and `end` bound a clause in the cleaned text of its document; both are 0 for a whole document.
    """

    name: str
    source_sha256: str
    start: int
    end: int
    places: tuple[Place, ...]
    edits: dict[str, int]
    permission: str


def origin_of(work: Path, row: str) -> Origin | None:
    """The origin of a document or of a row of the newest dataset, None if there is no such row (an approved review has no file)."""
    store = Store(work)
    dataset = store.latest("dataset")
    example = _find(dataset, "examples.jsonl", row) if dataset else None
    documents = store.look_up("documents", dataset.manifest.parents["documents"]) if dataset and example else store.latest("documents")
    if documents is None:
        return None
    wanted = example.document_id if example else row
    document = next((one for one in read_rows(documents.file("documents.jsonl"), Document) if one.id == wanted), None)
    if document is None:
        return None
    start, end = (example.start, example.end) if example else (0, 0)
    places = [place for placed in read_rows(documents.file("places.jsonl"), Placed) if placed.row == document.id
              for place in placed.places if not example or (place.start < end and place.end > start)]
    counts = Counter(_rules(documents, Edited, document.id))
    if dataset and example:
        counts.update(_rules(dataset, RowEdits, row))
    return Origin(name=document.name, source_sha256=document.source_sha256, start=start, end=end, places=tuple(places), edits=dict(counts),
                  permission=document.permission)


def _find(dataset: Artifact, name: str, row: str) -> Example | None:
    return next((one for one in read_rows(dataset.file(name), Example) if one.id == row), None)


def _rules(artifact: Artifact, kind: type[Edited] | type[RowEdits], row: str) -> Iterator[str]:
    """The rule of each edit to a row in a stage, whose lines are of that kind."""
    return (step.rule for edited in read_rows(artifact.file("edits.jsonl"), kind) if edited.row == row for step in edited.steps
            for _ in step.edits)
