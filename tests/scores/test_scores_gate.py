"""Each rule of the gate, and the next step for each outcome."""

import pytest

from tutelage.core.language import text
from tutelage.core.records import Verdict
from tutelage.scores.gate import apply_rules, decide
from tutelage.scores.results import Comparison
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings()


def comparison(metric: str = "bits_per_byte", *, difference: float, half: float, verdict: Verdict | None,
               versus: str = "base") -> Comparison:
    needed = None if difference == 0 else round(100 * (2.8016 * half / 1.96 / difference) ** 2)
    return Comparison(candidate="gguf-q8_0", versus=versus, metric=metric, n=100, documents=50, difference=difference,
                      low=difference - half, high=difference + half, p_value=0.5, standard_error=half / 1.96, rows_to_decide=needed,
                      smallest_visible=half, verdict=verdict)


BETTER = comparison(difference=-0.2, half=0.05, verdict="better")
SAME_COPY = comparison(difference=0.001, half=0.002, verdict=None, versus="tuned")
CALM = comparison("looping_share", difference=0.0, half=0.05, verdict="not enough evidence")


def test_the_gate_opens_when_every_rule_is_met() -> None:
    decision = decide(BETTER, SAME_COPY, [CALM], 0, SETTINGS)
    assert decision.is_open
    assert decision.verdict == "better"
    assert (decision.difference, decision.n, decision.versus) == (-0.2, 100, "base")
    assert decision.next_key == "scores.next.serve"
    assert [rule.passed for rule in apply_rules(BETTER, SAME_COPY, [CALM], 0, SETTINGS)] == [True, True, True, True]


def test_a_leak_closes_the_gate_of_the_best_model() -> None:
    decision = decide(BETTER, SAME_COPY, [], 3, SETTINGS)
    assert not decision.is_open
    assert decision.verdict == "better"
    assert text(decision.next_key, "en", **decision.facts).startswith("3 held-out clauses resemble training clauses")


def test_a_worse_model_is_sent_back_to_training() -> None:
    decision = decide(comparison(difference=0.2, half=0.05, verdict="worse"), SAME_COPY, [], 0, SETTINGS)
    assert (decision.is_open, decision.verdict, decision.next_key) == (False, "worse", "scores.next.worse")


def test_too_little_evidence_says_how_many_rows_would_decide() -> None:
    # (2.8016 / 1.96)^2 * 100 * (0.03 / 0.02)^2 = 459.7 rows in all, so 360 more
    decision = decide(comparison(difference=-0.02, half=0.03, verdict="not enough evidence"), SAME_COPY, [], 0, SETTINGS)
    assert (decision.is_open, decision.verdict) == (False, "not enough evidence")
    assert text(decision.next_key, "en", **decision.facts).startswith("About 360 more held-out clauses would decide")


@pytest.mark.parametrize("difference", [0.0, -0.001])
def test_no_difference_is_not_a_matter_of_more_rows(difference: float) -> None:
    decision = decide(comparison(difference=difference, half=0.03, verdict="not enough evidence"), SAME_COPY, [], 0, SETTINGS)
    assert decision.next_key == "scores.next.no_difference"


def test_a_copy_that_costs_more_than_the_margin_is_not_served() -> None:
    decision = decide(BETTER, comparison(difference=0.03, half=0.01, verdict="worse", versus="tuned"), [], 0, SETTINGS)
    assert not decision.is_open
    assert decision.next_key == "scores.next.copy_worse"
    assert text(decision.next_key, "en", **decision.facts).startswith("The copy loses 0.030 bits per byte against the tuned model; 0.01")


def test_a_copy_within_its_margin_by_too_few_rows_asks_for_more() -> None:
    # distance to the margin 0.005; (2.8016 / 1.96)^2 * 100 * (0.008 / 0.005)^2 = 523 rows in all
    decision = decide(BETTER, comparison(difference=0.005, half=0.008, verdict=None, versus="tuned"), [], 0, SETTINGS)
    assert decision.next_key == "scores.next.copy_more_rows"
    assert 422 <= int(decision.facts["more"]) <= 424


def test_a_copy_at_its_margin_cannot_be_decided_by_rows() -> None:
    decision = decide(BETTER, comparison(difference=0.0099, half=0.008, verdict=None, versus="tuned"), [], 0, SETTINGS)
    assert decision.next_key == "scores.next.copy_close"


@pytest.mark.parametrize("metric", ["looping_share", "clause_type_match"])
def test_drafting_worse_than_the_base_closes_the_gate(metric: str) -> None:
    decision = decide(BETTER, SAME_COPY, [comparison(metric, difference=0.3, half=0.1, verdict="worse")], 0, SETTINGS)
    assert not decision.is_open
    assert decision.next_key == f"scores.next.{metric}"


def test_every_rule_and_next_step_has_its_text_in_both_languages() -> None:
    copies = [SAME_COPY, comparison(difference=0.03, half=0.01, verdict=None, versus="tuned"),
              comparison(difference=0.005, half=0.008, verdict=None, versus="tuned"),
              comparison(difference=0.0099, half=0.008, verdict=None, versus="tuned")]
    bases = [BETTER, comparison(difference=0.2, half=0.05, verdict="worse"),
             comparison(difference=-0.02, half=0.03, verdict="not enough evidence"),
             comparison(difference=0.0, half=0.03, verdict="not enough evidence")]
    drafting = [[], [comparison("looping_share", difference=0.3, half=0.1, verdict="worse")],
                [comparison("clause_type_match", difference=-0.3, half=0.1, verdict="worse")]]
    keys = set()
    for base in bases:
        for copy in copies:
            for drafts in drafting:
                for leaks in (0, 1):
                    decision = decide(base, copy, drafts, leaks, SETTINGS)
                    keys.add(decision.next_key)
                    for language in ("en", "zh"):
                        assert text(decision.next_key, language, **decision.facts)
                        for rule in apply_rules(base, copy, drafts, leaks, SETTINGS):
                            assert text(rule.key, language, **rule.facts)
    assert len(keys) == 10
