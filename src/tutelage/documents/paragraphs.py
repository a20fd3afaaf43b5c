"""The paragraphs of a text: in which language and script each is written, and the long ones that are in a language nobody asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tutelage.core.edits import Edit, replaced
from tutelage.text.language import language_of
from tutelage.text.rules import Rule

# Shorter ones (headings, names, addresses, quoted terms) tell no language for sure, and belong to the paragraphs around them.
SURE_WORDS = 20
SURE_CHARACTERS = 25
WITHOUT_LETTERS = "none"
SAMPLE_CHARACTERS = 2_000
# A paragraph that is nearly the whole text is in its language.
NEARLY_ALL = 0.9

_BORDER = re.compile(r"\n(?:[ \t\u3000]*\n)+")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "Latin": re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"), "Han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "Kana": re.compile(r"[\u3041-\u30ff]"), "Hangul": re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"),
    "Cyrillic": re.compile(r"[\u0400-\u052f]"), "Greek": re.compile(r"[\u0370-\u03ff]"),
    "Arabic": re.compile(r"[\u0600-\u06ff\u0750-\u077f]"), "Hebrew": re.compile(r"[\u0590-\u05ff]"),
    "Devanagari": re.compile(r"[\u0900-\u097f]"), "Thai": re.compile(r"[\u0e00-\u0e7f]")}


@dataclass(frozen=True)
class Survey:
    """How many paragraphs are in which language and in which script; "none" for those without letters."""

    languages: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each paragraph: blocks between blank lines, or the lines of a text that has none."""
    border = _BORDER if _BORDER.search(text) else re.compile(r"\n+")
    start = 0
    for match in border.finditer(text):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def survey(text: str, language: str) -> Survey:
    """Languages and scripts of the paragraphs. Short ones count as written in `language`, that of the whole text."""
    found = Survey()
    for start, end in paragraphs(text):
        paragraph = text[start:min(end, start + SAMPLE_CHARACTERS)]
        script = script_of(paragraph)
        found.scripts[script] += 1
        if script == WITHOUT_LETTERS:
            found.languages[WITHOUT_LETTERS] += 1
        elif end - start > NEARLY_ALL * len(text) or not is_long(paragraph):
            found.languages[language] += 1
        else:
            found.languages[language_of(paragraph)] += 1
    return found


def script_of(paragraph: str) -> str:
    """The script of most of its letters."""
    if paragraph.isascii():
        return "Latin" if _LETTER.search(paragraph) else WITHOUT_LETTERS
    counts = {script: len(pattern.findall(paragraph)) for script, pattern in _SCRIPTS.items()}
    most = max(counts, key=lambda script: counts[script])
    if counts[most]:
        return most
    return "other" if _LETTER.search(paragraph) else WITHOUT_LETTERS


def other_paragraphs(wanted: Collection[str]) -> Rule:
    """The rule that removes long paragraphs in languages that are not wanted."""
    return Rule("other_paragraphs", _removing(wanted))


def _removing(wanted: Collection[str]) -> Callable[[str], list[Edit]]:
    def find(text: str) -> list[Edit]:
        return [replaced(start, text[start:end], "") for start, end in paragraphs(text)
                if is_long(text[start:end]) and language_of(text[start:end]) not in wanted]
    return find


def is_long(paragraph: str) -> bool:
    """Whether there is enough text to tell its language for sure."""
    if len(paragraph) < SURE_CHARACTERS:
        return False
    if not paragraph.isascii() and _at_least(SURE_CHARACTERS, _SCRIPTS["Han"], paragraph):
        return True
    return _at_least(SURE_WORDS, _WORD, paragraph)


def _at_least(count: int, pattern: re.Pattern[str], text: str) -> bool:
    return next(islice(pattern.finditer(text), count - 1, None), None) is not None
