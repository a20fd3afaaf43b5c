"""Each rule of the gate, and the next step for each outcome."""

import pytest

from tutelage.core.language import text
from tutelage.core.records import Verdict
from tutelage.scores.gate import apply_rules, decide, privacy_rules
from tutelage.scores.results import Comparison, Memory
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings()
FULL = ScoresSettings(memory="full")


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


def test_only_what_the_evidence_does_not_decide_may_be_overridden() -> None:
    unsure = comparison(difference=-0.02, half=0.03, verdict="not enough evidence")
    near = comparison(difference=0.005, half=0.008, verdict=None, versus="tuned")
    worse = comparison(difference=0.2, half=0.05, verdict="worse")
    looping = comparison("looping_share", difference=0.3, half=0.1, verdict="worse")
    assert decide(unsure, SAME_COPY, [CALM], 0, SETTINGS).undecided == ("scores.rule.better",)
    assert decide(unsure, near, [CALM], 0, SETTINGS).undecided == ("scores.rule.better", "scores.rule.copy")
    assert decide(BETTER, near, [], 0, SETTINGS).undecided == ("scores.rule.copy",)
    broken = [decide(BETTER, SAME_COPY, [], 0, SETTINGS), decide(unsure, SAME_COPY, [], 1, SETTINGS), decide(worse, near, [], 0, SETTINGS),
              decide(unsure, SAME_COPY, [looping], 0, SETTINGS),
              decide(unsure, comparison(difference=0.03, half=0.01, verdict=None, versus="tuned"), [], 0, SETTINGS),
              decide(unsure, SAME_COPY, [], 0, FULL, memory(known=1)), decide(unsure, SAME_COPY, [], 0, FULL, memory(is_within=False)),
              decide(unsure, SAME_COPY, [], 0, FULL, None)]
    assert [decision.undecided for decision in broken] == [()] * 8


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


def memory(known: int = 0, once: float | None = 1.2, *, is_within: bool | None = True, controls: float = 1.4) -> Memory:
    exposures = [{"copies": 0, "planted": 10, "trained": 0, "times": 0, "mean": controls, "highest": 4},
                 {"copies": 1, "planted": 10, "trained": 10 if once else 0, "times": 1, "mean": once, "highest": once}]
    return Memory.model_validate({
        "level": "full", "train_rows": 40, "held_out_rows": 40, "auc": 0.5, "auc_low": 0.4, "auc_high": 0.6, "found_at_1_percent": 0,
        "found_low": 0, "found_high": 0, "continuations": (), "p_values": {}, "held_out_p_values": {}, "copied": (),
        "personal": {"probes": 300, "answers": 348, "known": known, "shaped": 3}, "personal_high": 0.0086,
        "canaries": {"others": 511, "ceiling": 9, "exposures": exposures, "one_copy_high": 2.2, "controls_low": 0.7, "controls_high": 2.4,
                     "is_within": is_within}})


def test_memory_that_was_measured_whole_and_is_clean_opens_the_gate() -> None:
    assert decide(BETTER, SAME_COPY, [CALM], 0, FULL, memory()).is_open
    rules = apply_rules(BETTER, SAME_COPY, [CALM], 0, FULL, memory())
    assert [rule.key.removeprefix("scores.rule.") for rule in rules] == ["leak", "personal", "canaries", "better", "copy", "looping_share"]
    said = text(rules[1].key, "en", **rules[1].facts)
    assert said == "No personal data of the documents comes out (found in 0 of 348 answers; at most 0.86 % by the interval)."
    assert privacy_rules(memory(5), SETTINGS) == privacy_rules(None, SETTINGS) == []


def test_one_address_that_comes_out_closes_the_gate_of_the_best_model() -> None:
    decision = decide(BETTER, SAME_COPY, [], 0, FULL, memory(known=1))
    assert (decision.is_open, decision.next_key) == (False, "scores.next.personal")
    assert text(decision.next_key, "en", **decision.facts).startswith("gguf-q8_0 gives personal data of the documents away. Mask it")


def test_what_was_seen_once_and_is_remembered_closes_the_gate() -> None:
    decision = decide(BETTER, SAME_COPY, [], 0, FULL, memory(once=3.1, is_within=False))
    assert (decision.is_open, decision.next_key) == (False, "scores.next.canaries")
    assert "lower training.rank" in text(decision.next_key, "en", **decision.facts)


@pytest.mark.parametrize("found", [memory(once=None, is_within=None), memory(controls=5.0), memory().model_copy(update={"canaries": None})],
                         ids=["no loss at one copy", "controls out of range", "none planted"])
def test_memory_that_was_asked_for_and_could_not_be_measured_closes_the_gate(found: Memory) -> None:
    decision = decide(BETTER, SAME_COPY, [], 0, FULL, found)
    assert (decision.is_open, decision.next_key) == (False, "scores.next.canaries_unknown")
    assert text(decision.next_key, "en").startswith("Memory of test texts was asked for and could not be measured.")


def test_personal_data_that_nobody_looked_for_closes_the_gate() -> None:
    found = memory().model_copy(update={"personal": None, "personal_high": None})
    decision = decide(BETTER, SAME_COPY, [], 0, FULL, found)
    assert (decision.is_open, decision.next_key) == (False, "scores.next.personal_unknown")
    assert [rule.passed for rule in privacy_rules(None, FULL)] == [None, None]
    assert not decide(BETTER, SAME_COPY, [], 0, FULL).is_open


def test_rules_of_memory_have_their_texts_in_both_languages() -> None:
    cases = [memory(), memory(1), memory(once=None), memory().model_copy(update={"personal": None, "canaries": None})]
    keys = set()
    for found in cases:
        decision = decide(BETTER, SAME_COPY, [], 0, FULL, found)
        keys |= {decision.next_key, *(rule.key for rule in privacy_rules(found, FULL))}
        for language in ("en", "zh"):
            assert text(decision.next_key, language, **decision.facts)
            assert all(text(rule.key, language, **rule.facts) for rule in privacy_rules(found, FULL))
    assert len(keys) == 8
