"""Approved reviews as training rows: what people corrected comes back."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.files import file_sha256, read_rows
from tutelage.core.records import ApprovedRow


def approved_files(work: Path) -> list[Path]:
    """The rows files of all finished reviews below a work folder."""
    root = work / "reviews"
    return sorted(path for path in root.glob("*/rows.jsonl") if not path.parent.name.startswith(".")) if root.is_dir() else []


def fingerprint_of_reviews(work: Path) -> dict[str, str]:
    """Each rows file, relative to the work folder -> SHA-256: a new approval makes a new dataset."""
    return {path.relative_to(work).as_posix(): file_sha256(path) for path in approved_files(work)}


def approved_rows(work: Path) -> list[ApprovedRow]:
    """All approved rows, each id once, by id. Raises ArtifactError with file and line for a row of another shape."""
    rows = {row.id: row for path in approved_files(work) for row in read_rows(path, ApprovedRow)}
    return [rows[row_id] for row_id in sorted(rows)]
