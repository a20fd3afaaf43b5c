"""The rows that the scores write: what was measured, how candidates compare, and the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.copies import Copies
from tutelage.core.records import Answer, GateDecision, Language, Record, Score, Verdict
from tutelage.scores.ability_results import AbilityAnswer, AbilityScores
from tutelage.scores.beside_results import BesideScores
from tutelage.scores.paired import PairedDifference
from tutelage.scores.plot_results import Confusion, HeatRow, Reliability, Wins
from tutelage.scores.referee_results import JudgeScores

SliceKind = Literal["clause_type", "language", "length", "relative", "base"]
Relation = Literal["familiar", "novel"]
ProbePart = Literal["train", "held_out"]
CopyState = Literal["holds", "fails", "not enough evidence"]


class Measured(Record):
    """What an engine said of one row: nats of the true reply (with the token that ends it), and its own draft if one was asked for.

    `nats` is None for a row without a true reply, and for an engine that gives no log-probabilities. `hardest` are nats a token over
    the least likely fifth of the reply's tokens.
    """

    row: str
    nats: float | None
    reply_tokens: int
    size_bytes: int
    answer: Answer | None
    hardest: float | None = None


class Probe(Record):
    """What a model gives away of one row: nats of its reply, and how like the true text its own continuation of the beginning is.

    `similarity` is by the number of tokens that it was given: 1 minus the edit distance of as many next tokens over their number.
    Replies too short for it have none.
    """

    row: str
    part: ProbePart
    document_id: str
    nats: float
    size_bytes: int
    similarity: dict[int, float] = Field(default_factory=dict)


class Emitted(Record):
    """Answers to probes that ask for personal data, and ordinary drafts: how many of them (`answers`) hold personal data of the original
    documents (`known`), and how many hold anything of that shape (`shaped`), invented data included.
    """

    probes: int
    answers: int
    known: int
    shaped: int


class CandidateMeasured(Record):
    """All that one candidate was asked. `too_long` are rows that did not fit its context.

    `canaries` are nats of the planted texts and their controls by id, `never_planted` those of random texts of the same kind.
    `spelling` is a fingerprint of the replies as its token ids: figures in tokens are comparable where it is the same. It is "" for a
    service, whose tokens are its own. `cannot_score` says why there are no log-probabilities, "" where there are. `size_bytes` is that of
    its file or folder, None for a service; `peak_memory_mb` the most that its own process held, None where it has none here. `sure` says
    how often its likeliest next token is the true one, over all tokens of the true replies; None where the engine does not tell.
    """

    candidate: str
    engine: str
    seconds_scoring: float
    seconds_drafting: float
    rows: tuple[Measured, ...]
    too_long: tuple[str, ...]
    probes: tuple[Probe, ...] = ()
    canaries: dict[str, float] = Field(default_factory=dict)
    never_planted: dict[Language, tuple[float, ...]] = Field(default_factory=dict)
    emitted: Emitted | None = None
    spelling: str = ""
    cannot_score: str = ""
    size_bytes: int | None = None
    peak_memory_mb: float | None = None
    ability: tuple[AbilityAnswer, ...] = ()
    sure: Reliability | None = None


class RowMeasure(Record):
    """One row of one candidate: a line of `rows.jsonl`. Fields of the draft are None for rows that were not drafted.

    `nats` and `bits_per_byte` are None where the true reply was not scored. `type_predicted` is what the classifier takes the draft
    for; None also where there is no classifier. `checks_met` says whether a draft met all checks of its row; None without checks.
    `edit_words` is None for Chinese, `points_required` where the row asks for nothing by name.
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
    rouge_lsum: float | None = None
    edit_share: float | None = None
    edit_words: float | None = None
    exact: bool | None = None
    repetition: float | None = None
    type_predicted: str | None = None
    checks_met: bool | None = None
    points_required: int | None = None
    points_covered: int | None = None


class Check(Record):
    """What an answer must be or hold, by a kind of `scores.checks`; a negated one must not."""

    kind: str
    value: str | int | float | tuple[str, ...] = ""
    negated: bool = False


class Comparison(PairedDifference):
    """How two candidates differ, and what more rows would show.

    `verdict` is None for a metric without a good direction. `rows_to_decide` is how many rows in all would show this
    difference with 80 % power (None: it is 0); `smallest_visible` is the smallest difference that these rows show.
    """

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
    """How a candidate went on with the first `tokens` tokens of `n` rows of one part, for as many tokens: word for word, and at least
    four fifths alike.

    Shares have 95 % Wilson intervals (or what `alpha` says).
    """

    candidate: str
    part: ProbePart
    tokens: int
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


class Exposure(Record):
    """Canaries that stood `copies` times in the training rows (0: never): how many were planted, how many truly received loss in all
    their copies, how often on average, and the mean and highest exposure of these in bits.
    """

    copies: int
    planted: int
    trained: int
    times: float
    mean: float | None
    highest: float | None


class Canaries(Record):
    """What the tuned model remembers of planted random texts, each ranked among `others` never planted ones.

    `ceiling` is the highest exposure that can be told. The mean exposure of as many never-planted texts as are counted at one copy (of
    as many as there are controls) stays up to `one_copy_high` (from `controls_low` to `controls_high`) with the chance that `alpha`
    leaves. `is_within` is None where nothing at one copy received loss.
    """

    others: int
    ceiling: float
    exposures: tuple[Exposure, ...]
    one_copy_high: float
    controls_low: float
    controls_high: float
    is_within: bool | None

    @property
    def controls_are_within(self) -> bool:
        """Whether the controls behave as never-planted texts must: else the measurement itself is wrong."""
        mean = next((one.mean for one in self.exposures if one.copies == 0), None)
        return mean is None or self.controls_low <= mean <= self.controls_high

    @property
    def at_one_copy(self) -> Exposure | None:
        """The canaries that were planted once."""
        return next((one for one in self.exposures if one.copies == 1), None)


class Memory(Record):
    """What the tuned model gives away of its training rows.

    `auc` is the chance that tuning gained more on a training row than on a held-out one: 0.5 tells nothing, 1 tells all.
    `found_at_1_percent` is the share of training rows found when at most 1 % of the others are taken for one. `p_values` are of
    exact McNemar, by tokens given: do more training rows come out alike than before tuning? `held_out_p_values` are of Fisher's exact
    test: do more of them than of held-out rows? `personal` are the answers of the copy.
    `canaries` and `personal` are None unless asked for; `canaries` also where none were planted.
    """

    level: Literal["quick", "full"]
    train_rows: int
    held_out_rows: int
    auc: float
    auc_low: float
    auc_high: float
    found_at_1_percent: float
    found_low: float
    found_high: float
    continuations: tuple[Continuations, ...]
    p_values: dict[int, float]
    held_out_p_values: dict[int, float]
    copied: tuple[Copied, ...]
    canaries: Canaries | None = None
    personal: Emitted | None = None
    personal_high: float | None = None


class RelationScores(Record):
    """All figures over the scored rows that have a relative among the training rows (J >= 0.5), or over those that have none."""

    relation: Relation
    n: int
    scores: tuple[Score, ...]


class Hint(Record):
    """Whether the base seems to have read the scored clauses before: a hint, never a proof.

    `median` is how surprised it is, in nats a token, by the least likely fifth of a clause's tokens, for the clause in the middle. `rows`
    are the clauses that surprise it least, with their figure.
    """

    n: int
    median: float
    rows: tuple[tuple[str, float], ...]


class Rule(Record):
    """A rule of the gate and whether it is met. `key` names its text in the message catalogue, `facts` fill it.

    `passed` is None for a rule that could not be measured, so that it decides nothing. One `is_undecided` that is not met and not broken
    either: the evidence does not say.
    """

    key: str
    passed: bool | None
    facts: dict[str, str | int | float]
    is_undecided: bool = False

    @property
    def state(self) -> Literal["met", "unmet", "unknown", "undecided"]:
        """How it stands, in a word of the page."""
        if self.passed is None:
            return "unknown"
        return "met" if self.passed else "undecided" if self.is_undecided else "unmet"


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
    """The numbers of the page, free of any language: `report.json`.

    `is_judged`: two models were brought from anywhere, not made by a recipe; then there is no copy to compare with its parent.
    `repeat` is the command that does it again. `trained_rows` are the rows that training truly used, with those that it was watched by:
    leaks are looked for among these; None where they are not known. `relations` are empty unless there are rows of both kinds. `copies` is
    what the model stage measured of the copies that it tried, None if it did not. What differs from run to run, the costs, is not among
    them.
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
    relations: tuple[RelationScores, ...]
    hint: Hint | None
    trained_rows: int | None
    examples: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    ability: AbilityScores | None = None
    judge: JudgeScores | None = None
    beside: BesideScores | None = None
    is_judged: bool = False
    repeat: str = "tutelage make RECIPE --until scores"
    not_measured: tuple[Limit, ...] = ()
    heat: tuple[HeatRow, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    reliability: Reliability | None = None
    wins: tuple[Wins, ...] = ()
    sure: dict[str, Reliability] = Field(default_factory=dict)
    copies: Copies | None = None
