"""Slots: the facts of a clause (amounts, dates, periods, parties, duties ...), and whether two texts agree in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from tutelage.core.records import Language
from tutelage.text import slots_en, slots_zh
from tutelage.text.numerals import folded
from tutelage.text.slots_kinds import KINDS, Kind, Slot

__all__ = ["KINDS", "Kind", "Slot", "same_slots", "slots"]

FINDERS: dict[Language, Callable[[str], list[Slot]]] = {"en": slots_en.found_in, "zh": slots_zh.found_in}
# Words that lay the same duty, leave the same freedom or deny alike are one for a comparison.
MEANINGS = {word: meaning for meaning, words in {
    "must": "shall must will should 应当 必须 需",
    "must not": "shall_not must_not may_not cannot will_not should_not 不得 不应当 不可以 不能 禁止",
    "may": "may can 可以 有权",
    "need not": "need_not 无需",
    "not": "not no nor neither never none nothing without non 不 未 无 非 没有 无权",
    "except": "except unless save 除 除非",
}.items() for word in (each.replace("_", " ") for each in words.split())}


def slots(text: str, language: Language) -> tuple[Slot, ...]:
    """The slots in the order of the text. No two of one kind overlap; a defined term and a party may."""
    found = FINDERS[language](folded(text))
    own = (Slot(each.kind, each.value, each.start, each.end, text[each.start:each.end]) for each in found)
    return tuple(sorted(own, key=lambda each: (each.start, each.end, each.kind)))


def same_slots(a: str, b: str, language: Language, kinds: Collection[Kind] = KINDS) -> list[str]:
    """What `b` lacks of the slots of `a` or has beyond them, a line each; none when both say the same.

    Counted by normal form, so "thirty (30) days" is "30 days". Polarity is compared by what it says: must, shall and will are
    one, so are may not and shall not.
    """
    one, other = (_counted(text, language, kinds) for text in (a, b))
    missing, new = one - other, other - one
    return [f"{kind}: {value} is {told}" for counts, told in ((missing, "missing"), (new, "new"))
            for (kind, value), count in sorted(counts.items()) for _ in range(count)]


def _counted(text: str, language: Language, kinds: Collection[Kind]) -> Counter[tuple[str, str]]:
    return Counter((each.kind, MEANINGS.get(each.value, each.value) if each.kind == "polarity" else each.value)
                   for each in slots(text, language) if each.kind in kinds)
