"""The types of clauses that Tutelage knows, and how one is recognised: by its heading, then by what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from tutelage.core.language import text as message
from tutelage.core.records import Language
from tutelage.text.signs_en import SIGNS as SIGNS_EN
from tutelage.text.signs_zh import SIGNS as SIGNS_ZH

# A text that says what a word in quotation marks means is a definition, whatever its heading.
DEFINING: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"[\"“‘'][^\"”]{1,60}[\"”’'],?[^.]{0,60}\b(means?|refers? to|includes?|is defined|has the meaning)\b"),
    "zh": re.compile(r"[“\"《][^”\"》。]{1,20}[”\"》][，,：:]?(是|系|均)?指"),
}
OPENING: dict[Language, int] = {"en": 280, "zh": 120}  # characters in which a clause without a telling heading must say what it is
LATEST: dict[Language, int] = {"en": 160, "zh": 80}  # from there on a phrase that no heading supports is an aside
# A prohibition or a grant is of the special type that it is about.
GENERAL = {
    "restrictions": frozenset({"export_control", "assignment", "confidentiality", "attribution", "non_compete", "non_solicitation",
                               "trademarks"}),
    "redistribution": frozenset({"attribution", "export_control", "assignment", "source_code"}),
    "license_grant": frozenset({"patents", "trademarks", "contributions"}),
    "copyright": frozenset({"intellectual_property"}),
    "breach": frozenset({"termination"}),
}


@dataclass(frozen=True)
class Signs:
    """Patterns of one language: `heading` is searched in the heading, `theme` must occur in the text under such a
    heading, `body` is a phrase that only this type opens with.
    """

    heading: str
    theme: str
    body: str


@dataclass(frozen=True)
class ClauseType:
    """A type of clause. Its names stand in the message catalogue, where prompts find them too."""

    key: str
    signs: dict[Language, Signs]

    @property
    def en(self) -> str:
        """Its English name."""
        return self.name("en")

    @property
    def zh(self) -> str:
        """Its Chinese name."""
        return self.name("zh")

    def name(self, language: Language) -> str:
        """Its name in a language."""
        return message(f"text.clause_type.{self.key}", language)


CLAUSE_TYPES: dict[str, ClauseType] = {
    key: ClauseType(key, {"en": Signs(*SIGNS_EN[key]), "zh": Signs(*SIGNS_ZH[key])}) for key in SIGNS_EN}


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


def heading_types(heading: str, language: Language) -> list[str]:
    """Keys of all types that a heading names."""
    return list(_named(" ".join(heading.split()), language))


def told_types(text: str, language: Language) -> list[str]:
    """Keys of the types whose own phrase stands in the opening of a text, the first phrase first."""
    return [key for key, _ in _told(" ".join(text.split())[:OPENING[language]], language)]


def opening_type(text: str, language: Language) -> str | None:
    """The type whose own phrase opens a text, None if there is none or it is an aside."""
    first = next(iter(_told(" ".join(text.split())[:OPENING[language]], language)), None)
    return first[0] if first and first[1] < LATEST[language] else None


def type_of(heading: str, text: str, language: Language) -> str | None:
    """The key of the clause's type, or None where heading and text leave a doubt.

    A heading of one type decides if the text has the type's theme. Where the heading names several types, or none, the
    text decides: the type whose own phrase opens it first.
    """
    body = " ".join(text.split())
    if DEFINING[language].match(body):
        return "definitions"
    named = [key for key in heading_types(heading, language) if _pattern(CLAUSE_TYPES[key].signs[language].theme).search(body)]
    if len(named) == 1:
        return named[0]
    return next((key for key in told_types(body, language) if key in named), None) if named else opening_type(body, language)


@lru_cache(maxsize=1 << 14)
def _named(title: str, language: Language) -> tuple[str, ...]:
    return tuple(key for key, kind in CLAUSE_TYPES.items() if title and _pattern(kind.signs[language].heading).search(title))


@lru_cache(maxsize=1 << 14)
def _told(opening: str, language: Language) -> tuple[tuple[str, int], ...]:
    places = []
    for key, kind in CLAUSE_TYPES.items():
        signs = kind.signs[language]
        if _pattern(signs.theme).search(opening) and (found := _pattern(signs.body).search(opening)):
            places.append((found.start(), found.end(), key))
    told = [(key, start) for start, _, key in sorted(places)]
    special = next((entry for entry in told[1:3] if entry[0] in GENERAL.get(told[0][0], ())), None)
    return tuple([special, *(entry for entry in told if entry != special)] if special else told)
