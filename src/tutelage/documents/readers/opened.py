"""A file that is open for a reader, wherever it lies: on the disk, at a URL or in a zip file; and the rows that readers make of it."""

from __future__ import annotations

import hashlib
import os
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tutelage.core.errors import TutelageError
from tutelage.core.files import short_hash
from tutelage.documents import urls
from tutelage.documents.decode import Decoded
from tutelage.documents.rows import ReadOptions, Row, Unreadable
from tutelage.documents.sources import SourceFile

TITLE_CHARACTERS = 120
# A longer value is a text of its own, not a label.
METADATA_CHARACTERS = 300
IN_MEMORY_BYTES = 16 << 20
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Opened:
    """A file and its content: `stream` can be read again from any place. `beside` gives another file by its path relative to this one.

    Raised by `beside`: OSError, if there is no such file.
    """

    file: SourceFile
    stream: BinaryIO
    size: int
    beside: Callable[[str], bytes]

    @property
    def ending(self) -> str:
        """The last part of the name, such as ".docx"."""
        return posixpath.splitext(self.file.name.partition("?")[0] if self.file.url else self.file.name)[1].lower()

    def sha256(self) -> str:
        """Hex SHA-256 of the whole content; the stream is at its beginning afterwards."""
        self.stream.seek(0)
        digest = hashlib.file_digest(self.stream, "sha256").hexdigest()  # type: ignore[arg-type]
        self.stream.seek(0)
        return digest

    def whole(self, options: ReadOptions) -> bytes | Unreadable:
        """All bytes, unless they are too many for one text."""
        if self.size > options.max_bytes_a_document:
            return too_large(self.size, options.max_bytes_a_document)
        return self.stream.read(self.size)


def too_large(size: int, limit: int) -> Unreadable:
    """Why a file of that many bytes is not read as one text."""
    return Unreadable("too large", f"It has {size / 1e6:,.1f} MB and would be one text; {limit / 1e6:,.1f} MB are allowed. Split it, or "
                      'save it as .jsonl with one {"text": "..."} a line.')


def failed(file: SourceFile, problem: Unreadable, *, sha256: str = "", name: str = "") -> Row:
    """The row that says why there is none; `name` of the row, if it is not that of the file."""
    name = name or file.name
    return Row(id=short_hash(name, sha256), name=name, source=file.source, source_sha256=sha256, problem=problem,
               permission=file.permission)


def decoded_whole(opened: Opened, options: ReadOptions, decoding: Callable[[bytes], Decoded | Unreadable]) -> tuple[str, Decoded] | Row:
    """The SHA-256 of the file and its text, or the row that says why there is none."""
    data = opened.whole(options)
    if isinstance(data, Unreadable):
        return failed(opened.file, data)
    digest = hashlib.sha256(data).hexdigest()
    decoded = decoding(data)
    return failed(opened.file, decoded, sha256=digest) if isinstance(decoded, Unreadable) else (digest, decoded)


def title_of(text: str) -> str:
    """The first line that is not empty, without the # of a heading."""
    return next((line.strip().lstrip("#").strip() for line in text.splitlines() if line.strip()), "")[:TITLE_CHARACTERS]


def labels(fields: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Short single values as strings; lists, blocks, very large numbers and long notes are no labels."""
    found = []
    for key, value in fields.items():
        shown = value if isinstance(value, str) else "" if value is None or _is_compound(value) else str(value)
        if len(shown) <= METADATA_CHARACTERS and (shown or value == ""):
            found.append((str(key), shown))
    return tuple(found)


def _is_compound(value: object) -> bool:
    """Whether writing it as a string could take long: YAML aliases can make a small list endless."""
    return isinstance(value, (list, dict, set, tuple, bytes)) or (isinstance(value, int) and value.bit_length() > METADATA_CHARACTERS)


@contextmanager
def opening(file: SourceFile) -> Iterator[Opened]:
    """The file, open. A URL is copied to a temporary file, in memory if it is small. Raises OSError."""
    if not file.url:
        with file.path.open("rb") as stream:
            yield Opened(file, stream, os.fstat(stream.fileno()).st_size, lambda path: (file.path.parent / path).read_bytes())
        return
    with temporary() as copy:
        with _from(file.url) as stream:
            while piece := stream.read(COPY_BYTES):
                copy.write(piece)
        size = copy.tell()
        copy.seek(0)
        yield Opened(file, copy, size, lambda path: _bytes_at(f"{file.url.rpartition('/')[0]}/{path}"))


@contextmanager
def temporary() -> Iterator[BinaryIO]:
    """A file that can be read again, in memory as long as it is small, and gone afterwards."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as copy:
        yield cast(BinaryIO, copy)


def _bytes_at(url: str) -> bytes:
    with _from(url) as stream:
        return stream.read()


@contextmanager
def _from(url: str) -> Iterator[BinaryIO]:
    """A service that fails is an OSError to readers, as a disk that fails."""
    try:
        with urls.opened(url) as stream:
            yield stream
    except (OSError, TutelageError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {str(error)[:200]}") from error


def member_file(outer: SourceFile, name: str) -> SourceFile:
    """The name under which a member of a zip file is known."""
    return SourceFile(f"{outer.name}/{name}", outer.source, Path(PurePosixPath(name).name), outer.format, outer.permission)
