"""Makes the artifact `dataset`: examples.jsonl, report.json, and the fate of every document, clause and approved row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.files import read_rows, write_rows, write_whole
from tutelage.core.history import Fate
from tutelage.core.records import ApprovedRow, Document, Example
from tutelage.core.store import Making
from tutelage.dataset.examples import Candidate, candidate_of, characters, clauses_of, example_of
from tutelage.dataset.report import PARTS, report_of
from tutelage.dataset.reviewed import approved_rows, fingerprint_of_reviews
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.split import check_leaks, split

STAGE = "dataset"
# A model learns little of a type with fewer rows.
FEW = 5


def fingerprint(settings: DatasetSettings, work: Path) -> dict[str, str]:
    """The approved rows that go in: each file below `work` -> SHA-256. They are not settings, yet change the dataset."""
    return fingerprint_of_reviews(work)


def make(making: Making) -> None:
    """Cut, type and split the documents of the parent, and take in all approved rows below `making.work`.

    Raises InputError if there are too few clauses for the asked split, LeakFound if a row resembles a held-out one.
    """
    settings = DatasetSettings.model_validate(making.settings)
    documents = list(read_rows(making.parents["documents"].file("documents.jsonl"), Document))
    making.ledger.rows_in(document.id for document in documents)
    candidates = _cut(making, documents, settings) + _reviewed(making, approved_rows(making.work), settings)
    done = split(candidates, settings)
    rows = [example_of(row, part, done.family[row.id], settings) for part in PARTS for row in done.parts[part]]
    for fate in done.dropped:
        making.ledger.record(fate)
    for row in rows:
        making.ledger.record(Fate(row=row.id, what="kept", reason=row.part))
    check_leaks(rows, settings.near_duplicate)
    write_rows(making.folder / "examples.jsonl", rows)
    write_whole(making.folder / "report.json", json.dumps(report_of(rows, making.ledger), ensure_ascii=False, indent=1) + "\n")
    _tell(making, documents, rows)


def _cut(making: Making, documents: Sequence[Document], settings: DatasetSettings) -> list[Candidate]:
    """Clauses of all documents that may become rows; the others get their fate."""
    candidates: list[Candidate] = []
    for number, document in enumerate(documents):
        if number % 50 == 0:
            making.events.step(STAGE, done=number, total=len(documents))
        clauses = clauses_of(document, settings)
        if not clauses:
            making.ledger.record(Fate(row=document.id, name=document.name, what="dropped", reason="no clause found"))
            continue
        ids = [clause.id if isinstance(clause, Candidate) else clause[0] for clause in clauses]
        making.ledger.record(Fate(row=document.id, name=document.name, what="split", reason="clauses", became=tuple(ids)))
        making.ledger.rows_in(ids)
        for clause in clauses:
            if isinstance(clause, Candidate):
                candidates.append(clause)
            else:
                making.ledger.record(Fate(row=clause[0], what="dropped", reason=clause[1]))
    making.events.step(STAGE, done=len(documents), total=len(documents))
    return candidates


def _reviewed(making: Making, approved: Sequence[ApprovedRow], settings: DatasetSettings) -> list[Candidate]:
    making.ledger.rows_in(row.id for row in approved)
    candidates = []
    for row in approved:
        if not row.text.strip() or characters(row.text) > settings.maximum_characters:
            making.ledger.record(Fate(row=row.id, what="dropped", reason="too long" if row.text.strip() else "empty"))
        else:
            candidates.append(candidate_of(row))
    return candidates


def _tell(making: Making, documents: Sequence[Document], rows: Sequence[Example]) -> None:
    counts = Counter(row.part for row in rows)
    reviews = sum(row.origin == "review" for row in rows)
    cut = sum(len(fate.became) for fate in making.ledger.fates if fate.what == "split")
    making.counts.update({part: counts[part] for part in PARTS}, documents=len(documents), clauses=cut, reviews=reviews,
                         types=len({row.clause_type for row in rows}))
    making.events.note(STAGE, "dataset.summary", documents=len(documents), clauses=cut, rows=len(rows), train=counts["train"],
                       validation=counts["validation"], held_out=counts["held_out"], types=making.counts["types"], reviews=reviews)
    trained = Counter(row.clause_type for row in rows if row.part == "train")
    few = sorted(key for key in {row.clause_type for row in rows} if trained[key] < FEW)
    if few:
        making.events.warning(STAGE, "dataset.few_rows", types=", ".join(few), count=len(few), limit=FEW)
