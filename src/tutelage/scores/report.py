"""What the report says first, and which rows it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tutelage.core.language import catalogue
from tutelage.core.records import Example, GateDecision
from tutelage.scores.metrics import METRICS
from tutelage.scores.results import Limit, Report, RowMeasure, Shown

EXAMPLES = 6
WORST = 20


def spoken(key: str, is_judged: bool) -> str:
    """The key of a text as it is said of models that were brought to be judged, where such a text differs."""
    other = f"scores.judged.{key.removeprefix('scores.')}"
    return other if is_judged and other in catalogue() else key


def headline(decision: GateDecision, alpha: float) -> tuple[str, dict[str, str | int | float]]:
    """The verdict in one sentence: a key of the message catalogue and the facts that fill it. A gain above 0 is an improvement."""
    if decision.is_open:
        key = "scores.headline.open"
    elif decision.verdict == "better":
        key = "scores.headline.better_but_closed"
    else:
        key = {"worse": "scores.headline.worse", "not enough evidence": "scores.headline.undecided"}[decision.verdict]
    sign = next(-1 if metric.good == "low" else 1 for metric in METRICS if metric.name == decision.metric)
    low, high = sorted((sign * decision.low + 0.0, sign * decision.high + 0.0))  # + 0.0: nobody reads "-0.000" as nothing
    return key, {"candidate": decision.candidate, "versus": decision.versus, "n": decision.n, "gain": sign * decision.difference + 0.0,
                 "low": low, "high": high, "level": level(alpha), "metric_key": f"scores.metric.{decision.metric}"}


def level(alpha: float) -> str:
    """The level of intervals as people write it: "95 %"."""
    return f"{100 * (1 - alpha):g} %"


def limits_of(report: Report) -> list[Limit]:
    """All that the numbers do not say: what could not be measured here first, then what no such number says."""
    def limit(name: str, **facts: str | int | float) -> Limit:
        return Limit(key=f"scores.limit.{name}", facts=facts)

    memory = f"memory_{report.memory.level}" if report.memory else "memory"
    limits = [*report.not_measured, limit("meaning"), limit("people"), limit(memory),
              limit("ability" if report.ability else "no_ability"), limit("other_documents"), limit("pretraining"),
              limit("languages", en=report.languages.get("en", 0), zh=report.languages.get("zh", 0)),
              limit("decoding", drafted=report.drafted_rows, **report.settings), limit("clusters", documents=report.documents)]
    return [*limits, limit("too_long", rows=report.too_long_rows)] if report.too_long_rows else limits


def choose_examples(rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example]) -> tuple[Shown, ...]:
    """The first six drafted rows of different clause types, in the order in which rows were drawn: nobody picks the nice ones."""
    drafted = [row for row in _first(rows) if row.draft is not None]
    first_of_type: dict[str, RowMeasure] = {}
    for row in drafted:
        first_of_type.setdefault(row.clause_type, row)
    order = [*first_of_type.values(), *(row for row in drafted if first_of_type[row.clause_type] is not row)]
    return tuple(_show(row.row, rows, examples) for row in order[:EXAMPLES])


def choose_worst(rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example], *, candidate: str, base: str,
                 metric: str) -> tuple[Shown, ...]:
    """The twenty rows on which `candidate` lost most, or gained least, against `base` in the metric that decides.

    Only drafted rows, if there are any: a reader wants to see what was written.
    """
    before = {row.row: _good(row, metric) for row in rows[base]}
    drafted = [row for row in rows[candidate] if row.draft is not None]
    order = sorted(drafted or rows[candidate], key=lambda row: (_good(row, metric) - before[row.row], row.row))
    return tuple(_show(row.row, rows, examples) for row in order[:WORST])


def _good(row: RowMeasure, metric: str) -> float:
    """How good a row came out, higher being better; 0 where it lacks the metric."""
    if metric == "bits_per_byte":
        return -(row.bits_per_byte or 0.0)
    return float(row.checks_met or 0) if metric == "checks_met" else row.rouge_l or 0.0


def _first(rows: Mapping[str, Sequence[RowMeasure]]) -> Sequence[RowMeasure]:
    return next(iter(rows.values()))


def _show(row_id: str, rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example]) -> Shown:
    example = examples[row_id]
    found = {name: next(row for row in measures if row.row == row_id) for name, measures in rows.items()}
    return Shown(
        row=row_id, clause_type=example.clause_type, keywords=example.keywords, language=example.language, source=example.source,
        text=example.text, drafts={name: row.draft for name, row in found.items() if row.draft is not None},
        predicted={name: row.type_predicted for name, row in found.items() if row.type_predicted is not None},
        bits_per_byte={name: row.bits_per_byte for name, row in found.items() if row.bits_per_byte is not None})
