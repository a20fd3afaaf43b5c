"""The rows that the scores write: what was measured, how candidates compare, and the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.records import Answer, GateDecision, Language, Record, Score, Verdict

SliceKind = Literal["clause_type", "language", "length", "relative"]
ProbePart = Literal["train", "held_out"]
CopyState = Literal["holds", "fails", "not enough evidence"]


class Measured(Record):
    """What an engine said of one row: nats of the true reply (with the token that ends it), and its own draft if one was asked for.

    `nats` is None for a row without a true reply, and for an engine that gives no log-probabilities.
    """

    row: str
    nats: float | None
    reply_tokens: int
    size_bytes: int
    answer: Answer | None


class Probe(Record):
    """What a model gives away of one row: nats of its reply, and how like the true text its own continuation of the beginning is.

    `similarity` is 1 minus the edit distance of the next 25 tokens over their number; None for replies too short for it.
    """

    row: str
    part: ProbePart
    document_id: str
    nats: float
    size_bytes: int
    similarity: float | None


class CandidateMeasured(Record):
    """All that one candidate was asked. `too_long` are rows that did not fit its context.

    `spelling` is a fingerprint of the replies as its token ids: figures in tokens are comparable where it is the same. It is "" for a
    service, whose tokens are its own. `cannot_score` says why there are no log-probabilities, "" where there are.
    """

    candidate: str
    engine: str
    seconds_scoring: float
    seconds_drafting: float
    rows: tuple[Measured, ...]
    too_long: tuple[str, ...]
    probes: tuple[Probe, ...] = ()
    spelling: str = ""
    cannot_score: str = ""


class RowMeasure(Record):
    """One row of one candidate: a line of `rows.jsonl`. Fields of the draft are None for rows that were not drafted.

    `nats` and `bits_per_byte` are None where the true reply was not scored. `type_predicted` is what the classifier takes the draft
    for; None also where there is no classifier. `checks_met` says whether a draft met all checks of its row; None without checks.
    """

    row: str
    candidate: str
    document_id: str
    clause_type: str
    nats: float | None
    reply_tokens: int
    size_bytes: int
    bits_per_byte: float | None
    draft: str | None = None
    draft_tokens: int | None = None
    stopped: bool | None = None
    rouge_1: float | None = None
    rouge_2: float | None = None
    rouge_l: float | None = None
    edit_share: float | None = None
    exact: bool | None = None
    repetition: float | None = None
    type_predicted: str | None = None
    checks_met: bool | None = None


class Check(Record):
    """What an answer must be or hold, by a kind of `scores.checks`; a negated one must not."""

    kind: str
    value: str | int | float | tuple[str, ...] = ""
    negated: bool = False


class Comparison(Record):
    """A metric of `candidate` minus that of `versus` over the same rows, with the paired interval and test.

    `verdict` is None for a metric without a good direction. `rows_to_decide` is how many rows in all would show this
    difference with 80 % power (None: it is 0); `smallest_visible` is the smallest difference that these rows show.
    """

    candidate: str
    versus: str
    metric: str
    n: int
    documents: int
    difference: float
    low: float
    high: float
    p_value: float
    standard_error: float
    rows_to_decide: int | None
    smallest_visible: float
    verdict: Verdict | None


class Slice(Record):
    """The rows of one kind, and how `candidate` differs from the base on them in bits per byte (lower is better).

    `holds` says whether the difference holds among all slices, of which at most a share alpha may be false alarms
    (Benjamini and Hochberg); None for a slice of too few documents to decide anything.
    """

    kind: SliceKind
    name: str
    n: int
    documents: int
    difference: float
    low: float
    high: float
    p_value: float
    holds: bool | None


class Continuations(Record):
    """How a candidate went on with the beginnings of `n` rows of one part: word for word, and at least four fifths alike.

    Shares have 95 % Wilson intervals (or what `alpha` says).
    """

    candidate: str
    part: ProbePart
    n: int
    verbatim: int
    verbatim_high: float
    similar: int
    similar_low: float
    similar_high: float


class Copied(Record):
    """How many of a candidate's ordinary drafts have 40 characters in a row from one training row, with the interval of the share."""

    candidate: str
    n: int
    drafts: int
    low: float
    high: float


class Memory(Record):
    """What the tuned model gives away of its training rows.

    `auc` is the chance that tuning gained more on a training row than on a held-out one: 0.5 tells nothing, 1 tells all.
    `found_at_1_percent` is the share of training rows found when 1 % of the others are taken for one.
    """

    train_rows: int
    held_out_rows: int
    auc: float
    auc_low: float
    auc_high: float
    found_at_1_percent: float
    continuations: tuple[Continuations, ...]
    p_value: float
    copied: tuple[Copied, ...]


class Rule(Record):
    """A rule of the gate and whether it is met. `key` names its text in the message catalogue, `facts` fill it.

    `passed` is None for a rule that could not be measured, so that it decides nothing.
    """

    key: str
    passed: bool | None
    facts: dict[str, str | int | float]


class Limit(Record):
    """Something that was not measured. `key` names its text in the message catalogue, `facts` fill it."""

    key: str
    facts: dict[str, str | int | float] = Field(default_factory=dict)


class Reference(Record):
    """The same figures for the held-out clauses themselves: what a perfect draft would get.

    `type_match` is the classifier's accuracy on them, None where there is no classifier. Figures in tokens are None where the
    candidates count tokens differently.
    """

    n: int
    type_match: float | None
    type_match_low: float | None
    type_match_high: float | None
    looping_share: float
    repetition: float
    stopped_share: float | None
    draft_tokens: float | None


class Shown(Record):
    """A held-out row with every candidate's draft, for the page. `drafts` has only candidates that drafted it."""

    row: str
    clause_type: str
    keywords: tuple[str, ...]
    language: Language
    source: str
    text: str
    drafts: dict[str, str]
    predicted: dict[str, str]
    bits_per_byte: dict[str, float]


class Report(Record):
    """All numbers of the page, free of any language: `report.json`.

    `is_judged`: two models were brought from anywhere, not made by a recipe; then there is no copy to compare with its parent.
    `repeat` is the command that does it again.
    """

    decision: GateDecision
    copy_state: CopyState | None
    copy_margin: float | None
    rules: tuple[Rule, ...]
    candidates: tuple[str, ...]
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    reference: Reference | None
    classifier_rows: int
    classifier_types: int
    held_out_rows: int
    scored_rows: int
    drafted_rows: int
    documents: int
    too_long_rows: int
    languages: dict[str, int]
    leaks: int | None
    leak_threshold: float
    settings: dict[str, str | int | float]
    artifacts: dict[str, str]
    files: dict[str, str]
    engines: dict[str, str]
    chat_format: str
    packages: dict[str, str]
    slices: tuple[Slice, ...]
    memory: Memory | None
    examples: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    is_judged: bool = False
    repeat: str = "tutelage make RECIPE --until scores"
    not_measured: tuple[Limit, ...] = ()
