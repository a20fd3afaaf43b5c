"""What people decided, as rows and labels: approved reviews come back as training rows, confirmed types name clauses."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.files import file_sha256, read_rows
from tutelage.core.records import ApprovedRow, ConfirmedLabel

REVIEWS, LABELS = "reviews", "labels"


def fingerprint_of_people(work: Path) -> dict[str, str]:
    """Each rows file, relative to the work folder -> SHA-256: a new approval or label makes a new dataset."""
    return {path.relative_to(work).as_posix(): file_sha256(path) for room in (REVIEWS, LABELS) for path in _files(work, room)}


def approved_rows(work: Path) -> list[ApprovedRow]:
    """All approved rows, each id once, by id. Raises ArtifactError with file and line for a row of another shape."""
    rows = {row.id: row for path in _files(work, REVIEWS) for row in read_rows(path, ApprovedRow)}
    return [rows[row_id] for row_id in sorted(rows)]


def confirmed_labels(work: Path) -> dict[str, ConfirmedLabel]:
    """The confirmed type of each clause, by its id; of several the one that was confirmed last."""
    labels = [label for path in _files(work, LABELS) for label in read_rows(path, ConfirmedLabel)]
    return {label.id: label for label in sorted(labels, key=lambda label: label.confirmed_at)}


def _files(work: Path, room: str) -> list[Path]:
    """The rows files of all finished exports below a work folder."""
    root = work / room
    return sorted(path for path in root.glob("*/rows.jsonl") if not path.parent.name.startswith(".")) if root.is_dir() else []
