"""Files of our own for the readers, and how they are read."""

from pathlib import Path

from tutelage.documents.readers import read
from tutelage.documents.rows import ReadOptions, Row, Unreadable
from tutelage.documents.settings import RowFormat
from tutelage.documents.sources import SourceFile


def rows_of(folder: Path, name: str, content: str | bytes, options: ReadOptions | None = None, row_format: RowFormat = "auto") -> list[Row]:
    """The rows of a file with that content."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return rows_at(path, options, row_format)


def rows_at(path: Path, options: ReadOptions | None = None, row_format: RowFormat = "auto") -> list[Row]:
    """The rows of a file on the disk, which is known by its name."""
    return list(read(SourceFile(path.name, "contracts", path, row_format), options or ReadOptions()))


def problem_of(rows: list[Row]) -> Unreadable:
    """The problem of the only row."""
    assert len(rows) == 1, rows
    assert rows[0].problem is not None, rows[0]
    return rows[0].problem


def turns(row: Row) -> list[tuple[str, str]]:
    """The messages of a row as pairs."""
    assert row.problem is None, row.problem
    return [(message.role, message.content) for message in row.messages]
