"""Required points: what a row asks for by name, and how many of these points a draft covers."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tutelage.core.records import Example, Language
from tutelage.scores.checks import is_met
from tutelage.scores.results import Check
from tutelage.scores.stems import stemmed_tokens
from tutelage.text.slots import Kind, slots

FACTS: tuple[Kind, ...] = ("amount", "percentage", "date", "period")
ONE_WORD = ("contains", "icontains")
EACH_WORD = {"contains-all": "contains", "icontains-all": "icontains"}


@dataclass(frozen=True)
class Covered:
    """How many points were asked for, and how many of them a draft has."""

    required: int
    covered: int


def covered(row: Example, draft: str, checks: Sequence[Check] = ()) -> Covered:
    """The row's keywords, and each text that its checks say must stand in an answer, as points.

    A keyword that is an amount, a percentage, a date or a period is covered by the same fact in any writing ("thirty (30) days", 三十日);
    an English one by all its words, in any form and order; a Chinese one by its characters in a row. Checks count as they say themselves.
    """
    kept = [_has(draft, keyword, row.language) for keyword in dict.fromkeys(row.keywords) if keyword.strip()]
    kept += [is_met(kind, value, draft) for kind, value in _texts(checks)]
    return Covered(len(kept), sum(kept))


def _texts(checks: Sequence[Check]) -> Iterator[tuple[str, str]]:
    for check in checks:
        if check.negated:
            continue
        if check.kind in ONE_WORD:
            yield check.kind, str(check.value)
        elif check.kind in EACH_WORD:
            values = check.value if isinstance(check.value, tuple) else (str(check.value),)
            yield from ((EACH_WORD[check.kind], str(value)) for value in values)


def _has(draft: str, keyword: str, language: Language) -> bool:
    asked = _facts(keyword, language)
    if asked:
        return asked <= _facts(draft, language)
    if any("\u4e00" <= letter <= "\u9fff" for letter in keyword):
        return _bare(keyword) in _bare(draft)
    return set(stemmed_tokens(keyword)) <= set(stemmed_tokens(draft))


def _facts(text: str, language: Language) -> set[tuple[str, str]]:
    return {(slot.kind, slot.value) for slot in slots(text, language) if slot.kind in FACTS}


def _bare(text: str) -> str:
    """Without white space, letter case and full-width forms."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())
