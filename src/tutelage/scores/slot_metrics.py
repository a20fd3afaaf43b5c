"""Facts of the true clause that a draft repeats, and facts of the draft that the true clause has: no n-gram metric sees a flipped duty."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tutelage.core.records import Language
from tutelage.scores.statistics import Floats
from tutelage.text.slots import MEANINGS, Kind, slots

KINDS: tuple[Kind, ...] = ("amount", "percentage", "date", "period", "party", "polarity")


class SlotCounts(NamedTuple):
    """How many facts both have, and each: amounts, percentages, dates, periods, parties, and duties with their negation."""

    shared: int
    expected: int
    drafted: int


def slot_counts(reference: str, draft: str, language: Language) -> SlotCounts:
    """Facts are counted by normal form: "thirty (30) days" is "30 days", 壹拾万元 is 100,000元, and 不得 is not 应当."""
    expected, drafted = (_facts(text, language) for text in (reference, draft))
    return SlotCounts((expected & drafted).total(), expected.total(), drafted.total())


def share(total: Floats) -> float:
    """First of two sums over the second, in percent; 0 where there is none."""
    return float(100 * total[0] / total[1]) if total[1] else 0.0


def sums(counts: list[SlotCounts], *, of: str) -> Floats:
    """What each row adds to the sums, shape (rows, 2): for "recall" shared and expected, for "precision" shared and drafted facts."""
    return np.array([[one.shared, one.expected if of == "recall" else one.drafted] for one in counts], dtype=float)


def _facts(text: str, language: Language) -> Counter[tuple[str, str]]:
    return Counter((slot.kind, MEANINGS.get(slot.value, slot.value) if slot.kind == "polarity" else slot.value)
                   for slot in slots(text, language) if slot.kind in KINDS)
