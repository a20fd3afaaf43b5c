"""In which language a command line's errors are told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.language import LANGUAGES

_ONE = f"({'|'.join(LANGUAGES)})"
OPTIONS = {"--language": re.compile(_ONE), "--set": re.compile(f"language={_ONE}")}
OF_RECIPE = re.compile(rf"^language:\s*[\"']?{_ONE}\b", re.MULTILINE)


def tongue_of(words: Sequence[str]) -> str:
    """What --language says, else `--set language=`, else the recipe that is named, else English.

    Nothing is checked: a recipe that cannot be read has its errors told in the language of which it speaks.
    """
    said: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option, equals, value = word.partition("=")
        if option in OPTIONS and (found := OPTIONS[option].fullmatch(value if equals else following)):
            said[option] = found[1]
    recipes = (Path(word) for word in words if word.endswith((".yaml", ".yml")))
    return said.get("--language") or said.get("--set") or next(filter(None, map(_of_recipe, recipes)), "en")


def _of_recipe(path: Path) -> str:
    try:
        found = OF_RECIPE.search(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""
