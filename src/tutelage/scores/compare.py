"""From rows to numbers: each metric of each candidate with its interval, and paired comparisons over the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tutelage.core.records import Answer, Example, Score
from tutelage.scores import statistics
from tutelage.scores.checks import is_met
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.corpus_metrics import bleu, chrf
from tutelage.scores.metrics import (
    LOOPING,
    METRICS,
    OF_TOKENS,
    Metric,
    bits_per_byte,
    edit_share,
    edit_words,
    is_exact,
    is_looping,
    repetition,
)
from tutelage.scores.overlap import Cut, rouge_l, rouge_lsum, rouge_n, tokens
from tutelage.scores.points import Covered, covered
from tutelage.scores.results import CandidateMeasured, Check, Comparison, Reference, RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.slot_metrics import share, slot_counts, sums
from tutelage.scores.statistics import Interval
from tutelage.scores.tables import CorpusTable, RatioTable, Table
from tutelage.scores.type_f1 import macro_f1, type_sums


def judge_rows(measured: CandidateMeasured, examples: Mapping[str, Example], drafted: Sequence[str], classifier: TypeClassifier | None,
               checks: Mapping[str, Sequence[Check]], cut: Cut = tokens) -> list[RowMeasure]:
    """The rows of `examples` with all that is computed from the answers; drafts only of rows in `drafted`. `checks` are by row, `cut`
    gives the words that ROUGE compares.
    """
    by_row = {row.row: row for row in measured.rows}
    answers: dict[str, Answer] = {row: answer for row in drafted if (answer := by_row[row].answer) is not None}
    predicted = dict(zip(answers, classifier.predict([answer.text for answer in answers.values()]), strict=True)) if classifier else {}
    result = []
    for row_id, example in examples.items():
        row, answer = by_row[row_id], answers.get(row_id)
        points = covered(example, answer.text, checks.get(row_id, ())) if answer else Covered(0, 0)
        result.append(RowMeasure(
            row=row_id, candidate=measured.candidate, document_id=example.document_id or row_id, clause_type=example.clause_type,
            nats=row.nats, reply_tokens=row.reply_tokens, size_bytes=row.size_bytes,
            bits_per_byte=None if row.nats is None else bits_per_byte(row.nats, row.size_bytes),
            draft=answer.text if answer else None, draft_tokens=len(answer.token_ids) if answer else None,
            stopped=answer.finish_reason == "stop" if answer else None,
            **_against(example.text, answer.text, cut) if answer else {}, type_predicted=predicted.get(row_id),
            edit_words=edit_words(example.text, answer.text) if answer and example.text and example.language == "en" else None,
            points_required=points.required or None, points_covered=points.covered if points.required else None,
            checks_met=_all_met(checks[row_id], answer.text) if answer and row_id in checks else None))
    return result


def _against(reference: str, draft: str, cut: Cut) -> dict[str, Any]:
    """What a draft's text alone gives, by field of RowMeasure; only how often it repeats itself where there is no true reply."""
    if not reference:
        return {"repetition": repetition(draft)}
    return {"rouge_1": rouge_n(reference, draft, 1, cut).f1, "rouge_2": rouge_n(reference, draft, 2, cut).f1,
            "rouge_l": rouge_l(reference, draft, cut).f1, "rouge_lsum": rouge_lsum(reference, draft, cut).f1,
            "edit_share": edit_share(reference, draft), "exact": is_exact(reference, draft), "repetition": repetition(draft)}


def _all_met(checks: Sequence[Check], draft: str) -> bool:
    return all(is_met(check.kind, check.value, draft, negated=check.negated) for check in checks)


def judge_reference(rows: Sequence[Example], reply_tokens: Mapping[str, int], classifier: TypeClassifier | None,
                    settings: ScoresSettings) -> Reference:
    """The figures of the held-out clauses themselves; `reply_tokens` counts each clause's tokens with the one that ends it, and is
    empty where the candidates count differently.
    """
    n = len(rows)
    right, between = None, None
    if classifier:
        right = sum(said == row.clause_type for said, row in zip(classifier.predict([row.text for row in rows]), rows, strict=True))
        between = statistics.wilson(right, n, settings.alpha)
    lengths = [reply_tokens[row.id] - 1 for row in rows] if reply_tokens else []
    return Reference(
        n=n, type_match=right / n if right is not None else None,
        type_match_low=between.low if between else None, type_match_high=between.high if between else None,
        looping_share=sum(is_looping(row.text) for row in rows) / n, repetition=sum(repetition(row.text) for row in rows) / n,
        stopped_share=sum(length < settings.max_draft_tokens for length in lengths) / n if lengths else None,
        draft_tokens=sum(lengths) / n if lengths else None)


def compare(rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example], pairs: Sequence[tuple[str, str]], *, base: str,
            settings: ScoresSettings, same_tokens: bool = True) -> tuple[list[Score], list[Comparison]]:
    """Scores of all candidates (each against `base`) and the comparisons asked for by `pairs`, metric by metric.

    Figures in tokens are left out unless all candidates have the `same_tokens`.
    """
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    for metric in METRICS:
        if metric.name in OF_TOKENS and not same_tokens:
            continue
        found = _table(metric, rows, examples, settings)
        if found is None:
            continue
        compared = {(one, other): _compared(metric, found, one, other, settings) for one, other in pairs}
        comparisons += compared.values()
        scores += [_score(metric, found, name, compared.get((name, base)), settings) for name in rows]
    return scores, comparisons


def _table(metric: Metric, rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example],
           settings: ScoresSettings) -> Table | None:
    """The metric over the rows where every candidate has it; None if there is none."""
    if metric.name == "clause_type_f1":
        return _types(rows, settings)
    if metric.kind == "corpus":
        return _corpus(metric.name, rows, examples, settings)
    values = {name: [row_value(metric.name, row) for row in measures] for name, measures in rows.items()}
    kept = [place for place, found in enumerate(zip(*values.values(), strict=True)) if None not in found]
    if not kept:
        return None
    documents = [next(iter(rows.values()))[place].document_id for place in kept]
    columns = {name: [pair for place in kept if (pair := column[place]) is not None] for name, column in values.items()}
    return RatioTable(documents, columns, settings, is_exp=metric.kind == "exp")


def _corpus(name: str, rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example],
            settings: ScoresSettings) -> Table | None:
    """BLEU of one language's drafts, chrF, or facts repeated, over all drafts that there are."""
    kind, _, detail = name.partition("_")
    drafted = [examples[row.row] for row in next(iter(rows.values())) if row.draft is not None and examples[row.row].text]
    wanted = [example for example in drafted if kind != "bleu" or example.language == detail]
    if not wanted:
        return None
    drafts = {candidate: {row.row: row.draft or "" for row in measures} for candidate, measures in rows.items()}
    documents = [example.document_id or example.id for example in wanted]
    if kind == "slot":
        counted = {candidate: [slot_counts(example.text, texts[example.id], example.language) for example in wanted]
                   for candidate, texts in drafts.items()}
        if not any(one.expected for one in counted[next(iter(rows))]):
            return None
        return CorpusTable(documents, {name: sums(counts, of=detail) for name, counts in counted.items()}, share, settings)
    corpus = chrf() if kind == "chrf" else bleu("zh" if detail == "zh" else "en")
    references = [example.text for example in wanted]
    return CorpusTable(documents, {candidate: corpus.sums([texts[example.id] for example in wanted], references)
                                   for candidate, texts in drafts.items()}, corpus.score, settings)


def _types(rows: Mapping[str, Sequence[RowMeasure]], settings: ScoresSettings) -> Table | None:
    """Macro-F1 of clause types over the drafts that were classified of every candidate; None if there is none."""
    asked = [row.clause_type for row in next(iter(rows.values()))]
    kept = [place for place, found in enumerate(zip(*rows.values(), strict=True)) if all(row.type_predicted is not None for row in found)]
    types = sorted({asked[place] for place in kept})
    if not types:
        return None
    documents = [next(iter(rows.values()))[place].document_id for place in kept]
    sums_of = {name: type_sums([asked[place] for place in kept], [measures[place].type_predicted or "" for place in kept], types)
               for name, measures in rows.items()}
    return CorpusTable(documents, sums_of, macro_f1, settings)


def row_value(name: str, row: RowMeasure) -> tuple[float, float] | None:
    """Numerator and denominator of a metric on one row; None where the row lacks it."""
    if name in ("bits_per_byte", "perplexity"):
        if row.nats is None:
            return None
        return (row.nats / math.log(2), float(row.size_bytes)) if name == "bits_per_byte" else (row.nats, float(row.reply_tokens))
    if name == "points_covered":
        return None if row.points_required is None else (float(row.points_covered or 0), float(row.points_required))
    found: dict[str, float | bool | None] = {
        "rouge_1": row.rouge_1, "rouge_2": row.rouge_2, "rouge_l": row.rouge_l, "rouge_lsum": row.rouge_lsum,
        "edit_share": row.edit_share, "edit_words": row.edit_words, "exact_match": row.exact,
        "checks_met": row.checks_met,
        "clause_type_match": None if row.type_predicted is None else row.type_predicted == row.clause_type,
        "looping_share": None if row.repetition is None else row.repetition >= LOOPING,
        "repetition": row.repetition, "stopped_share": row.stopped, "draft_tokens": row.draft_tokens,
    }
    value = found[name]
    return None if value is None else (float(value), 1.0)


def _score(metric: Metric, table: Table, name: str, versus: Comparison | None, settings: ScoresSettings) -> Score:
    """The metric of one candidate; a share gets Wilson's interval, anything else that of the resampled documents."""
    interval = statistics.percentile_interval(table.resampled(name), settings.alpha)
    if metric.kind == "share" and isinstance(table, RatioTable):
        interval = statistics.wilson(round(sum(table.values[name])), table.n, settings.alpha)
    paired = versus and {"versus": versus.versus, "difference": versus.difference, "difference_low": versus.low,
                         "difference_high": versus.high, "verdict": versus.verdict}
    return Score.model_validate({"candidate": name, "metric": metric.name, "value": table.value(name), "low": interval.low,
                                 "high": interval.high, "n": table.n, **(paired or {})})


def _compared(metric: Metric, table: Table, one: str, other: str, settings: ScoresSettings) -> Comparison:
    """`one` minus `other`, paired by row and resampled by document."""
    alpha = settings.alpha
    resampled = table.resampled(one) - table.resampled(other)
    interval = statistics.percentile_interval(resampled, alpha)
    difference = table.value(one) - table.value(other)
    error = float(np.std(resampled, ddof=1))
    if metric.kind == "share" and isinstance(table, RatioTable):
        interval, p_value = _shares(table, one, other, interval, alpha)
    else:
        p_value = table.p_value(one, other)
    verdict = None
    if metric.good:
        verdict = statistics.verdict(interval, p_value, lower_is_better=metric.good == "low", alpha=alpha)
    return Comparison(
        candidate=one, versus=other, metric=metric.name, n=table.n, documents=table.documents, difference=difference, low=interval.low,
        high=interval.high, p_value=p_value, standard_error=error,
        rows_to_decide=statistics.rows_to_decide(difference, error, table.n, alpha=alpha),
        smallest_visible=statistics.smallest_visible(error, alpha=alpha), verdict=verdict)


def _shares(table: RatioTable, one: str, other: str, by_document: Interval, alpha: float) -> tuple[Interval, float]:
    """Of yes and no: the wider of the interval by documents and Newcombe's, and exact McNemar."""
    pairs = list(zip(table.values[one], table.values[other], strict=True))
    only_one, only_other = pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0))
    exact = statistics.paired_share_interval(pairs.count((1.0, 1.0)), only_one, only_other, pairs.count((0.0, 0.0)), alpha)
    wider = Interval(min(by_document.low, exact.low), max(by_document.high, exact.high))
    return wider, statistics.mcnemar_p_value(only_one, only_other)
