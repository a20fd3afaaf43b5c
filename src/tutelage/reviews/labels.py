"""Labelling: the dataset's doubtful clauses go to the desk, and the types that people confirmed go back as `labels/<id>/rows.jsonl`."""

from __future__ import annotations

import shutil
from pathlib import Path

from tutelage.core.errors import ArtifactError, InputError
from tutelage.core.events import Events
from tutelage.core.files import read_rows, short_hash, write_rows
from tutelage.core.history import Fate
from tutelage.core.records import ConfirmedLabel, Unlabelled
from tutelage.core.settings import Settings
from tutelage.core.store import MANIFEST, Artifact, Making, Store, content_id
from tutelage.desk.desk import Desk, User
from tutelage.desk.labels import SKIP
from tutelage.desk.records import LabelAnswer
from tutelage.reviews.make import ROWS, alone_in
from tutelage.text.clause_types import CLAUSE_TYPES

VERSION = 1
STAGE = "labels"
UNLABELLED = "unlabelled.jsonl"
NONE = "none"  # people agree that it is no clause worth learning
NO_TYPE = (NONE, SKIP)


def has_queue(dataset: Artifact) -> bool:
    """Whether the dataset lists its doubtful clauses; those of older versions do not."""
    return UNLABELLED in dataset.manifest.files


def fill_queue(desk: Desk, dataset: Artifact) -> int:
    """Put the dataset's doubtful clauses into the labelling queue; gives how many are new. Raises ArtifactError if it lists none."""
    return desk.labels.fill(read_rows(dataset.file(UNLABELLED), Unlabelled), dataset=dataset.id)


def label(desk: Desk, work: Path, item: str, *, user: User, answer: str, needed: int) -> LabelAnswer:
    """Keep a person's answer, one of the clause types, "none" or "skip"; a type that it confirms is written for the next dataset.

    Raises InputError for another answer, NotFound for an unknown clause, WrongState where the answer stands already.
    """
    if answer not in CLAUSE_TYPES and answer not in NO_TYPE:
        raise InputError(f"label is {answer[:60]!r}; it must be a clause type, {NONE!r} or {SKIP!r}. Choose one of the list.")
    given = desk.labels.put(item, person=user.name, clause_type=answer, needed=needed)
    if given.confirmed:
        export_labels(desk, work, needed=needed)
    return given


def make(making: Making, *, rows: list[ConfirmedLabel]) -> None:
    """Write confirmed labels. `export_labels` calls it once for all that no artifact holds yet."""
    making.ledger.rows_in(row.id for row in rows)
    for row in rows:
        making.ledger.record(Fate(row=row.id, what="kept", reason="confirmed label", name=row.clause_type,
                                  detail=f"given by {', '.join(row.people)}"))
    write_rows(making.folder / ROWS, rows)
    making.counts["none"] = sum(row.clause_type == NONE for row in rows)
    making.events.note(STAGE, "labels.exported", labels=len(rows))


def export_labels(desk: Desk, work: Path, *, needed: int, events: Events | None = None) -> list[Path]:
    """Write the confirmed labels that `work` does not hold yet as one artifact; gives the folders that it made, one or none.

    Answers that `needed` people gave under a stricter setting are confirmed first. Calling it again changes nothing; after a
    crash it makes up for what is missing. Several threads and processes may call it at once. Raises ArtifactError if the
    folder cannot be written; then the labels stay in the desk for the next call.
    """
    desk.labels.confirm(needed=needed)
    settings = Settings()
    store = Store(work)
    try:
        with alone_in(work / STAGE):
            _clear(work / STAGE)
            held = _held(work / STAGE)
            rows = [row for row in desk.labels.confirmed() if row not in held]
            if not rows:
                return []
            inputs = {"rows": short_hash(*(row.model_dump_json() for row in rows))}
            artifact_id = content_id(STAGE, version=VERSION, settings=settings, parents={}, inputs=inputs)
            with store.making(STAGE, artifact_id, version=VERSION, recipe="", settings=settings, parents={}, inputs=inputs,
                              events=events or Events()) as making:
                make(making, rows=rows)
    except OSError as error:
        raise ArtifactError(f"{work / STAGE}: confirmed labels cannot be written ({error.strerror or error}). They are safe in the desk. "
                            "Make the folder writable, then run `tutelage make` again.") from None
    return [work / STAGE / artifact_id]


def _clear(folder: Path) -> None:
    """Remove what a killed export left: the next one makes more rows together, so it would not meet the leftover again."""
    for entry in folder.iterdir():
        if entry.name.startswith(".") and entry.is_dir():
            shutil.rmtree(entry)


def _held(folder: Path) -> set[ConfirmedLabel]:
    """Rows of the artifacts that are finished."""
    return {row for manifest in folder.glob(f"[!.]*/{MANIFEST}") for row in read_rows(manifest.with_name(ROWS), ConfirmedLabel)}
