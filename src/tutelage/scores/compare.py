"""From rows to numbers: each metric of each candidate with its interval, and paired comparisons over the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tutelage.core.records import Answer, Example, Score
from tutelage.scores import statistics
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.metrics import LOOPING, METRICS, Metric, bits_per_byte, is_looping, repetition, rouge_l
from tutelage.scores.results import CandidateMeasured, Comparison, Reference, RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Floats, Grouped, Interval


def judge_rows(measured: CandidateMeasured, examples: Mapping[str, Example], drafted: Sequence[str],
               classifier: TypeClassifier | None) -> list[RowMeasure]:
    """The rows of `examples` with all that is computed from the answers; drafts only of rows in `drafted`."""
    by_row = {row.row: row for row in measured.rows}
    answers: dict[str, Answer] = {row: answer for row in drafted if (answer := by_row[row].answer) is not None}
    predicted = dict(zip(answers, classifier.predict([answer.text for answer in answers.values()]), strict=True)) if classifier else {}
    result = []
    for row_id, example in examples.items():
        row, answer = by_row[row_id], answers.get(row_id)
        result.append(RowMeasure(
            row=row_id, candidate=measured.candidate, document_id=example.document_id or row_id, clause_type=example.clause_type,
            nats=row.nats, reply_tokens=row.reply_tokens, size_bytes=row.size_bytes, bits_per_byte=bits_per_byte(row.nats, row.size_bytes),
            draft=answer.text if answer else None, draft_tokens=len(answer.token_ids) if answer else None,
            stopped=answer.finish_reason == "stop" if answer else None,
            rouge_l=rouge_l(example.text, answer.text) if answer else None,
            repetition=repetition(answer.text) if answer else None, type_predicted=predicted.get(row_id)))
    return result


def judge_reference(rows: Sequence[Example], reply_tokens: Mapping[str, int], classifier: TypeClassifier | None,
                    settings: ScoresSettings) -> Reference:
    """The figures of the held-out clauses themselves; `reply_tokens` counts each clause's tokens with the one that ends it."""
    n = len(rows)
    right, between = None, None
    if classifier:
        right = sum(said == row.clause_type for said, row in zip(classifier.predict([row.text for row in rows]), rows, strict=True))
        between = statistics.wilson(right, n, settings.alpha)
    lengths = [reply_tokens[row.id] - 1 for row in rows]
    return Reference(
        n=n, type_match=right / n if right is not None else None,
        type_match_low=between.low if between else None, type_match_high=between.high if between else None,
        looping_share=sum(is_looping(row.text) for row in rows) / n, repetition=sum(repetition(row.text) for row in rows) / n,
        stopped_share=sum(length < settings.max_draft_tokens for length in lengths) / n, draft_tokens=sum(lengths) / n)


def compare(rows: Mapping[str, Sequence[RowMeasure]], pairs: Sequence[tuple[str, str]], *, base: str,
            settings: ScoresSettings) -> tuple[list[Score], list[Comparison]]:
    """Scores of all candidates (each against `base`) and the comparisons asked for by `pairs`, metric by metric."""
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    for metric in METRICS:
        columns = _columns(metric, rows)
        if not columns:
            continue
        found = _Metric(metric, columns, settings)
        compared = {(one, other): found.comparison(one, other) for one, other in pairs}
        comparisons += compared.values()
        scores += [found.score(name, compared.get((name, base))) for name in rows]
    return scores, comparisons


def _columns(metric: Metric, rows: Mapping[str, Sequence[RowMeasure]]) -> dict[str, list[tuple[str, float, float]]]:
    """Per candidate (document, numerator, denominator) of the rows where every candidate has the metric; {} if there is none."""
    values = {name: [_value(metric.name, row) for row in measures] for name, measures in rows.items()}
    kept = [place for place, found in enumerate(zip(*values.values(), strict=True)) if None not in found]
    columns: dict[str, list[tuple[str, float, float]]] = {}
    for name, measures in rows.items():
        columns[name] = [(measures[place].document_id, *pair) for place in kept if (pair := values[name][place]) is not None]
    return columns if kept else {}


def _value(name: str, row: RowMeasure) -> tuple[float, float] | None:
    """Numerator and denominator of a metric on one row; None where the row lacks it."""
    if name == "bits_per_byte":
        return row.nats / math.log(2), float(row.size_bytes)
    found: dict[str, float | bool | None] = {
        "rouge_l": row.rouge_l,
        "clause_type_match": None if row.type_predicted is None else row.type_predicted == row.clause_type,
        "looping_share": None if row.repetition is None else row.repetition >= LOOPING,
        "repetition": row.repetition, "stopped_share": row.stopped, "draft_tokens": row.draft_tokens,
    }
    value = found[name]
    return None if value is None else (float(value), 1.0)


class _Metric:
    """One metric over one set of rows, with the resamples that all its intervals share."""

    def __init__(self, metric: Metric, columns: Mapping[str, Sequence[tuple[str, float, float]]], settings: ScoresSettings) -> None:
        self.metric, self.settings = metric, settings
        self.values: dict[str, list[float]] = {name: [numerator for _, numerator, _ in column] for name, column in columns.items()}
        self.groups: dict[str, Grouped] = {
            name: statistics.group([one[0] for one in column], [one[1] for one in column], [one[2] for one in column])
            for name, column in columns.items()}
        ratios = statistics.resampled_ratios(list(self.groups.values()), resamples=settings.bootstrap, seed=settings.seed)
        self.resampled: dict[str, Floats] = dict(zip(self.groups, ratios, strict=True))
        self.n = len(next(iter(self.values.values())))

    def score(self, name: str, versus: Comparison | None) -> Score:
        """The metric of one candidate; a share gets Wilson's interval, anything else that of the resampled documents."""
        alpha = self.settings.alpha
        value = self.groups[name].ratio
        is_share = self.metric.kind == "share"
        interval = (statistics.wilson(round(sum(self.values[name])), self.n, alpha) if is_share
                    else statistics.percentile_interval(self.resampled[name], alpha))
        paired = versus and {"versus": versus.versus, "difference": versus.difference, "difference_low": versus.low,
                             "difference_high": versus.high, "verdict": versus.verdict}
        return Score.model_validate({"candidate": name, "metric": self.metric.name, "value": value, "low": interval.low,
                                     "high": interval.high, "n": self.n, **(paired or {})})

    def comparison(self, one: str, other: str) -> Comparison:
        """`one` minus `other`, paired by row and resampled by document."""
        alpha, settings = self.settings.alpha, self.settings
        resampled = self.resampled[one] - self.resampled[other]
        interval = statistics.percentile_interval(resampled, alpha)
        difference = self.groups[one].ratio - self.groups[other].ratio
        error = float(np.std(resampled, ddof=1))
        if self.metric.kind == "share":
            interval, p_value = self._share(one, other, interval)
        else:
            flips = self.groups[one].numerators - self.groups[other].numerators
            p_value = statistics.flip_p_value(flips, resamples=settings.bootstrap, seed=settings.seed)
        verdict = None
        if self.metric.good:
            verdict = statistics.verdict(interval, p_value, lower_is_better=self.metric.good == "low", alpha=alpha)
        return Comparison(
            candidate=one, versus=other, metric=self.metric.name, n=self.n, documents=len(self.groups[one].numerators),
            difference=difference, low=interval.low, high=interval.high, p_value=p_value, standard_error=error,
            rows_to_decide=statistics.rows_to_decide(difference, error, self.n, alpha=alpha),
            smallest_visible=statistics.smallest_visible(error, alpha=alpha), verdict=verdict)

    def _share(self, one: str, other: str, by_document: Interval) -> tuple[Interval, float]:
        """Of yes and no: the wider of the interval by documents and Newcombe's, and exact McNemar."""
        pairs = list(zip(self.values[one], self.values[other], strict=True))
        only_one, only_other = pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0))
        exact = statistics.paired_share_interval(pairs.count((1.0, 1.0)), only_one, only_other, pairs.count((0.0, 0.0)),
                                                 self.settings.alpha)
        wider = Interval(min(by_document.low, exact.low), max(by_document.high, exact.high))
        return wider, statistics.mcnemar_p_value(only_one, only_other)
