"""Plain text, Markdown and licence files, with or without front matter: one text a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from tutelage.core.files import short_hash
from tutelage.documents.decode import decode
from tutelage.documents.readers.opened import TITLE_CHARACTERS, Opened, decoded_whole, failed, labels, title_of
from tutelage.documents.rows import ReadOptions, Row, Unreadable

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def read_text(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """The text of the file; fields of its front matter become title and metadata."""
    whole = decoded_whole(opened, options, decode)
    if isinstance(whole, Row):
        yield whole
        return
    digest, decoded = whole
    text, fields = decoded.text, {}
    front = _FRONT_MATTER.match(text)
    if front:
        try:
            loaded = yaml.load(front[1] or "", _LOADER)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            yield failed(opened.file, Unreadable("bad front matter", f"The YAML between the --- lines cannot be read{_place(error)}. "
                                                 "Correct it, or remove the block."), sha256=digest)
            return
        # Text may begin with a line of three dashes without being front matter.
        if loaded is None or isinstance(loaded, dict):
            text, fields = text[front.end():], loaded or {}
    title = next((str(fields[key]) for key in ("title", "name") if isinstance(fields.get(key), str) and fields[key]), "") or title_of(text)
    yield Row(id=short_hash(opened.file.name, text), name=opened.file.name, source=opened.file.source, source_sha256=digest, text=text,
              permission=opened.file.permission, title=title[:TITLE_CHARACTERS], metadata=labels(fields),
              encoding=decoded.encoding, is_guess=decoded.is_guess)


def _place(error: Exception) -> str:
    """The line in the file, where the error knows it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f" (line {error.problem_mark.line + 2})"
    return ""
