"""Text files read line by line in bounded memory, however long a line is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from tutelage.documents.decode import SAVE_AS_UTF8, Sniffed, codec
from tutelage.documents.rows import Unreadable

# Bytes that are no character of the encoding, as Python's "surrogateescape" and "surrogatepass" show them.
_NO_CHARACTER = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Line:
    """A line with its number from 1 on and its line end; or why it cannot be read."""

    number: int
    content: str | Unreadable


@contextmanager
def text_of(stream: BinaryIO, sniffed: Sniffed) -> Iterator[io.TextIOWrapper]:
    """The stream as text from its beginning; line ends are left as they are. It stays open."""
    stream.seek(sniffed.skip)
    errors = "surrogatepass" if sniffed.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    text = io.TextIOWrapper(stream, codec(sniffed.encoding), errors, newline="\n")
    try:
        yield text
    finally:
        text.detach()


def lines(stream: BinaryIO, sniffed: Sniffed, limit: int) -> Iterator[Line]:
    """All lines. One that is longer than `limit` characters is a problem, and the next one is read."""
    with text_of(stream, sniffed) as text:
        number = 0
        while True:
            number += 1
            try:
                line = text.readline(limit + 1)
                if not line:
                    return
                if len(line) > limit:
                    _skip_line(text, line, limit)
                    yield Line(number, too_long(limit))
                else:
                    yield Line(number, wrong_bytes(sniffed.encoding) if has_wrong_bytes(line) else line)
            except UnicodeDecodeError:
                yield Line(number, Unreadable("wrong encoding", f"From here on it is not {sniffed.encoding}; nothing after it is read. "
                                              + SAVE_AS_UTF8))
                return


def too_long(limit: int) -> Unreadable:
    """Why a row is not read that goes on and on."""
    return Unreadable("too large", f"It has more than {limit:,} characters. Is a line end missing? Split the text into several rows.",
                      expected=f"at most {limit:,} characters")


def wrong_bytes(encoding: str) -> Unreadable:
    """Why a row is not read that has bytes of another encoding in it."""
    return Unreadable("wrong encoding", f"It has bytes that are not {encoding}, although the rest of the file is. {SAVE_AS_UTF8}")


def has_wrong_bytes(text: str) -> bool:
    """Whether bytes of the text could not be decoded."""
    return not text.isascii() and _NO_CHARACTER.search(text) is not None


def _skip_line(text: io.TextIOWrapper, line: str, limit: int) -> None:
    while line and not line.endswith("\n"):
        line = text.readline(limit)
