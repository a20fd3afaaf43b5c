"""How a clause says what it says: who does what to whom, under which condition, before or after, in which terms of law."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tutelage.core.records import Language
from tutelage.text.keywords import lexicon
from tutelage.text.numerals import read_number
from tutelage.text.slots import Kind, Slot

Asked = Mapping[tuple[Kind, str], str]
SHOUTED = re.compile(r"\b[A-Z]{2,}\b")
CAPITALISED = re.compile(r"[A-Z][A-Za-z]+")
CAPITAL = re.compile(rf"(?<=[a-z,;)] ){CAPITALISED.pattern}")  # within a sentence
SUBJECT = re.compile(rf"(?:^|(?<=[.;:] ))({CAPITALISED.pattern}) (?:shall|may|will|must|can|agrees|hereby|grants)\b")
# On which side of a period or an amount one stands: before 30 days is not within 30 days.
BOUNDS: dict[Language, dict[str, re.Pattern[str]]] = {
    "en": {"before": re.compile(r"\b(prior|before|previous|advance|preceding|earlier)\b", re.IGNORECASE),
           "within": re.compile(r"\bwithin\b|\b(no|not) later than\b", re.IGNORECASE),
           "after": re.compile(r"\b(after|following|subsequent)\b", re.IGNORECASE),
           "until": re.compile(r"\b(until|till|through)\b", re.IGNORECASE),
           "at least": re.compile(r"\b(at least|(not?|never) (less|fewer) than|minimum|or more)\b", re.IGNORECASE),
           "at most": re.compile(r"\b(at most|(not?|never) (more|greater) than|up to|maximum|(not|never) exceed|or less)\b",
                                 re.IGNORECASE)},
    "zh": {"before": re.compile("前(?![款述项条提期往])|事先"), "within": re.compile("[日天周月年时]之?以?内"),
           "after": re.compile("后(?![果续勤期])"), "until": re.compile("截至|截止|为止"),
           "at least": re.compile("以上|至少|不得?少于|不得?低于"),
           "at most": re.compile("以下|至多|最多|不得?超过|不得?超出|不得?高于|不得?多于")},
}
WINDOW: dict[Language, int] = {"en": 30, "zh": 6}
MEASURED: tuple[Kind, ...] = ("amount", "percentage", "date", "period")
CONDITION: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\bif\b|\bin the event\b|\bin case\b|\b(?:provided|on condition),?(?: however,?)? that\b", re.IGNORECASE),
    "zh": re.compile("如果|倘若|若(?!干)|如(?![下何实期同数约])|但(?:是|书)?|然而|的，")}
# What must stand in both as often: marks of a list, quotation marks, who speaks, and how hard one must try.
COUNTED: dict[str, re.Pattern[str]] = {
    "list": re.compile(r"[(（](?:[a-z]|[ivx]{2,4}|[一二三四五六七八九十]+)[)）]", re.IGNORECASE),
    "quotation": re.compile(r"[\"“”《》]"),
    "person": re.compile(r"\b(?:you|your|we|our|us|I|my)\b|我|你|您|咱"),
    "effort": re.compile(r"\b(?:best|every reasonable|all reasonable|commercially reasonable|reasonable|diligent) (?:business )?efforts?\b"
                         r"|\bprior to (?:written )?notice\b|尽力|尽最大努力|合理努力", re.IGNORECASE),
}
# Terms of law that a candidate may say in other words: one, and a third of those of its parent.
TERMS_LOST, SHARE_LOST = 1, 0.34


@dataclass(frozen=True)
class Refusal:
    """Why a candidate is not kept: a reason that is counted, and what exactly."""

    reason: str
    detail: str = ""


def says_otherwise(parent: str, candidate: str, language: Language, slots: tuple[Sequence[Slot], Sequence[Slot]],
                   asked: Asked) -> Refusal | None:
    """Names, their order, marks of lists, conditions, terms of law, and on which side of a measure one stands. `slots` are of both."""
    return ((_names(parent, candidate, asked) if language == "en" else None)
            or (None if asked else _order(parent, candidate, language, slots) or _counted(parent, candidate))
            or _conditions(parent, candidate, language) or _terms(parent, candidate, language)
            or _bounds(parent, candidate, language, slots))


def _names(parent: str, candidate: str, asked: Asked) -> Refusal | None:
    """Capitalised words of an English text that are only in one of both, those that were to be replaced left out."""
    renamed = {word for (_, old), new in asked.items() for word in CAPITALISED.findall(f"{old} {new}")}
    changed = (_capitals(parent) ^ _capitals(candidate)) - renamed
    subjects = {name for name in SUBJECT.findall(parent) if name.lower() not in _stop_words()} - renamed
    changed |= {name for name in subjects if name not in candidate}
    if not parent.isupper():
        changed |= set(SHOUTED.findall(parent)) ^ set(SHOUTED.findall(candidate))
    lost = sorted(name for name in changed if (name in parent) != (name in candidate) and read_number(name.lower(), "en") is None)
    return Refusal("name", ", ".join(lost[:5])) if lost else None


def _order(parent: str, candidate: str, language: Language, slots: tuple[Sequence[Slot], Sequence[Slot]]) -> Refusal | None:
    """Parties and names one after the other as in the parent: who grants to whom. A true rewording that turns them round is lost."""
    mine, theirs = ([slot.value for slot in found if slot.kind == "party"] for found in slots)
    if mine != theirs:
        return Refusal("order", f"{', '.join(theirs[:5])} for {', '.join(mine[:5])}")
    if language == "en":
        names = _capitals(parent) | set(SUBJECT.findall(parent))
        mine, theirs = (sorted((name for name in names if name in text), key=text.index) for text in (parent, candidate))
    return Refusal("order", f"{', '.join(theirs[:5])} for {', '.join(mine[:5])}") if mine != theirs else None


def _counted(parent: str, candidate: str) -> Refusal | None:
    for name, pattern in COUNTED.items():
        mine, theirs = (Counter(found.lower() for found in pattern.findall(text)) for text in (parent, candidate))
        if mine != theirs:
            return Refusal(name, ", ".join(sorted((mine - theirs) | (theirs - mine))[:5]))
    return None


def _conditions(parent: str, candidate: str, language: Language) -> Refusal | None:
    mine, theirs = (len(CONDITION[language].findall(text)) for text in (parent, candidate))
    return Refusal("condition", f"{theirs} for {mine}") if mine != theirs else None


def _terms(parent: str, candidate: str, language: Language) -> Refusal | None:
    found = [term for term in lexicon(language) if term in parent.lower()]
    mine = [term for term in found if not any(term in other and term != other for other in found)]
    lost = [term for term in mine if term not in candidate.lower()]
    return Refusal("legal term", ", ".join(lost[:5])) if len(lost) > max(TERMS_LOST, SHARE_LOST * len(mine)) else None


def _bounds(parent: str, candidate: str, language: Language, slots: tuple[Sequence[Slot], Sequence[Slot]]) -> Refusal | None:
    mine, theirs = (_sides(text, language, found) for text, found in zip((parent, candidate), slots, strict=True))
    return Refusal("bound", ", ".join(sorted(mine ^ theirs))) if mine != theirs else None


def _sides(text: str, language: Language, slots: Sequence[Slot]) -> set[str]:
    width = WINDOW[language]
    around = [text[max(0, slot.start - width):slot.end + width] for slot in slots if slot.kind in MEASURED]
    return {name for name, pattern in BOUNDS[language].items() for window in around if pattern.search(window)}


def _capitals(text: str) -> set[str]:
    return set(CAPITAL.findall(text))


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(files("tutelage.text").joinpath("data", "stop_words.en.txt").read_text("utf-8").split("\n"))
