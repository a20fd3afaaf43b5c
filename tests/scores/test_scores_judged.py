"""The gate of two models from anywhere: which figure decides, each rule, and the next step for each outcome."""

import pytest

from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.core.records import Verdict
from tutelage.scores.judged import decide_judged, decides, judged_rules
from tutelage.scores.report import headline, spoken
from tutelage.scores.results import Comparison
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings()


def comparison(metric: str, difference: float, verdict: Verdict | None, *, documents: int = 50, needed: int | None = 300) -> Comparison:
    return Comparison(candidate="candidate", versus="base", metric=metric, n=100, documents=documents, difference=difference,
                      low=difference - 0.1, high=difference + 0.1, p_value=0.5, standard_error=0.05, rows_to_decide=needed,
                      smallest_visible=0.1, verdict=verdict)


def test_what_the_rows_ask_for_decides_before_what_sees_most():
    assert decides({"rouge_l", "bits_per_byte", "checks_met"}) == "checks_met"
    assert decides({"rouge_l", "bits_per_byte", "chrf"}) == "bits_per_byte"
    assert decides({"rouge_l", "chrf"}) == "rouge_l"
    with pytest.raises(InputError, match="nothing was measured on both models"):
        decides({"stopped_share"})


def test_a_rule_that_could_not_be_measured_decides_nothing():
    better = comparison("bits_per_byte", -0.2, "better")
    rules = judged_rules(better, [], None)
    assert [(rule.key, rule.passed) for rule in rules] == [("scores.rule.leak_unknown", None), ("scores.rule.judged", True)]
    decision = decide_judged(better, rules, SETTINGS)
    assert (decision.is_open, decision.next_key) == (True, "scores.next.judged_better")


@pytest.mark.parametrize(("compared", "drafting", "leaks", "next_key"), [
    (comparison("rouge_l", 0.2, "better"), [], 3, "scores.next.judged_leak"),
    (comparison("rouge_l", -0.2, "worse"), [], 0, "scores.next.judged_worse"),
    (comparison("rouge_l", 0.05, "not enough evidence"), [], 0, "scores.next.judged_more_rows"),
    (comparison("rouge_l", 0.0, "not enough evidence", needed=None), [], 0, "scores.next.judged_no_difference"),
    (comparison("rouge_l", 0.3, "not enough evidence", documents=3), [], 0, "scores.next.judged_more_documents"),
    (comparison("rouge_l", 0.2, "better"), [comparison("looping_share", 0.2, "worse")], 0, "scores.next.judged_looping_share"),
    (comparison("rouge_l", 0.2, "better"), [comparison("clause_type_match", -0.2, "worse")], 0, "scores.next.judged_clause_type_match"),
])
def test_the_first_rule_that_is_broken_gives_the_next_step_in_both_languages(compared: Comparison, drafting: list[Comparison], leaks: int,
                                                                             next_key: str):
    decision = decide_judged(compared, judged_rules(compared, drafting, leaks), SETTINGS)
    assert (decision.is_open, decision.next_key) == (False, next_key)
    for language in ("en", "zh"):
        assert text(spoken(decision.next_key, True), language, **decision.facts)


def test_a_gain_is_above_nothing_whichever_way_the_metric_runs():
    for metric, difference in (("bits_per_byte", -0.2), ("rouge_l", 0.2)):
        compared = comparison(metric, difference, "better")
        _, facts = headline(decide_judged(compared, judged_rules(compared, [], 0), SETTINGS), 0.05)
        assert (facts["gain"], facts["low"], facts["high"]) == (pytest.approx(0.2), pytest.approx(0.1), pytest.approx(0.3))


def test_no_difference_is_told_without_a_sign():
    compared = comparison("bits_per_byte", 0.0, "not enough evidence").model_copy(update={"low": 0.0, "high": 0.0})
    key, facts = headline(decide_judged(compared, judged_rules(compared, [], 0), SETTINGS), 0.05)
    assert "gain 0.000 (95 % interval 0.000 to 0.000" in text(spoken(key, True), **facts)
