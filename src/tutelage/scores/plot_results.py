"""The numbers behind the page's plots and coloured tables, as they stand in report.json and costs.jsonl."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.records import Record

CostKind = Literal["size", "speed", "memory"]


class HeatRow(Record):
    """Bits per byte over the rows of one kind, by candidate; one without log-probabilities of all of them is left out."""

    kind: str
    name: str
    n: int
    documents: int
    bits_per_byte: dict[str, float]


class Confusion(Record):
    """What the independent classifier takes a candidate's drafts for: by asked type, how many drafts are named as which type."""

    candidate: str
    n: int
    right: int
    named: dict[str, dict[str, int]]


class Wins(Record):
    """On how many of `n` rows `candidate` is better than `versus` in a metric, equal, and worse."""

    metric: str
    candidate: str
    versus: str
    n: int
    wins: int
    ties: int
    losses: int


class Bin(Record):
    """Texts or tokens of which it was about as sure: the mean confidence, and how many it named rightly, with Wilson's interval of the
    share.
    """

    n: int
    confidence: float
    right: int
    low: float
    high: float


class Reliability(Record):
    """Whether something is as often right as it says: the classifier of clause types on held-out clauses, which it never saw, or a
    candidate on the next tokens of these.

    `error` is the expected calibration error: how far confidence and share of right answers are apart, on average over the texts.
    """

    n: int
    right: int
    confidence: float
    error: float
    bins: tuple[Bin, ...]


class Cost(Record):
    """What a candidate takes: size of its file or folder, tokens a second while it drafted (several drafts at once), and the most memory
    that the process held in which nothing but it was.

    None where it cannot be told: nothing was drafted, or a service answers. `best` are the costs for which no other candidate is at
    least as good and as cheap, and better in one of both.
    """

    candidate: str
    size_bytes: int | None
    tokens_per_second: float | None
    peak_memory_mb: float | None
    drafted_tokens: int
    best: tuple[CostKind, ...] = Field(default_factory=tuple)
