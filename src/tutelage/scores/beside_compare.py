"""How a candidate beside the three compares with base and copy over the rows that all have, and what follows from retrieval alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.records import Example, Score
from tutelage.scores.beside_results import BesideCandidate, BesideScores, Difference, Kind, PromptTried, Said
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.compare import compare, judge_rows
from tutelage.scores.metrics import METRICS
from tutelage.scores.overlap import tokens
from tutelage.scores.results import CandidateMeasured, RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import benjamini_hochberg, documents_to_decide, holm
from tutelage.scores.stems import stemmed_tokens

# Fixed before any run: how like the true clause a draft is, its facts, its type.
DECIDE_RETRIEVAL = ("rouge_l", "chrf", "slot_recall", "slot_precision", "clause_type_match")
GOOD = {metric.name for metric in METRICS if metric.good}


@dataclass(frozen=True)
class Others:
    """What a candidate is compared with: rows of base and copy, the examples behind them, and which of these were drafted."""

    rows: Mapping[str, Sequence[RowMeasure]]
    examples: Mapping[str, Example]
    drafted: Sequence[str]
    classifier: TypeClassifier | None
    settings: ScoresSettings

    def settle(self, made: Sequence[BesideCandidate], tried: Sequence[PromptTried], not_measured: Sequence[Said], *,
               copy: str) -> BesideScores:
        """All candidates, their verdicts held to what holds among all of them, with what follows."""
        alpha = self.settings.alpha
        held = benjamini_hochberg({f"{one.candidate} {one.versus} {one.metric}": one.p_value for each in made
                                   for one in each.differences}, alpha)
        marked = [_held(each, {one for one, is_held in held.items() if is_held}) for each in made]
        alone = next((one for one in made if one.kind == "retrieval"), None)
        return BesideScores(candidates=tuple(marked), prompts=tuple(tried), not_measured=tuple(not_measured),
                            conclusion=conclude(alone, copy, alpha) if alone else None)


def compare_beside(kind: Kind, measured: CandidateMeasured, others: Others, *,
                   without_clause: int = 0) -> tuple[BesideCandidate, list[RowMeasure]]:
    """Its figures beside those of base and copy, and its rows. A row that is too long for it is left out of this comparison only."""
    asked = {row.row for row in measured.rows}
    usable = {row: example for row, example in others.examples.items() if row in asked}
    cut = stemmed_tokens if others.settings.rouge_stems else tokens
    mine = judge_rows(measured, usable, [row for row in others.drafted if row in asked], others.classifier, {}, cut)
    rows = {measured.candidate: mine} | {name: [row for row in measures if row.row in asked] for name, measures in others.rows.items()}
    base, copy = others.rows
    scores, comparisons = compare(rows, usable, [(measured.candidate, base), (measured.candidate, copy)], base=base,
                                  settings=others.settings, same_tokens=False) if usable else ([], [])
    differences = tuple(
        Difference(candidate=one.candidate, versus=one.versus, metric=one.metric, n=one.n, documents=one.documents,
                   difference=one.difference, low=one.low, high=one.high, p_value=one.p_value, verdict=one.verdict)
        for one in comparisons if one.verdict is not None)
    found = BesideCandidate(
        name=measured.candidate, kind=kind, engine=measured.engine, rows=len(usable), too_long=len(measured.too_long),
        without_clause=without_clause, scores=tuple(score for score in scores if score.metric in GOOD), differences=differences)
    return found, mine


def _held(each: BesideCandidate, held: set[str]) -> BesideCandidate:
    """The candidate with the verdicts that hold, in differences and scores alike."""
    differences = tuple(one if f"{one.candidate} {one.versus} {one.metric}" in held
                        else one.model_copy(update={"verdict": "not enough evidence"}) for one in each.differences)
    verdicts = {(one.versus, one.metric): one.verdict for one in differences}
    scores = tuple(score.model_copy(update={"verdict": verdicts[score.versus, score.metric]})
                   if score.candidate == each.name and score.versus else score for score in each.scores)
    return each.model_copy(update={"differences": differences, "scores": scores})


def score_lines(beside: BesideScores) -> Iterator[Score]:
    """Each figure of each candidate, against the base and against the copy: the lines of beside.jsonl."""
    for each in beside.candidates:
        values = {score.metric: score for score in each.scores if score.candidate == each.name}
        for one in each.differences:
            yield values[one.metric].model_copy(update={
                "versus": one.versus, "difference": one.difference, "difference_low": one.low, "difference_high": one.high,
                "verdict": one.verdict})


def conclude(alone: BesideCandidate, copy: str, alpha: float) -> Said | None:
    """What the retrieved clause alone says of the copy, by paired intervals and tests over the draft metrics together (Holm), never by
    the values themselves; None without drafts.
    """
    against = {one.metric: one for one in alone.differences if one.versus == copy and one.metric in DECIDE_RETRIEVAL}
    if not against:
        return None
    n, documents = max(one.n for one in against.values()), max(one.documents for one in against.values())
    facts: dict[str, str | int | float] = {"copy": copy, "n": n, "metrics": len(against)}
    if documents < documents_to_decide(alpha):
        return Said(key="scores.beside.conclusion.few", facts={**facts, "documents": documents, "needed": documents_to_decide(alpha)})
    held = holm({metric: one.p_value for metric, one in against.items()}, alpha)
    better = [metric for metric, one in against.items() if held[metric] and one.verdict == "better"]
    worse = [metric for metric, one in against.items() if one.verdict == "worse"]  # not corrected: doubt speaks for no advice
    state = "mixed" if better and worse else "wins" if better else "worse" if worse else "not_worse"
    return Said(key=f"scores.beside.conclusion.{state}", facts={**facts, "better": len(better), "worse": len(worse)})
