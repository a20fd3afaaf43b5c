"""All candidates of a dataset: rows of the permitted documents and approved rows; what is left out gets its fate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from tutelage.core.history import Fate
from tutelage.core.permission import why_not
from tutelage.core.pool import cores, results
from tutelage.core.records import ApprovedRow, ConfirmedLabel, Document, Unlabelled
from tutelage.core.store import Making
from tutelage.dataset.examples import NAMEABLE, Candidate, Left, candidate_of, characters
from tutelage.dataset.labels import LabelIssue, can_find_label_errors, label_issues
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.tasks import ANOTHER_TASK, Plan, plan_for

STAGE = "dataset"
# Of fewer characters, starting processes takes as long as cutting.
FEW_CHARACTERS, BATCH_CHARACTERS = 3_000_000, 500_000
NOT_FOR_TRAINING = "not for training"


@dataclass(frozen=True)
class Cut:
    """The candidates of all documents, and the clauses that a person could still name."""

    candidates: list[Candidate]
    unlabelled: list[Unlabelled]


def permitted(making: Making, documents: Sequence[Document], audience: str, today: date) -> list[Document]:
    """The documents that may be trained on for this audience; the others get their fate."""
    kept = []
    for document in documents:
        reason = why_not(document.permission, audience=audience, purpose="training", today=today)
        if reason:
            making.ledger.record(Fate(row=document.id, name=document.name, what="dropped", reason=NOT_FOR_TRAINING, detail=reason))
        else:
            kept.append(document)
    if len(kept) < len(documents):
        making.events.warning(STAGE, "dataset.not_permitted", documents=len(documents) - len(kept), total=len(documents))
    return kept


def cut(making: Making, documents: Sequence[Document], groups: Mapping[str, str], settings: DatasetSettings,
        labels: Mapping[str, ConfirmedLabel]) -> Cut:
    """Rows of all documents that may enter, each with the group of its document."""
    found, used = Cut([], []), set()
    size = sum(len(document.text) for document in documents)
    processes = settings.processes or (cores() if size > FEW_CHARACTERS else 1)
    batches = _batches(documents, plan_for(documents, settings), settings, labels)
    each = (rows for several in results(rows_of, batches, processes, setting="dataset.processes") for rows in several)
    for number, (document, rows) in enumerate(zip(documents, each, strict=True)):
        if number % 50 == 0:
            making.events.step(STAGE, done=number, total=len(documents))
        used |= {row.id for row in rows} & labels.keys()
        _announce(making, document, rows)
        for row in rows:
            if isinstance(row, Candidate):
                found.candidates.append(replace(row, group=groups[document.id]))
                continue
            name = document.name if row.id == document.id else row.heading
            making.ledger.record(Fate(row=row.id, what="dropped", reason=row.reason, name=name))
            if row.reason in NAMEABLE:
                found.unlabelled.append(Unlabelled(id=row.id, text=row.text, heading=row.heading, language=row.language,
                                                   suggested=row.suggested, document_id=document.id,
                                                   source=document.title or document.name))
    making.events.step(STAGE, done=len(documents), total=len(documents))
    if others := making.ledger.reasons("dropped").get(ANOTHER_TASK, 0):
        making.events.warning(STAGE, "dataset.another_task", documents=others, total=len(documents))
    if len(used) < len(labels):
        making.events.warning(STAGE, "dataset.lost_labels", labels=len(labels) - len(used), total=len(labels))
    return found


@dataclass(frozen=True)
class Batch:
    """Documents to cut, and all that decides what becomes of them."""

    documents: tuple[Document, ...]
    plan: Plan
    settings: DatasetSettings
    labels: Mapping[str, ConfirmedLabel]


def rows_of(batch: Batch) -> list[list[Candidate | Left]]:
    """The rows of each document of a batch. A pure function, for any process."""
    return [batch.plan.rows(document, batch.settings, batch.labels) for document in batch.documents]


def _batches(documents: Sequence[Document], plan: Plan, settings: DatasetSettings, labels: Mapping[str, ConfirmedLabel]) -> Iterator[Batch]:
    together: list[Document] = []
    size = 0
    for document in documents:
        together.append(document)
        size += len(document.text)
        if size >= BATCH_CHARACTERS:
            yield Batch(tuple(together), plan, settings, labels)
            together, size = [], 0
    if together:
        yield Batch(tuple(together), plan, settings, labels)


def _announce(making: Making, document: Document, rows: Sequence[Candidate | Left]) -> None:
    """A document that is one row keeps its id; another one is split into rows, or has none."""
    if not rows:
        making.ledger.record(Fate(row=document.id, name=document.name, what="dropped", reason="no clause found"))
    elif [row.id for row in rows] != [document.id]:
        ids = tuple(row.id for row in rows)
        making.ledger.record(Fate(row=document.id, name=document.name, what="split", reason="clauses", became=ids))
        making.ledger.rows_in(ids)


def checked_labels(making: Making, candidates: Sequence[Candidate], settings: DatasetSettings) -> tuple[list[Candidate], list[LabelIssue]]:
    """The candidates, without those of a wrong label if that was asked; and all doubtful labels, the surest mistakes first."""
    labelled = [row for row in candidates if row.label]
    if settings.label_errors == "off" or not labelled:
        return list(candidates), []
    if not can_find_label_errors():
        making.events.warning(STAGE, "dataset.no_cleanlab", rows=len(labelled))
        return list(candidates), []
    issues = label_issues(labelled, settings.seed)
    if issues:
        making.events.note(STAGE, f"dataset.label_issues_{settings.label_errors}", issues=len(issues), rows=len(labelled))
    if settings.label_errors == "report":
        return list(candidates), issues
    wrong = {issue.row: issue for issue in issues}
    for issue in issues:
        making.ledger.record(Fate(row=issue.row, what="dropped", reason="label error",
                                  detail=f"given {issue.given}, suggested {issue.suggested}, score {issue.score}: {issue.why}"))
    return [row for row in candidates if row.id not in wrong], issues


def reviewed(making: Making, approved: Sequence[ApprovedRow], settings: DatasetSettings, audience: str, today: date) -> list[Candidate]:
    """Approved rows as candidates; empty and too long ones, and those that may not be trained on for this audience, get their fate."""
    making.ledger.rows_in(row.id for row in approved)
    candidates = []
    for row in approved:
        if reason := why_not(row.permission, audience=audience, purpose="training", today=today):
            making.ledger.record(Fate(row=row.id, what="dropped", reason=NOT_FOR_TRAINING, detail=reason))
        elif not row.text.strip() or characters(row.text) > settings.maximum_characters:
            making.ledger.record(Fate(row=row.id, what="dropped", reason="too long" if row.text.strip() else "empty"))
        else:
            candidates.append(candidate_of(row))
    return candidates
