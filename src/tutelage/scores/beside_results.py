"""What was found of the candidates beside the three that decide: records of the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.records import Record, Score, Verdict
from tutelage.scores.paired import PairedDifference

Kind = Literal["retrieval", "base_with_prompt", "base_with_retrieval", "tuned_with_retrieval", "outside"]


class Said(Record):
    """A sentence: `key` names its text in the message catalogue, `facts` fill it."""

    key: str
    facts: dict[str, str | int | float] = Field(default_factory=dict)


class Difference(PairedDifference):
    """`verdict` stands only where it holds among all of these comparisons, of which at most a share alpha may be false alarms
    (Benjamini and Hochberg).
    """

    verdict: Verdict


class PromptTried(Record):
    """An instruction ("plain": the prompt of training) on `n` validation rows in bits per byte, with its interval."""

    prompt: str
    n: int
    value: float
    low: float
    high: float
    is_chosen: bool


class BesideCandidate(Record):
    """One candidate beside the three. `scores` are its figures and those of base and copy over the rows that all of them have.

    `rows` are these rows, `too_long` those that its longer prompt kept from its context, `without_clause` those for which the library
    had nothing (a retrieved clause alone is then an empty draft).
    """

    name: str
    kind: Kind
    engine: str
    rows: int
    too_long: int = 0
    without_clause: int = 0
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]


class BesideScores(Record):
    """All of them, the instructions that were tried, what follows from the retrieved clause alone, and what was not measured."""

    candidates: tuple[BesideCandidate, ...]
    prompts: tuple[PromptTried, ...] = ()
    conclusion: Said | None = None
    not_measured: tuple[Said, ...] = ()
