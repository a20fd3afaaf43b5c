"""Labelled texts to train and measure moderation with: JSONL of our own shape, or of two published sets, read as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.core.errors import InputError
from tutelage.core.records import Record

# Of openai/moderation-api-release; a missing letter means "not known".
LETTERS = {"S": "sexual", "H": "hate", "V": "violence", "HR": "harassment", "SH": "self-harm", "S3": "sexual/minors",
           "H2": "hate/threatening", "V2": "violence/graphic"}
SHAPES = ('{"text": ..., "labels": {"hate": true, ...}}, {"prompt": ..., "H": 1, ...} (OpenAI\'s set), or '
          '{"text": ..., "label": 0 or 1} (COLD: offensive to a group, read as hate)')


class ModerationRow(Record):
    """A text and what people said of it; a category that is not there is not known."""

    text: str
    labels: dict[str, bool]


def read_rows(path: Path, categories: tuple[str, ...]) -> Iterator[ModerationRow]:
    """The rows of a file. Raises InputError that names the line which has none of the known shapes."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}). Give a JSONL file in UTF-8.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(json.loads(line))
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{path}:{number}: is no labelled text. Each line is {SHAPES}.") from None
        unknown = sorted(set(row.labels) - set(categories))
        if unknown:
            raise InputError(f"{path}:{number}: {unknown[0]!r} is no category; the categories are {', '.join(categories)}.")
        yield row


def _row(given: Mapping[str, Any]) -> ModerationRow:
    if "prompt" in given:
        labels = {name: bool(given[letter]) for letter, name in LETTERS.items() if letter in given}
        return ModerationRow(text=given["prompt"], labels=labels)
    if "label" in given:
        return ModerationRow(text=given["text"], labels={"hate": {0: False, 1: True}[given["label"]]})
    return ModerationRow(text=given["text"], labels=given["labels"])
