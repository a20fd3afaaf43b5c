"""The gate: whether a new clause says what its parent says, and what differs if it does not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from tutelage.core.records import Example, Language
from tutelage.dataset.augment.manner import Asked, Refusal, says_otherwise
from tutelage.text.language import language_of
from tutelage.text.leaks import compared_text
from tutelage.text.numerals import numbers
from tutelage.text.similarity import jaccard, shingles
from tutelage.text.slots import KINDS, Kind, Slot, same_slots, slots

SHORTEST, LONGEST = 0.5, 2.0  # length to the parent's
UNCHANGED = 0.95  # J to the parent from which on nothing new is learned
HELD_OUT = 0.5  # J to a held-out row from which on it is that row
HAN, LATIN, WORD = re.compile(r"[\u3400-\u9fff]"), re.compile(r"[A-Za-z]{2,}"), re.compile(r"[^\W_]+")
JOINING = ("and", "or")  # void and void
ADVICE: dict[Language, re.Pattern[str]] = {"en": re.compile(r"\bshould\b", re.IGNORECASE), "zh": re.compile("最好|建议|尽量")}


def why_refused(parent: str, candidate: str, language: Language, *, asked: Asked | None = None) -> Refusal | None:
    """What the candidate says otherwise than its parent; None if it may be kept.

    `asked` maps kind and value of the slots that were to be replaced to their new value: then the candidate must say exactly
    that. Of several differences the first is told: form, slots and polarity, numbers, then how it is said.
    """
    asked = asked or {}
    refusal = _form(parent, candidate, language)
    if refusal:
        return refusal
    found = (slots(parent, language), slots(candidate, language))
    return (_slots(parent, candidate, language, found, asked) or _written(parent, candidate, language, asked)
            or says_otherwise(parent, candidate, language, found, asked))


class HeldOut:
    """The rows that no candidate may resemble."""

    def __init__(self, rows: Sequence[Example]) -> None:
        sets = [shingles(compared_text(row.task, row.messages, row.rejected), row.language).tolist() for row in rows]
        self._rows = [(row.id, len(mine)) for row, mine in zip(rows, sets, strict=True)]
        self._holders: dict[int, list[int]] = defaultdict(list)
        for place, mine in enumerate(sets):
            for shingle in mine:
                self._holders[shingle].append(place)

    def resembled(self, text: str, language: Language) -> Refusal | None:
        """The held-out row that the text resembles most, if it does so at J >= 0.5."""
        mine = shingles(text, language).tolist()
        shared = Counter(place for shingle in mine for place in self._holders.get(shingle, ()))
        alike = [(count / (len(mine) + self._rows[place][1] - count), self._rows[place][0]) for place, count in shared.items()]
        similarity, row = max(alike, default=(0.0, ""))
        return Refusal("held out", f"{row}, J = {similarity:.3f}") if similarity >= HELD_OUT else None


def _form(parent: str, candidate: str, language: Language) -> Refusal | None:
    """Language, length, and whether it is another text at all."""
    if language_of(candidate) != language:
        return Refusal("other language", language_of(candidate))
    foreign = LATIN if language == "zh" else HAN
    strange = sorted(set(foreign.findall(candidate)) - set(foreign.findall(parent)))
    if strange:
        return Refusal("foreign words", ", ".join(strange[:5]))
    share = len(candidate) / len(parent)
    if not SHORTEST <= share <= LONGEST:
        return Refusal("length", f"{share:.2f} of the parent's")
    similarity = jaccard(shingles(parent, language), shingles(candidate, language))
    if similarity >= UNCHANGED:
        return Refusal("unchanged", f"J = {similarity:.3f}")
    repeated = [word for word, count in _repeats(candidate, language).items() if count > _repeats(parent, language)[word]]
    return Refusal("stutter", ", ".join(repeated[:5])) if repeated else None


def _repeats(text: str, language: Language) -> Counter[str]:
    """Words that stand twice in a row."""
    if language == "zh":
        return Counter(match[1] for match in re.finditer(r"([\u3400-\u9fff]{2,6}?)(?:或者|以及|[和或与及、])?\1", text))
    words = [match[0].lower() for match in WORD.finditer(text)]
    return Counter(one for one, other in pairwise(word for word in words if word not in JOINING) if one == other)


def _slots(parent: str, candidate: str, language: Language, found: tuple[Sequence[Slot], Sequence[Slot]],
           asked: Asked) -> Refusal | None:
    """Amounts, periods, dates, percentages, parties, terms and references; then negation and modal verbs."""
    for kind in KINDS:
        if kind == "polarity" or not any(replaced == kind for replaced, _ in asked):
            differences = same_slots(parent, candidate, language, (kind,))
        else:
            differences = _not_as_asked(kind, *found, asked)
        if differences:
            return Refusal(kind, "; ".join(differences[:3]))
    return None


def _written(parent: str, candidate: str, language: Language, asked: Asked) -> Refusal | None:
    """Numbers, whether or not they belong to a slot; and the word that turns a duty into advice."""
    mine, theirs = _numbers(parent, language), _numbers(candidate, language)
    if asked and sum(mine.values()) != sum(theirs.values()):
        return Refusal("number", f"{sum(theirs.values())} for {sum(mine.values())}")
    if not asked and mine != theirs:
        return Refusal("number", ", ".join(f"{number:f}" for number in sorted((mine - theirs) | (theirs - mine))))
    advised = [len(ADVICE[language].findall(text)) for text in (parent, candidate)]
    return Refusal("polarity", "a duty became advice, or advice a duty") if advised[0] != advised[1] else None


def _numbers(text: str, language: Language) -> Counter[Decimal]:
    """Every number from two on, in digits or words: one stands in too many phrases (one of the parties, 任何一方)."""
    return Counter(number.value for number in numbers(text, language) if number.value > 1)


def _not_as_asked(kind: Kind, before: Sequence[Slot], after: Sequence[Slot], asked: Asked) -> list[str]:
    wanted = Counter(asked.get((kind, slot.value), slot.value) for slot in before if slot.kind == kind)
    found = Counter(slot.value for slot in after if slot.kind == kind)
    return [f"{kind}: {value} is missing" for value in wanted - found] + [f"{kind}: {value} is new" for value in found - wanted]
