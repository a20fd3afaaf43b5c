"""Files written whole or not at all, read row by row, and fingerprints of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from tutelage.core.errors import ArtifactError

ID_LENGTH = 12
Row = TypeVar("Row", bound=BaseModel)


def short_hash(*parts: str) -> str:
    """The first 12 hex digits of the SHA-256 of the parts, each preceded by its length so that no two joins collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:ID_LENGTH]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write beside its place; at the end it is flushed to the disk and renamed in. On an error nothing of it remains."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file beside its place, flush it to the disk, then rename it in: a kill leaves the old file or the new one."""
    with whole_file(path) as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill beside its place; at the end it is renamed in, and takes the place of one that stands there. On an error nothing
    of it remains."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        shutil.rmtree(path, ignore_errors=True)
        beside.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_rows(path: Path, rows: Iterable[BaseModel]) -> int:
    """Write rows as JSON lines, one after the other, whole or not at all. Gives how many there were."""
    count = 0
    with whole_file(path) as file:
        for row in rows:
            file.write(row_line(row))
            count += 1
    return count


def row_line(row: BaseModel) -> bytes:
    """A row as a line of JSON in UTF-8, with its line end."""
    return (json.dumps(row.model_dump(mode="json"), ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "replace")


def read_rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    """Rows of a JSON-lines file. Raises ArtifactError with file, line and field for a row of another shape."""
    if not path.exists():
        raise ArtifactError(f"{path}: there is no such file; expected {kind.__name__} rows. Run `tutelage make` to make it.")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"])) or "the line"
                raise ArtifactError(f"{path}:{number}: {place}: {first['msg']}; expected a {kind.__name__}. "
                                    "Delete this artifact's folder and run `tutelage make` again.") from None
