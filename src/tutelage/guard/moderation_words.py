"""Words and phrases that flag a text, in English and Chinese: what answers where no model was trained."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

SEXUAL, MINORS = "sexual", "sexual/minors"
# No phrase is listed for minors: a text is flagged where one of these stands near a sexual phrase.
_CHILD = re.compile(r"\b(?:child(?:ren)?|kids?|minors?|underage|little (?:girl|boy)s?|(?:[1-9]|1[0-7])[ -]?(?:years?|yrs?)[ -]?old|"
                    r"preteens?|schoolgirls?|schoolboys?|toddlers?|babies|baby)\b|儿童|小孩|幼女|幼童|女童|男童|未成年|小学生|初中生|萝莉|正太")
NEAR = 120  # characters between the two


def matched(text: str) -> frozenset[str]:
    """The categories of which the text holds a phrase."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    found = {category for category, pattern in patterns().items() if pattern.search(plain)}
    if SEXUAL in found and _is_about_children(plain):
        found.add(MINORS)
    return frozenset(found)


def _is_about_children(plain: str) -> bool:
    children = [match.start() for match in _CHILD.finditer(plain)]
    return any(abs(match.start() - child) <= NEAR for match in patterns()[SEXUAL].finditer(plain) for child in children)


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    """One pattern a category, over the phrases of both languages."""
    parts: dict[str, list[str]] = {}
    for language in ("en", "zh"):
        for category, phrases in _phrases(language).items():
            parts.setdefault(category, []).append(_english(phrases) if language == "en" else "|".join(map(re.escape, phrases)))
    return {category: re.compile("|".join(several)) for category, several in parts.items()}


def _english(phrases: list[str]) -> str:
    """Whole words; a "*" ends a word in any way, a "+" is any one word or none."""
    spelled = []
    for phrase in phrases:
        pattern = ""
        for number, word in enumerate(phrase.split()):
            between = r"\s+" if number else ""
            if word == "+":
                pattern += rf"(?:{between}[\w'-]+)?"
            else:
                pattern += between + re.escape(word).replace(r"\*", r"\w*")
        spelled.append(pattern)
    return rf"\b(?:{'|'.join(spelled)})\b"


def _phrases(language: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    category = ""
    for line in files("tutelage.guard").joinpath("data", f"moderation.{language}.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[]")
            found[category] = []
        elif line.strip() and not line.startswith("#"):
            found[category].append(line.strip())
    return found
