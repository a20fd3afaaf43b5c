"""The rows that the general set writes: what each candidate answered, and how they compare."""

from __future__ import annotations

from tutelage.core.records import Record, Verdict


class AbilityAnswer(Record):
    """What a candidate answered to an item of the general set, and whether that is right."""

    item: str
    answer: str
    is_right: bool


class AbilityScore(Record):
    """How many items of a group ("all": of all) a candidate answered right, with Wilson's interval of the share."""

    candidate: str
    group: str
    n: int
    right: int
    low: float
    high: float


class AbilityDifference(Record):
    """Share right of `candidate` minus that of `versus` over the same items; `only_candidate` are those that only it answered right."""

    candidate: str
    versus: str
    group: str
    n: int
    only_candidate: int
    only_versus: int
    difference: float
    low: float
    high: float
    p_value: float
    verdict: Verdict


class AbilityScores(Record):
    """General ability of all candidates, the group "all" first."""

    scores: tuple[AbilityScore, ...]
    differences: tuple[AbilityDifference, ...]
