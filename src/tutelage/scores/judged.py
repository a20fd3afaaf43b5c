"""The gate for two models that were brought from anywhere: which figure decides, by which rules, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tutelage.core.errors import InputError
from tutelage.core.records import GateDecision
from tutelage.scores.gate import ask_for_rows
from tutelage.scores.results import Comparison, Rule
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import documents_to_decide

# The first that all candidates have decides: what the rows ask for, then the figure that sees most, then what drafts alone give.
DECIDES = ("checks_met", "bits_per_byte", "rouge_l")


def decides(metrics: Collection[str]) -> str:
    """The metric that decides, of those that were measured on all candidates. Raises InputError if there is none."""
    found = next((metric for metric in DECIDES if metric in metrics), None)
    if found is None:
        raise InputError("nothing was measured on both models: there are no log-probabilities of both and no drafts of both. "
                         "Draft more rows (--set drafts=48), or give models that can score.")
    return found


def judged_rules(compared: Comparison, drafting: Sequence[Comparison], leaks: int | None) -> list[Rule]:
    """All rules, the weightiest first. `drafting` are comparisons on how candidate and base draft; `leaks` is None where the rows that
    were trained on are not known.
    """
    rules = [
        Rule(key="scores.rule.leak", passed=leaks == 0, facts={"leaks": leaks}) if leaks is not None
        else Rule(key="scores.rule.leak_unknown", passed=None, facts={}),
        Rule(key="scores.rule.judged", passed=compared.verdict == "better",
             facts={"candidate": compared.candidate, "versus": compared.versus, "difference": compared.difference, "low": compared.low,
                    "high": compared.high, "n": compared.n, "metric_key": f"scores.metric.{compared.metric}"}),
    ]
    for comparison in drafting:
        rules.append(Rule(key=f"scores.rule.{comparison.metric}", passed=comparison.verdict != "worse",
                          facts={"difference": 100 * comparison.difference, "low": 100 * comparison.low, "high": 100 * comparison.high}))
    return rules


def decide_judged(compared: Comparison, rules: Sequence[Rule], settings: ScoresSettings) -> GateDecision:
    """The decision over the candidate: open if no rule that could be measured is broken."""
    failed = next((rule for rule in rules if rule.passed is False), None)
    next_key, facts = _next_step(failed, compared, settings)
    return GateDecision(
        is_open=failed is None, verdict=compared.verdict or "not enough evidence", candidate=compared.candidate, versus=compared.versus,
        metric=compared.metric, n=compared.n, difference=compared.difference, low=compared.low, high=compared.high, next_key=next_key,
        facts=facts)


def _next_step(failed: Rule | None, compared: Comparison, settings: ScoresSettings) -> tuple[str, Mapping[str, str | int | float]]:
    if failed is None:
        return "scores.next.judged_better", {"candidate": compared.candidate}
    if failed.key == "scores.rule.leak":
        return "scores.next.judged_leak", failed.facts
    if failed.key != "scores.rule.judged":
        return failed.key.replace(".rule.", ".next.judged_"), {"candidate": compared.candidate}
    if compared.verdict == "worse":
        return "scores.next.judged_worse", {"candidate": compared.candidate, "versus": compared.versus}
    needed = documents_to_decide(settings.alpha)
    if compared.documents < needed:
        return "scores.next.judged_more_documents", {"documents": compared.documents, "needed": needed}
    return ask_for_rows("scores.next.judged_more_rows", "scores.next.judged_no_difference", compared.rows_to_decide, compared)
