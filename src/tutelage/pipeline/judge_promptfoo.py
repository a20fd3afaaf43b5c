"""A promptfoo file as rows to judge by: tests with vars, prompts, and assertions that a rule can decide. What cannot be read is named."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tutelage.core.errors import InputError
from tutelage.core.files import file_sha256, short_hash
from tutelage.core.history import Fate
from tutelage.core.records import Example, Message
from tutelage.pipeline.judge_rows import Brought
from tutelage.pipeline.yaml_tree import read_tree
from tutelage.scores.results import Check, Limit
from tutelage.text.language import language_of

OF_TEXT = ("equals", "contains", "icontains", "starts-with", "regex")
OF_LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")
BLANK = re.compile(r"\{\{-?\s*(\w+)\s*-?\}\}")
TEMPLATE = re.compile(r"\{\{|\{%")
FILE = "file://"


@dataclass
class _Reading:
    """What is found on the way: kinds of assertions that are not judged here, and tests that are left out."""

    folder: Path
    unread: Counter[str] = field(default_factory=Counter)
    left_out: list[Fate] = field(default_factory=list)

    def drop(self, name: str, reason: str, detail: str) -> None:
        row = short_hash(name, reason, str(len(self.left_out)))
        self.left_out.append(Fate(row=row, what="dropped", reason=reason, name=name, detail=detail))


def read_promptfoo(path: Path) -> Brought:
    """Every test with every prompt as a row. Raises InputError (RecipeError with the line) for a file that has no tests or is no YAML."""
    tree = read_tree(path.read_text("utf-8", errors="replace"), path.name)
    data = tree.data
    if not isinstance(data, dict) or not data.get("tests") or not data.get("prompts"):
        raise InputError(f"--rows {path}: has no `prompts` and `tests`; expected a promptfoo file with both. Rows in other formats end in "
                         ".jsonl, .json, .csv or .parquet.")
    reading = _Reading(path.parent)
    prompts = list(_prompts(data["prompts"], reading))
    shared = data["defaultTest"] if isinstance(data.get("defaultTest"), dict) else {}
    rows: dict[str, Example] = {}
    checks: dict[str, tuple[Check, ...]] = {}
    for number, test in enumerate(_tests(data["tests"], reading), 1):
        for values in _values({**(shared.get("vars") or {}), **(test.get("vars") or {})}):
            found = _checks([*(shared.get("assert") or []), *(test.get("assert") or [])], values, reading)
            name = str(test.get("description") or f"test {number}")
            if not found:
                reading.drop(name, "no assertion that is judged here", "Give it an equals, contains, starts-with, regex or is-json.")
                continue
            for prompt in prompts:
                row = _row(prompt, values, found, name, path.name, reading)
                if row is not None:
                    rows[row.id], checks[row.id] = row, found
    limits: tuple[Limit, ...] = ()
    if reading.unread:
        told = ", ".join(f"{kind} {count}" for kind, count in reading.unread.most_common())
        limits = (Limit(key="scores.limit.assertions", facts={"count": reading.unread.total(), "kinds": told}),)
    return Brought(tuple(rows.values()), file_sha256(path), checks, tuple(reading.left_out), limits)


def _prompts(given: Any, reading: _Reading) -> Iterator[str]:
    for number, prompt in enumerate(given if isinstance(given, list) else [given], 1):
        text = prompt.get("raw") or prompt.get("id") if isinstance(prompt, dict) else prompt
        if isinstance(text, str) and text.startswith(FILE):
            file = reading.folder / text.removeprefix(FILE)
            if file.suffix not in (".txt", ".json", ".md") or not file.is_file():
                reading.drop(f"prompt {number}", "prompt not read", f"{text}: only .txt, .md and .json files that exist are read.")
                continue
            text = file.read_text("utf-8", errors="replace")
        if isinstance(text, str) and text.strip():
            yield text
        else:
            reading.drop(f"prompt {number}", "prompt not read", "A prompt is a text, or the address file:// of one.")


def _tests(given: Any, reading: _Reading) -> Iterator[dict[str, Any]]:
    for number, test in enumerate(given if isinstance(given, list) else [given], 1):
        if isinstance(test, str) and test.startswith(FILE):
            file = reading.folder / test.removeprefix(FILE)
            if file.suffix in (".yaml", ".yml") and file.is_file():
                yield from _tests(read_tree(file.read_text("utf-8", errors="replace"), file.name).data, reading)
                continue
        if isinstance(test, dict):
            yield test
        else:
            reading.drop(f"test {number}", "test not read", f"{str(test)[:80]}: tests are written in the file, or in a file://...yaml.")


def _values(given: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Each combination of values, where a variable has several."""
    lists = [value if isinstance(value, list) else [value] for value in given.values()]
    for combined in product(*lists):
        yield {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
               for name, value in zip(given, combined, strict=True)}


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its blanks filled; a blank without a value is empty, as in promptfoo."""
    return BLANK.sub(lambda blank: values.get(blank[1], ""), text)


def _checks(given: list[Any], values: Mapping[str, str], reading: _Reading) -> tuple[Check, ...]:
    found = []
    for one in given:
        check = _check(one, values) if isinstance(one, dict) else None
        if check is None:
            reading.unread[str(one.get("type", "?")) if isinstance(one, dict) else "?"] += 1
        else:
            found.append(check)
    return tuple(found)


def _check(given: Mapping[str, Any], values: Mapping[str, str]) -> Check | None:
    kind, value = str(given.get("type", "")), given.get("value", "")
    negated = kind.startswith("not-")
    kind = kind.removeprefix("not-")
    if given.get("transform"):
        return None
    if kind == "is-json" and value in ("", None):
        return Check(kind=kind, negated=negated)
    if kind in OF_TEXT and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = _filled(str(value), values)
        if text.startswith(FILE) or TEMPLATE.search(text) or (kind == "regex" and not _is_pattern(text)):
            return None
        return Check(kind=kind, value=text, negated=negated)
    if kind in OF_LISTS:
        words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
        if isinstance(words, list) and words and all(isinstance(word, (str, int, float)) for word in words):
            return Check(kind=kind, value=tuple(_filled(str(word), values) for word in words), negated=negated)
    return None


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _row(prompt: str, values: Mapping[str, str], checks: tuple[Check, ...], name: str, source: str, reading: _Reading) -> Example | None:
    """The row of one test and one prompt. What it must equal is its reference; without it there is none."""
    text = _filled(prompt, values)
    if TEMPLATE.search(BLANK.sub("", prompt)):
        reading.drop(name, "prompt not read", "Filters and conditions of templates are not read, only {{name}}.")
        return None
    messages = _messages(text)
    if messages is None:
        reading.drop(name, "prompt not read", "A prompt in JSON is a list of turns with role and content, the last one the user's.")
        return None
    reference = next((str(check.value) for check in checks if check.kind == "equals" and not check.negated), "")
    everything = json.dumps(dict(values), sort_keys=True, ensure_ascii=False)
    return Example(
        id=short_hash(prompt, everything, name), messages=(*messages, Message(role="assistant", content=reference)), clause_type="",
        keywords=(), language="zh" if language_of(text) == "zh" else "en", heading=name, document_id=short_hash(name, everything),
        source=source, start=0, end=0, family=short_hash(name, everything), part="held_out", task="instruction")


def _messages(text: str) -> list[Message] | None:
    if not text.lstrip().startswith("[{"):
        return [Message(role="user", content=text)]
    try:
        messages = [Message.model_validate(turn) for turn in json.loads(text)]
    except (ValueError, ValidationError):
        return None
    return messages if messages and messages[-1].role == "user" else None
