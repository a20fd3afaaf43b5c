"""The message catalogue: every text that a person reads, in English and Chinese.

The texts stand in `core/messages/<room>.json` as {"room.key": {"en": "...", "zh": "..."}} with {named} blanks.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TypeVar

from tutelage.core.errors import TutelageError

LANGUAGES = ("en", "zh")
Failure = TypeVar("Failure", bound=TutelageError)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All texts: key -> language -> text. Raises TutelageError when two rooms define one key."""
    texts: dict[str, dict[str, str]] = {}
    folder = files("tutelage.core").joinpath("messages")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".json"):
            continue
        for key, translations in json.loads(file.read_text("utf-8")).items():
            if key in texts:
                raise TutelageError(f"{file.name}: the text {key!r} is defined twice. Rename one.")
            texts[key] = translations
    return texts


def blanks(text: str) -> set[str]:
    """Names of the blanks in a text of the catalogue."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def text(key: str, language: str = "en", **facts: object) -> str:
    """The text for `key` in `language`, its blanks filled with `facts`.

    A fact named `..._key` is the key of another text, which fills the blank `...` in the same language; its own blanks take the same facts.

    Raises TutelageError for an unknown key or language or a blank without a fact: a missing text is never shown as a key.
    """
    translations = catalogue().get(key)
    if translations is None:
        raise TutelageError(f"there is no text {key!r} in the message catalogue. Add it to core/messages.")
    if language not in translations:
        raise TutelageError(f"the text {key!r} has no language {language!r}; it has {', '.join(translations)}.")
    plain = {name: value for name, value in facts.items() if not name.endswith("_key")}
    facts = {**facts, **{name.removesuffix("_key"): text(str(value), language, **plain) for name, value in facts.items()
                         if name.endswith("_key") and name.removesuffix("_key") in blanks(translations[language])}}
    missing = blanks(translations[language]) - set(facts)
    if missing:
        raise TutelageError(f"the text {key!r} needs {', '.join(sorted(missing))}; it got {', '.join(sorted(facts)) or 'nothing'}.")
    return translations[language].format(**facts)


def failure(kind: type[Failure], key: str, **facts: object) -> Failure:
    """An error whose message is the text for `key`, so that it can be told in every language of the catalogue."""
    return failures(kind, [(key, facts)])


def failures(kind: type[Failure], texts: Sequence[tuple[str, Mapping[str, object]]], *, between: str = "\n") -> Failure:
    """The same of several texts, with `between` between them."""
    error = kind(between.join(text(key, "en", **facts) for key, facts in texts))
    error.texts, error.between = tuple(texts), between
    return error


def tell_failure(error: TutelageError, language: str) -> str:
    """The error's message in `language`. Where only English has it: what kind of error it is in `language`, and the English message."""
    if error.texts:
        return error.between.join(text(key, language, **facts) for key, facts in error.texts)
    return text(f"error.code_{error.exit_code}", language, message=error)
