"""Files to rows: plain text, Markdown and licence files with front matter, and JSON lines. Nothing is dropped in silence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from tutelage.core.files import short_hash
from tutelage.documents.decode import Decoded, decode
from tutelage.documents.rows import Row, Unreadable
from tutelage.documents.sources import SourceFile

TITLE_CHARACTERS = 120
# A longer value is a text of its own, not a label.
METADATA_CHARACTERS = 300

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True)
class _Text:
    text: str
    title: str
    metadata: tuple[tuple[str, str], ...]


def read(file: SourceFile) -> list[Row]:
    """The rows of a file: one, or one a line of a .jsonl file. What cannot be read is a row with a problem."""
    reader = READERS.get(file.path.suffix.lower())
    if reader is None:
        return [_failed(file, Unreadable("no reader", f"Files ending in {file.path.suffix or 'nothing'} are not read, only "
                                         f"{', '.join(READERS)}. Save it as .txt, or leave it out of documents.sources."))]
    try:
        data = file.path.read_bytes()
    except OSError as error:
        return [_failed(file, Unreadable("unreadable", f"{error.strerror or error}. Check that the file exists and may be read."))]
    digest = hashlib.sha256(data).hexdigest()
    decoded = decode(data)
    if isinstance(decoded, Unreadable):
        return [_failed(file, decoded, sha256=digest)]
    return reader(file, digest, decoded)


def _failed(file: SourceFile, problem: Unreadable, *, sha256: str = "", name: str = "") -> Row:
    name = name or file.name
    return Row(id=short_hash(name, sha256), name=name, source=file.source, source_sha256=sha256, problem=problem,
               permission=file.permission)


def _row(file: SourceFile, digest: str, decoded: Decoded, content: _Text, *, name: str) -> Row:
    return Row(id=short_hash(name, content.text), name=name, source=file.source, source_sha256=digest, text=content.text,
               permission=file.permission, title=content.title[:TITLE_CHARACTERS], metadata=content.metadata,
               encoding=decoded.encoding, is_guess=decoded.is_guess)


def _read_text(file: SourceFile, digest: str, decoded: Decoded) -> list[Row]:
    text, fields = decoded.text, {}
    front = _FRONT_MATTER.match(text)
    if front:
        try:
            loaded = yaml.load(front[1] or "", _LOADER)
        except yaml.YAMLError as error:
            place = _place(error)
            return [_failed(file, Unreadable("bad front matter", f"The YAML between the --- lines cannot be read{place}. "
                                             "Correct it, or remove the block."), sha256=digest)]
        # Text may begin with a line of three dashes without being front matter.
        if loaded is None or isinstance(loaded, dict):
            text, fields = text[front.end():], loaded or {}
    title = next((str(fields[key]) for key in ("title", "name") if fields.get(key)), "") or _first_line(text)
    return [_row(file, digest, decoded, _Text(text, title, _labels(fields)), name=file.name)]


def _place(error: yaml.YAMLError) -> str:
    """The line in the file, where the error knows it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f" (line {error.problem_mark.line + 2})"
    return ""


def _read_json_lines(file: SourceFile, digest: str, decoded: Decoded) -> list[Row]:
    rows = []
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        name = f"{file.name}:{number}"
        fields = _json_object(line)
        if fields is None or not isinstance(fields.get("text"), str):
            problem = Unreadable("bad line", 'Each line must be a JSON object with a string "text", such as {"text": "..."}.')
            rows.append(_failed(file, problem, sha256=digest, name=name))
            continue
        text = str(fields.pop("text"))
        title = str(fields.get("title") or "") or _first_line(text)
        rows.append(_row(file, digest, decoded, _Text(text, title, _labels(fields)), name=name))
    return rows or [_failed(file, Unreadable("empty", "The file has no line."), sha256=digest)]


def _json_object(line: str) -> dict[str, object] | None:
    try:
        loaded = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def _labels(fields: dict[str, object]) -> tuple[tuple[str, str], ...]:
    """Short single values as strings; lists, blocks and long notes are no labels."""
    return tuple((str(key), str(value)) for key, value in fields.items()
                 if value is not None and not isinstance(value, (list, dict)) and len(str(value)) <= METADATA_CHARACTERS)


def _first_line(text: str) -> str:
    return next((line.strip().lstrip("#").strip() for line in text.splitlines() if line.strip()), "")


READERS: dict[str, Callable[[SourceFile, str, Decoded], list[Row]]] = {
    ".txt": _read_text, ".md": _read_text, ".license": _read_text, ".jsonl": _read_json_lines}
