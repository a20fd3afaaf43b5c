"""Writes each approved draft as an artifact `reviews/<id>/rows.jsonl`, from which the next dataset takes it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.core.errors import ArtifactError
from tutelage.core.events import Events
from tutelage.core.files import short_hash, write_rows
from tutelage.core.history import Fate
from tutelage.core.records import ApprovedRow
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store, content_id
from tutelage.desk.desk import Desk, DraftRow

VERSION = 1
STAGE = "reviews"
ROWS = "rows.jsonl"
LOCK = ".export.lock"


def make(making: Making, *, row: ApprovedRow) -> None:
    """Write one approved row. `export` calls it once for each approval that has no artifact yet."""
    making.ledger.rows_in([row.id])
    making.ledger.record(Fate(row=row.id, what="kept", reason="approved", cause=row.approver, name=row.clause_type,
                              detail=f"author {row.author}, approver {row.approver}, model {row.model}"))
    write_rows(making.folder / ROWS, [row])
    making.counts["edited"] = int(row.text != row.draft)
    making.events.note(STAGE, "reviews.exported", row=row.id, author=row.author, approver=row.approver)


def export(desk: Desk, work: Path, *, events: Events | None = None) -> list[Path]:
    """Write the missing artifacts of approved drafts under `work`; gives the folders that it made.

    Calling it again changes nothing; after a crash between approval and export it makes up for what is missing. Several
    threads and processes may call it at once. Raises ArtifactError if the folder cannot be written; then the approvals
    stay in the desk for the next call.
    """
    told = events or Events()
    settings = Settings()  # nothing that may be set shapes an approved row
    store = Store(work)
    made: list[Path] = []
    try:
        with alone_in(work / STAGE):
            for draft in reversed(desk.drafts(state="approved")):
                row = approved_row(draft)
                inputs = {"row": short_hash(row.model_dump_json(exclude={"permission"}))}
                artifact_id = content_id(STAGE, version=VERSION, settings=settings, parents={}, inputs=inputs)
                if store.look_up(STAGE, artifact_id):
                    continue
                with store.making(STAGE, artifact_id, version=VERSION, recipe="", settings=settings, parents={}, inputs=inputs,
                                  events=told) as making:
                    make(making, row=row)
                made.append(work / STAGE / artifact_id)
    except OSError as error:
        raise ArtifactError(f"{work / STAGE}: approved rows cannot be written ({error.strerror or error}). They are safe in the desk. "
                            "Make the folder writable, then run `tutelage make` again.") from None
    return made


def approved_row(draft: DraftRow) -> ApprovedRow:
    """The approved draft as a row for training; its id follows from all that it says, but for who may use it, which an earlier version
    did not write down: rows that it wrote keep their ids.
    """
    values = {"clause_type": draft.clause_type, "keywords": draft.keywords, "language": draft.language, "draft": draft.draft,
              "text": draft.text, "author": draft.author, "approver": draft.approver, "approved_at": draft.updated_at, "model": draft.model}
    described = ApprovedRow.model_validate({"id": "", **values}).model_dump_json(exclude={"permission"})
    return ApprovedRow.model_validate({"id": short_hash(described), **values, "permission": draft.permission})


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two makers of one artifact would remove each other's half-made files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
