"""What a judge model said of pairs of drafts, and what it is worth: rows of the scores."""

from __future__ import annotations

from typing import Literal

from tutelage.core.records import Record

Choice = Literal["candidate", "base", "tie", "unreadable"]
FEWEST_DECISIONS = 30  # at 30 pairs the interval of a share is up to 18 points wide on either side; below, agreement says nothing


class Opinion(Record):
    """What the judge chose on one row with the candidate's draft in the first place, and with the base's draft there: a line of
    `judge.jsonl`. `answers` are its words.
    """

    row: str
    document_id: str
    candidate_first: Choice
    base_first: Choice
    answers: tuple[str, str]

    @property
    def is_readable(self) -> bool:
        """Whether both answers were one of the three letters."""
        return "unreadable" not in (self.candidate_first, self.base_first)

    @property
    def is_flipped(self) -> bool:
        """Whether the answer depends on the order."""
        return self.is_readable and self.candidate_first != self.base_first

    @property
    def choice(self) -> Choice:
        """What it prefers: what it said in both orders, and a tie where the order decided."""
        if not self.is_readable:
            return "unreadable"
        return "tie" if self.is_flipped else self.candidate_first


class JudgeAgreement(Record):
    """How often judge and people said the same of `n` pairs: candidate, base or a tie.

    `low` and `high` bound the share. `kappa` is Cohen's, with an interval by resampled documents; None where it is not defined. `sided` are
    the pairs of which people accepted one draft only, `sided_agreed` those where the judge prefers that one.
    """

    n: int
    agreed: int
    low: float
    high: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    sided: int
    sided_agreed: int


class JudgeScores(Record):
    """How often a judge model preferred the candidate's draft, with what tells whether that means anything.

    `n` pairs had two readable answers; of `answers` in all `unreadable` were none of the three letters. `same` pairs of equal texts and
    `too_long` ones were not asked. `difference` is the share of wins minus the share of losses. Of the `n` pairs `flipped` got another
    answer in the other order, `to_first` of these the first place both times. `agreement` is None where people decided on none of them.
    """

    judge: str
    candidate: str
    versus: str
    n: int
    answers: int
    unreadable: int
    same: int
    too_long: int
    wins: int
    losses: int
    ties: int
    difference: float | None
    low: float | None
    high: float | None
    flipped: int
    flipped_low: float
    flipped_high: float
    to_first: int
    agreement: JudgeAgreement | None

    @property
    def trust(self) -> Literal["not_measured", "no_better_than_chance", "shown"]:
        """Whether its agreement with people is shown: of enough pairs, and beyond chance."""
        found = self.agreement
        if found is None or found.n < FEWEST_DECISIONS:
            return "not_measured"
        return "shown" if found.kappa_low is not None and found.kappa_low > 0 else "no_better_than_chance"
