"""The message catalogue: every text that a person reads, in English and Chinese.

The texts stand in `core/messages/<room>.json` as {"room.key": {"en": "...", "zh": "..."}} with {named} blanks.
"""

from __future__ import annotations

import json
import string
from functools import cache
from importlib.resources import files

from tutelage.core.errors import TutelageError

LANGUAGES = ("en", "zh")


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
