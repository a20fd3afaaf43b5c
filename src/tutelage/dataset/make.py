"""Makes the artifact `dataset`: examples.jsonl, where each row came from, what was left out and why, and the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows, write_rows, write_whole
from tutelage.core.history import Fate
from tutelage.core.language import LANGUAGES
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Document, Example, Part
from tutelage.core.store import Making
from tutelage.dataset.assigned import ASSIGNED, INPUT, Assigned, assignments, base_of, remembered
from tutelage.dataset.augment.asking import OpenEngine, Speaker
from tutelage.dataset.augment.rows import SUMMARY, Augmented, augment, summary_facts
from tutelage.dataset.canaries import CANARIES, plant
from tutelage.dataset.examples import example_of
from tutelage.dataset.gather import STAGE, checked_labels, cut, permitted, reviewed
from tutelage.dataset.labels import ISSUES, require_cleanlab
from tutelage.dataset.leaks import common_to_many, write_common
from tutelage.dataset.lineage import EDITS, edits_of
from tutelage.dataset.page import render
from tutelage.dataset.report import PARTS, CountTokens, Gathered, report_of
from tutelage.dataset.reviewed import approved_rows, confirmed_labels, fingerprint_of_people
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.split import Earlier, Split, split
from tutelage.dataset.tasks import groups_of
from tutelage.text.leaks import check_leaks
from tutelage.text.similarity import Shingles

UNLABELLED = "unlabelled.jsonl"
# A model learns little of a type with fewer rows.
FEW = 5
# Above this share of the training rows, planted test texts cost what is learned of the others.
MANY_CANARIES = 0.1


def fingerprint(settings: DatasetSettings, work: Path, *, recipe: str = "", documents: str = "", version: int = 0,
                audience: str = EVERYONE, skills: Mapping[str, str] | None = None) -> dict[str, str]:
    """What changes the dataset without being a setting: approved rows and confirmed labels below `work` (file -> SHA-256), the
    audience unless it is everyone, and the dataset whose assignments are continued, if there is one of this `recipe`.

    `documents` is the id of the documents artifact that the dataset will be made from, `version` that of the stage, `skills`
    fingerprints of what is handed to `make` (the base model that counts tokens).
    """
    inputs = fingerprint_of_people(work) | ({"audience": audience} if audience != EVERYONE else {}) | dict(skills or {})
    base = base_of(settings, work, recipe=recipe, documents=documents, version=version, inputs=inputs) if recipe else ""
    return inputs | ({INPUT: base} if base else {})


def no_engine(name: str) -> Speaker:
    """What is handed in where no engine can be opened."""
    raise InputError(f"dataset.augment.engine: {name} cannot be opened here; augmentation with an engine runs from `tutelage make`.")


def make(making: Making, *, assigned: str = "", audience: str = EVERYONE, today: date | None = None,
         count_tokens: CountTokens | None = None, context_length: int | None = None, open_engine: OpenEngine = no_engine) -> None:
    """Turn the documents of the parent into rows of the asked task, take in what people approved and named, split without leaks.

    `assigned` is the dataset whose assignments are continued ("" for none: see `fingerprint`), `audience` a permission label: who
    the model is for, `open_engine` gives the engine that settings.augment names. Raises InputError where no sensible split exists,
    LeakFound if a row gives a held-out row away.
    """
    settings = DatasetSettings.model_validate(making.settings)
    if settings.label_errors == "drop":
        require_cleanlab()
    read = list(read_rows(making.parents["documents"].file("documents.jsonl"), Document))
    making.ledger.rows_in(document.id for document in read)
    today = today or date.today()
    documents = permitted(making, read, audience, today)
    groups = groups_of(documents, settings)
    found = cut(making, documents, groups, settings, confirmed_labels(making.work))
    candidates, issues = checked_labels(making, found.candidates, settings)
    candidates += reviewed(making, approved_rows(making.work), settings, audience, today)
    common = common_to_many(documents, groups)
    memory = remembered(making.work, assigned, documents)
    known = {document.id: part for document in documents if (part := memory.part_of(document))}
    done = split(candidates, settings, earlier=Earlier(known, memory.drawn), common=common)
    rows = [example_of(row, part, settings, family=done.family[row.id], unit=done.unit[row.id]) for part in PARTS
            for row in done.parts[part]]
    _record(making, rows, done)
    augmented = _augment(making, rows, settings, open_engine, common) if settings.augment.is_on else None
    rows += augmented.rows if augmented else []
    making.counts["boilerplate_runs"] = write_common(making.folder, rows, common)
    check_leaks(rows, common)
    making.permissions = tuple(sorted({row.permission for row in rows}))
    if settings.canaries == "on":
        rows += _planted(making, rows, settings)
    write_rows(making.folder / "examples.jsonl", rows)
    write_rows(making.folder / EDITS, edits_of(rows, {document.id: document for document in documents}))
    write_rows(making.folder / ASSIGNED, _assignments(documents, done))
    write_rows(making.folder / UNLABELLED, found.unlabelled)
    write_rows(making.folder / ISSUES, issues)
    report = report_of(Gathered(rows, done, issues, making.ledger, settings.seed, count_tokens, context_length, augmented))
    write_whole(making.folder / "report.json", report.model_dump_json(indent=1) + "\n")
    for language in LANGUAGES:
        write_whole(making.folder / f"report.{language}.html", render(report, issues, language))
    _tell(making, documents, rows, done, settings)


def _record(making: Making, rows: Sequence[Example], done: Split) -> None:
    for fate in done.dropped:
        making.ledger.record(fate)
    for row in rows:
        making.ledger.record(Fate(row=row.id, what="kept", reason=row.part, detail=done.why[row.id]))


def _augment(making: Making, rows: Sequence[Example], settings: DatasetSettings, open_engine: OpenEngine, common: Shingles) -> Augmented:
    """New rows from the training rows; each new one and each refused candidate gets its fate."""
    done = augment([row for row in rows if row.part == "train"], [row for row in rows if row.part != "train"], settings.augment,
                   dataset=settings, open_engine=open_engine, common=common,
                   step=lambda tried, planned: making.events.step(STAGE, done=tried, total=planned))
    making.ledger.rows_in([*(row.id for row in done.rows), *(one.id for one in done.rejected)])
    for row in done.rows:
        making.ledger.record(Fate(row=row.id, what="kept", reason=row.part, cause=row.parent, detail=f"unit {row.unit}: {row.method} of "
                                                                                                    f"{row.parent}"))
    for one in done.rejected:
        making.ledger.record(Fate(row=one.id, what="dropped", reason=f"augment: {one.reason}", cause=one.parent,
                                  detail=f"{one.method}: {one.detail}"))
    making.counts["augmented"] = len(done.rows)
    making.events.note(STAGE, SUMMARY, **summary_facts(done))
    return done


def _planted(making: Making, rows: Sequence[Example], settings: DatasetSettings) -> list[Example]:
    """Rows of canaries, each with its fate; canaries.jsonl lists them with the controls that were never planted."""
    planting = plant(rows, settings.seed)
    write_rows(making.folder / CANARIES, planting.canaries)
    making.ledger.rows_in(row.id for row in planting.rows)
    for row in planting.rows:
        making.ledger.record(Fate(row=row.id, what="kept", reason=row.part, detail=f"canary: {row.method}"))
    making.counts["canaries"] = len(planting.rows)
    train = sum(row.part == "train" for row in rows) + len(planting.rows)
    making.events.note(STAGE, "dataset.canaries", rows=len(planting.rows), canaries=sum(canary.copies > 0 for canary in planting.canaries))
    if len(planting.rows) > MANY_CANARIES * train:
        making.events.warning(STAGE, "dataset.many_canaries", rows=len(planting.rows), train=train)
    return planting.rows


def _assignments(documents: Sequence[Document], done: Split) -> list[Assigned]:
    drawn: dict[str, list[str]] = defaultdict(list)
    measured: tuple[Part, ...] = ("held_out", "validation")
    for part in measured:
        for row in done.parts[part]:
            drawn[row.document_id].append(row.text)
    return assignments(documents, done.part_of, drawn)


def _tell(making: Making, documents: Sequence[Document], rows: Sequence[Example], done: Split, settings: DatasetSettings) -> None:
    counts = Counter(row.part for row in rows)
    reviews = sum(row.origin == "review" for row in rows)
    clauses = sum(row.origin != "review" for row in done.ordered)
    making.counts.update({part: counts[part] for part in PARTS}, documents=len(documents), clauses=clauses, reviews=reviews,
                         types=len({row.clause_type for row in rows if row.clause_type}),
                         leaks=making.ledger.reasons("dropped").get("leak", 0))
    making.events.note(STAGE, "dataset.summary", documents=len(documents), clauses=clauses, rows=len(rows), train=counts["train"],
                       validation=counts["validation"], held_out=counts["held_out"], types=making.counts["types"], reviews=reviews)
    if counts["held_out"] < settings.held_out or counts["validation"] < settings.validation:
        making.events.warning(STAGE, "dataset.small", held_out=counts["held_out"], asked_held_out=settings.held_out,
                              validation=counts["validation"], asked_validation=settings.validation)
    trained = Counter(row.clause_type for row in rows if row.part == "train")
    few = sorted(key for key in {row.clause_type for row in rows if row.clause_type} if trained[key] < FEW)
    if few:
        making.events.warning(STAGE, "dataset.few_rows", types=", ".join(few), count=len(few), limit=FEW)
