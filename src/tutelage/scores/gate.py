"""The gate: whether the copy may be served, by which rules, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.records import GateDecision
from tutelage.scores.results import Comparison, CopyState, Memory, Rule
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Interval, documents_to_decide, non_inferiority, rows_to_decide

METRIC = "bits_per_byte"
OUT_OF_REACH = 20  # more than 20 times the rows: not a matter of more rows


def judge_copy(comparison: Comparison, margin: float) -> CopyState:
    """Whether the copy costs less than `margin` bits per byte against the tuned model."""
    return non_inferiority(Interval(comparison.low, comparison.high), margin)


def privacy_rules(memory: Memory | None, settings: ScoresSettings) -> list[Rule]:
    """No personal data of the documents comes out, and what was planted once is not remembered; none unless all of memory was asked for.

    What was asked for and could not be measured is a rule that is not met.
    """
    if settings.memory != "full":
        return []
    rules = []
    personal, canaries = (memory.personal, memory.canaries) if memory else (None, None)
    if memory and personal and memory.personal_high is not None:
        rules.append(Rule(key="scores.rule.personal", passed=personal.known == 0,
                          facts={"known": personal.known, "answers": personal.answers, "high": 100 * memory.personal_high}))
    else:
        rules.append(Rule(key="scores.rule.personal_unknown", passed=None, facts={}))
    once = canaries.at_one_copy if canaries else None
    if canaries and once and once.mean is not None and canaries.controls_are_within:
        rules.append(Rule(key="scores.rule.canaries", passed=canaries.is_within,
                          facts={"mean": once.mean, "high": canaries.one_copy_high, "n": once.trained}))
    else:
        rules.append(Rule(key="scores.rule.canaries_unknown", passed=None, facts={}))
    return rules


def apply_rules(copy_base: Comparison, copy_tuned: Comparison, drafting: Sequence[Comparison], leaks: int,
                settings: ScoresSettings, memory: Memory | None = None) -> list[Rule]:
    """All rules of the gate, the weightiest first. `drafting` are comparisons of copy and base on how they draft."""
    state = judge_copy(copy_tuned, settings.copy_margin_bits_per_byte)
    rules = [
        Rule(key="scores.rule.leak", passed=leaks == 0, facts={"leaks": leaks}),
        *privacy_rules(memory, settings),
        Rule(key="scores.rule.better", passed=copy_base.verdict == "better", is_undecided=copy_base.verdict == "not enough evidence",
             facts={"difference": copy_base.difference, "low": copy_base.low, "high": copy_base.high, "n": copy_base.n}),
        Rule(key="scores.rule.copy", passed=state == "holds", is_undecided=state == "not enough evidence",
             facts={"high": copy_tuned.high, "margin": settings.copy_margin_bits_per_byte}),
    ]
    for comparison in drafting:
        rules.append(Rule(key=f"scores.rule.{comparison.metric}", passed=comparison.verdict != "worse",
                          facts={"difference": 100 * comparison.difference, "low": 100 * comparison.low, "high": 100 * comparison.high}))
    return rules


def decide(copy_base: Comparison, copy_tuned: Comparison, drafting: Sequence[Comparison], leaks: int,
           settings: ScoresSettings, memory: Memory | None = None, *, larger: str | None = None) -> GateDecision:
    """The decision over the copy: open only if every rule is met; the next step answers the first rule that is not, or that could not be
    measured although it was asked for. `larger` is the next larger copy, "" if there is none, None if that is not known.
    """
    rules = apply_rules(copy_base, copy_tuned, drafting, leaks, settings, memory)
    failed = next((rule for rule in rules if not rule.passed), None)
    next_key, facts = _next_step(failed, copy_base, copy_tuned, leaks, settings)
    if failed and failed.key == "scores.rule.copy":
        facts |= _larger(larger)
    return GateDecision(
        is_open=failed is None, verdict=copy_base.verdict or "not enough evidence", candidate=copy_base.candidate,
        versus=copy_base.versus, metric=METRIC, n=copy_base.n, difference=copy_base.difference, low=copy_base.low,
        high=copy_base.high, next_key=next_key, facts=facts, undecided=undecided(rules))


def undecided(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The rules that a person may answer for: those that the evidence does not decide. None if any rule is broken, or was to be measured
    and was not: nobody can answer for a risk that nobody looked at (`scores.memory: quick` says openly that it was not).
    """
    kept_closed = [rule for rule in rules if not rule.passed]
    return tuple(rule.key for rule in kept_closed) if all(rule.is_undecided for rule in kept_closed) else ()


def _next_step(failed: Rule | None, copy_base: Comparison, copy_tuned: Comparison, leaks: int,
               settings: ScoresSettings) -> tuple[str, dict[str, str | int | float]]:
    if failed is None:
        return "scores.next.serve", {"candidate": copy_base.candidate}
    if failed.key == "scores.rule.leak":
        return "scores.next.leak", {"leaks": leaks}
    if failed.key == "scores.rule.better":
        if copy_base.verdict == "worse":
            return "scores.next.worse", {}
        needed = documents_to_decide(settings.alpha)
        if copy_base.documents < needed:
            return "scores.next.more_documents", {"documents": copy_base.documents, "needed": needed}
        return ask_for_rows("scores.next.more_rows", "scores.next.no_difference", copy_base.rows_to_decide, copy_base)
    if failed.key == "scores.rule.copy":
        margin = settings.copy_margin_bits_per_byte
        if copy_tuned.difference >= margin:
            return "scores.next.copy_worse", {"margin": margin, "difference": copy_tuned.difference}
        rows = rows_to_decide(margin - copy_tuned.difference, copy_tuned.standard_error, copy_tuned.n, alpha=settings.alpha)
        return ask_for_rows("scores.next.copy_more_rows", "scores.next.copy_close", rows, copy_tuned)
    return failed.key.replace(".rule.", ".next."), {"candidate": copy_base.candidate} if failed.key == "scores.rule.personal" else {}


def _larger(larger: str | None) -> dict[str, str | int | float]:
    """What to do about a copy that is not good enough: the text that fills the blank `larger`, with its own fact."""
    key = "scores.larger.unknown" if larger is None else "scores.larger.named" if larger else "scores.larger.none"
    return {"larger_key": key, "size": larger or ""}


def ask_for_rows(key: str, key_out_of_reach: str, needed: int | None, comparison: Comparison) -> tuple[str, dict[str, str | int | float]]:
    """The step that asks for more rows, or where even 20 times as many would not decide, the other one."""
    if needed is None or needed > OUT_OF_REACH * comparison.n:
        return key_out_of_reach, {"n": comparison.n}
    return key, {"more": max(1, needed - comparison.n), "n": comparison.n}
