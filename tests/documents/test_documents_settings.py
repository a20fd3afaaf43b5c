"""What a recipe may ask of the stage, and what each mistake says."""

import pytest
from pydantic import ValidationError

from tutelage.core.store import content_id
from tutelage.documents.settings import DocumentsSettings, Source


def _settings(**changes: object) -> DocumentsSettings:
    return DocumentsSettings.model_validate({"sources": ("contracts",), **changes})


@pytest.mark.parametrize(("change", "told"), [
    ({"sources": ()}, "at least 1 item"), ({"near_duplicate": 0}, "greater than 0"), ({"near_duplicate": 1.2}, "less than or equal to 1"),
    ({"languages": ("fr",)}, "'en' or 'zh'"), ({"min_characters": -1}, "greater than or equal to 0"), ({"min_chars": 5}, "Extra inputs"),
    ({"half_width": ("commas",)}, "'letters', 'digits' or 'spaces'"), ({"chinese_only": "yes"}, "'off', 'count' or 'delete'"),
    ({"max_tokens": 0}, "greater than or equal to 1"), ({"processes": -1}, "greater than or equal to 0"),
    ({"max_characters": 50}, "max_characters is 50 and min_characters 80: no text is left. Raise the first or lower the second.")])
def test_settings_out_of_range_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        _settings(**change)


@pytest.mark.parametrize(("rule", "told"), [
    ({"name": "a", "find": "(a"}, r"the pattern '\(a' is no regular expression \(missing \)"),
    ({"name": "a", "find": "a*"}, r"the pattern 'a\*' matches the empty text: it would insert something between all characters"),
    ({"name": "a", "find": "a", "replace": r"\1"}, r"names the group '1', and the pattern has 0 groups"),
    ({"name": "a", "find": "(?P<year>a)", "replace": r"\g<month>"}, r"names the group 'month', and the pattern has 1 groups, 'year'"),
    ({"name": "a", "find": "a", "replace": r"\d"}, r"has a backslash that names no group"),
    ({"name": "Not a name", "find": "a"}, "String should match pattern"), ({"name": "a", "find": "a" * 1_001}, "at most 1000 characters"),
    ({"name": "a", "find": "", "replace": "b"}, "at least 1 character")])
def test_a_rule_that_cannot_be_used_says_why(rule: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        _settings(replace=(rule,))


def test_rules_that_can_be_used_are_accepted_and_names_differ() -> None:
    rules = ({"name": "one", "find": r"(?P<day>\d)(.)", "replace": r"\g<day>\2\\"}, {"name": "two", "find": r"^\s+x$"})
    assert [rule.name for rule in _settings(replace=rules).replace] == ["one", "two"]
    with pytest.raises(ValidationError, match="replace: two rules are called 'one'"):
        _settings(replace=(rules[0], rules[0]))


def test_the_number_of_processes_is_no_part_of_the_id() -> None:
    ids = {content_id("documents", version=2, settings=_settings(processes=number), parents={}, inputs={}) for number in (0, 1, 7)}
    assert len(ids) == 1
    assert content_id("documents", version=2, settings=_settings(min_characters=81), parents={}, inputs={}) not in ids
    assert _settings(processes=7).processes == 7


def test_each_source_has_the_permission_of_its_own_or_that_of_the_stage() -> None:
    settings = _settings(sources=("a", {"path": "b", "permission": "client:acme"}), permission="client:legal")
    assert settings.listed == (Source(path="a", permission="client:legal"), Source(path="b", permission="client:acme"))
