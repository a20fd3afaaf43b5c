"""JSON lines, lines of text and JSON files to rows, in bounded memory: a file of any size is read object by object."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator

from tutelage.documents.decode import Sniffed, sniff
from tutelage.documents.readers.lines import has_wrong_bytes, lines, text_of, too_long, wrong_bytes
from tutelage.documents.readers.opened import Opened, failed
from tutelage.documents.readers.records import Record, rows_from
from tutelage.documents.rows import ReadOptions, Row, Unreadable

CHUNK_CHARACTERS = 1 << 20
# Half a pair of code units, which is no character on its own.
_MAYBE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"[ \t\r\n]*")
_OBJECT = 'one JSON object a row, such as {"text": "..."}'


class _RepeatedKey(ValueError):
    pass


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKey(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def read_json_lines(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """One row for each line that is not empty."""
    sniffed = sniff(opened.stream)
    if isinstance(sniffed, Unreadable):
        yield failed(opened.file, sniffed)
        return
    yield from rows_from(opened, sniffed, _of_lines(opened, sniffed, options, _fields_of), options)


def read_lines(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """Each line that is not empty, of a text file, as a text of its own."""
    sniffed = sniff(opened.stream)
    if isinstance(sniffed, Unreadable):
        yield failed(opened.file, sniffed)
        return
    yield from rows_from(opened, sniffed, _of_lines(opened, sniffed, options, lambda line: {"text": line}), options)


def read_json(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """One row for each element of the list; objects one after the other, as in a .jsonl file, are read as well."""
    sniffed = sniff(opened.stream)
    if isinstance(sniffed, Unreadable):
        yield failed(opened.file, sniffed)
        return
    with text_of(opened.stream, sniffed) as text:
        yield from rows_from(opened, sniffed, _Scanner(text, sniffed.encoding, options.max_characters_a_row).records(), options)


def _of_lines(opened: Opened, sniffed: Sniffed, options: ReadOptions,
              fields_of: Callable[[str], dict[str, object] | Unreadable]) -> Iterator[Record]:
    for line in lines(opened.stream, sniffed, options.max_characters_a_row):
        if isinstance(line.content, Unreadable):
            yield Record(line.number, line.content)
        elif not line.content.isspace():
            yield Record(line.number, fields_of(line.content.strip()))


def _fields_of(line: str) -> dict[str, object] | Unreadable:
    try:
        value, end = _DECODER.raw_decode(line)
    except (ValueError, RecursionError) as error:
        return _bad(error)
    if end != len(line):
        return Unreadable("bad JSON", f"After the object, at character {end + 1}, something else follows. Put it on a line of its own.",
                          expected=_OBJECT)
    return _checked(value, line)


def _checked(value: object, written: str) -> dict[str, object] | Unreadable:
    if not isinstance(value, dict):
        return Unreadable("bad JSON", f"It is no object but a {type(value).__name__}.", expected=_OBJECT)
    if _MAYBE_SURROGATE.search(written):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return Unreadable("broken character", "It has half a character (a lone surrogate such as \\ud83d). Export it anew as UTF-8.")
    return value


def _bad(error: ValueError | RecursionError) -> Unreadable:
    if isinstance(error, RecursionError):
        return Unreadable("bad JSON", "Its lists and objects are nested too deeply. Flatten it.", expected=_OBJECT)
    if isinstance(error, _RepeatedKey):
        return Unreadable("repeated key", "A key stands twice in one object, and nobody knows which value is meant. Remove one.",
                          field=str(error)[:80], expected="each key once")
    if isinstance(error, json.JSONDecodeError):
        return Unreadable("bad JSON", f"{error.msg} at character {error.pos + 1}. Correct the row.", expected=_OBJECT)
    return Unreadable("bad JSON", f"{error}. Correct the row.", expected=_OBJECT)


class _Scanner:
    """Reads the elements of a list, or objects one after the other, out of a text that is never held as a whole."""

    def __init__(self, text: io.TextIOWrapper, encoding: str, limit: int) -> None:
        self._text, self._encoding, self._limit = text, encoding, limit
        self._buffer, self._at, self._is_all, self._line, self._number = "", 0, False, 1, 0

    def records(self) -> Iterator[Record]:
        try:
            is_list = self._next() == "["
            self._at += is_list
            yield from self._elements(is_list)
        except UnicodeDecodeError:
            self._number += 1
            yield self._lost(Unreadable("wrong encoding", f"After line {self._line} the file is not {self._encoding}, or it is cut off."))

    def _elements(self, is_list: bool) -> Iterator[Record]:
        while (character := self._next()) and not (is_list and character == "]"):
            self._number += 1
            if is_list and self._number > 1:
                if character != ",":
                    yield self._lost(Unreadable("bad JSON", f"Line {self._line}: a comma is missing.", expected=_OBJECT))
                    return
                self._at += 1
                self._next()
            element = self._element()
            if isinstance(element, Unreadable):
                yield self._lost(element)
                return
            value, written = element
            fields = wrong_bytes(self._encoding) if has_wrong_bytes(written) else _checked(value, written)
            yield Record(self._number, fields)
        if not is_list:
            return
        self._at += 1
        self._number += 1
        if not character:
            yield self._lost(Unreadable("truncated", f"The list ends without ] after {self._number - 1} elements: the file is cut off."))
        elif self._next():
            yield self._lost(Unreadable("bad JSON", f"Line {self._line}: after the list something else follows."))

    def _lost(self, why: Unreadable) -> Record:
        """Where one element cannot be read, nobody can tell where the next begins."""
        return Record(self._number, Unreadable(why.reason, f"{why.suggestion} Nothing after it is read.", why.field, why.expected))

    def _element(self) -> tuple[object, str] | Unreadable:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
                is_whole = end < len(self._buffer) or self._is_all or isinstance(value, (dict, list))
            except _RepeatedKey as error:
                return _bad(error)
            except (ValueError, RecursionError) as error:
                if self._is_all or _is_certain(error, len(self._buffer)):
                    bad = _bad(error)
                    return Unreadable(bad.reason, f"Line {self._line_at(error)}: {bad.suggestion}", bad.field, bad.expected)
                is_whole = False
            if is_whole:
                written = self._buffer[self._at:end]
                self._line += written.count("\n")
                self._at = end
                return (value, written) if len(written) <= self._limit else too_long(self._limit)
            if len(self._buffer) - self._at > self._limit:
                return too_long(self._limit)
            self._more()

    def _line_at(self, error: ValueError | RecursionError) -> int:
        end = error.pos if isinstance(error, json.JSONDecodeError) else self._at
        return self._line + self._buffer.count("\n", self._at, end)

    def _next(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            end = match.end() if match else self._at
            self._line += self._buffer.count("\n", self._at, end)
            self._at = end
            if self._at < len(self._buffer) or self._is_all:
                return self._buffer[self._at:self._at + 1]
            self._more()

    def _more(self) -> None:
        """The longer the element so far, the more is read, so that an element is not tried again and again."""
        rest = self._buffer[self._at:]
        piece = self._text.read(max(CHUNK_CHARACTERS, len(rest)))
        self._is_all = not piece
        self._buffer, self._at = rest + piece, 0


def _is_certain(error: ValueError | RecursionError, length: int) -> bool:
    """Whether more text would not mend it: the fault is not at the end of what was read, and no string is merely unfinished."""
    if isinstance(error, json.JSONDecodeError):
        return not error.msg.startswith("Unterminated string") and error.pos < length - 16
    return True
