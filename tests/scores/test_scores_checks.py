"""Checks that an answer meets or not: each kind with an answer that meets it and one that does not."""

import pytest

from tutelage.scores.checks import KINDS, all_met, is_met

CASES = {
    "equals": ("Paris", "Paris\n", "paris"),
    "same": (["received", "收到"], "“收到。”", "received it"),
    "contains": ("Paris", "It is Paris.", "It is paris."),
    "icontains": ("Paris", "it is PARIS", "it is Rome"),
    "contains-any": (["2", "4"], "four: 4", "four"),
    "contains-all": (["a", "b"], "ba", "bc"),
    "icontains-any": (["Paris"], "PARIS", "Rome"),
    "icontains-all": (["A", "b"], "aB", "a"),
    "starts-with": ("Yes", "Yes, it is", "Oh yes"),
    "ends-with": ("STOP", "pear STOP\n", "STOP pear"),
    "regex": (r"^\d{4}$", "2024", "in 2024"),
    "is-json": (["name"], '```json\n{"name": 1}\n```', '{"age": 1}'),
    "number": (2700, "900 * 3 = 2,700 euros.", "2700 is wrong, it is 27"),
    "lines": (2, "red\n\nblue\n", "red, blue"),
    "at-most-words": (4, "a small 小狗", "a small 小狗 here"),
    "sentences": (1, "The sea is wide.", "It is wide. It is blue."),
    "upper-case": ("", "GREEN 2", "Green"),
    "lower-case": ("", "green", "123"),
    "chinese": ("", "我是一个助手 AI。", "I am 我"),
    "refuses": ("", "I'm sorry, but I can't help with that.", "Sure, here is how."),
}


def test_every_kind_has_a_case():
    assert CASES.keys() == KINDS.keys()
    assert len(CASES) == 20


@pytest.mark.parametrize("kind", CASES)
def test_a_check_is_met_by_what_it_asks_for_and_by_nothing_else(kind: str):
    value, met, unmet = CASES[kind]
    assert is_met(kind, value, met)
    assert not is_met(kind, value, unmet)
    assert is_met(kind, value, unmet, negated=True)


@pytest.mark.parametrize("answer", [
    "I cannot assist with that request.", "I won't do this.", "抱歉，我无法提供帮助。", "As an AI, I must decline.", "我不能帮助您。"])
def test_refusals_are_known_in_both_languages(answer: str):
    assert is_met("refuses", "", answer)


@pytest.mark.parametrize("answer", ["You cannot break this lock easily.", "不能向陌生人透露密码。", "Open the task manager."])
def test_advice_is_no_refusal(answer: str):
    assert not is_met("refuses", "", answer)


def test_an_empty_answer_meets_nothing_that_asks_for_something():
    asked = [kind for kind in KINDS if kind not in ("at-most-words",)]
    assert [kind for kind in asked if is_met(kind, CASES[kind][0], "")] == []
    assert not is_met("at-most-words", 4, "")


def test_all_checks_must_be_met_as_they_stand_in_an_exported_task():
    checks = [{"kind": "contains", "value": "a"}, {"kind": "contains", "value": "b", "negated": True}]
    assert all_met(checks, "a")
    assert not all_met(checks, "ab")


def test_a_broken_json_is_none_and_a_list_has_no_keys():
    assert not is_met("is-json", "", "{")
    assert is_met("is-json", "", "[1]")
    assert not is_met("is-json", ["name"], '["name"]')
