"""What stands behind a served model: the documents and rows that its adapter was trained on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tutelage.core.files import read_rows
from tutelage.core.records import Example, Record
from tutelage.core.store import Store


class Source(Record):
    """A document with as many rows as were trained on; `id` and `source` are those of the dataset, as `show uses` takes the id."""

    id: str
    source: str
    permission: str
    rows: int


class Behind(Record):
    """What a training learned from. `reviewed` counts rows that are approved drafts and belong to no document."""

    training: str
    dataset: str
    rows: int
    reviewed: int
    documents: tuple[Source, ...]


def behind(work: Path, *, training_id: str, dataset_id: str) -> Behind | None:
    """The training rows of a dataset by document; None where the dataset is not in the work folder."""
    dataset = Store(work).look_up("dataset", dataset_id) if dataset_id else None
    if dataset is None:
        return None
    learned = [row for row in read_rows(dataset.file("examples.jsonl"), Example) if row.part == "train"]
    by_document = Counter((row.document_id, row.source, row.permission) for row in learned if row.origin != "review")
    documents = tuple(Source(id=name, source=source, permission=permission, rows=count)
                      for (name, source, permission), count in sorted(by_document.items()))
    return Behind(training=training_id, dataset=dataset.id, rows=len(learned), documents=documents,
                  reviewed=sum(row.origin == "review" for row in learned))
