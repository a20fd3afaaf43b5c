"""The shipped clauses, and those that come from the dataset."""

import re
from collections import Counter
from datetime import date

import pytest

from tutelage.core.errors import InputError
from tutelage.core.records import Example, Message
from tutelage.drafting.library import LICENCE, SOURCE, allowed, from_examples, load_shipped, text_key
from tutelage.text.clause_types import CLAUSE_TYPES

CHINESE = re.compile(r"[\u3400-\u9fff]")
ASKED_ZH = ("保密期限", "保密义务", "违约责任", "违约金", "争议解决", "不可抗力", "付款", "知识产权归属", "个人信息保护",
            "竞业限制", "解除", "通知", "转让", "完整协议", "可分割性")
ASKED_EN = ("limitation of liability", "payment", "termination for convenience", "termination for cause", "confidentiality period",
            "governing law", "ownership of intellectual property", "data protection", "force majeure")


def row(part: str, number: int) -> Example:
    return Example.model_validate({
        "id": f"row{number}", "messages": (Message(role="user", content="?"), Message(role="assistant", content=f"Clause {number}.")),
        "clause_type": "term", "keywords": ("term",), "language": "en", "heading": "Term", "document_id": "d", "source": "mit.LICENSE",
        "start": 0, "end": 9, "family": f"f{number}", "part": part})


def test_the_library_has_about_thirty_clauses_and_more_in_each_language() -> None:
    counts = Counter(clause.language for clause in load_shipped())
    assert counts["en"] >= 30
    assert counts["zh"] >= 30


def test_each_shipped_clause_says_what_it_is_and_where_from() -> None:
    clauses = load_shipped()
    assert len(clauses) >= 60
    assert len({clause.id for clause in clauses}) == len(clauses)
    assert len({text_key(clause) for clause in clauses}) == len(clauses)
    for clause in clauses:
        assert clause.clause_type in CLAUSE_TYPES, clause.id
        assert (clause.source, clause.licence) == (SOURCE, LICENCE)
        assert clause.id.startswith(f"{clause.language}-")
        assert len(clause.keywords) >= 3, clause.id
        assert bool(CHINESE.search(clause.text + clause.title)) == (clause.language == "zh"), clause.id


def test_blanks_are_marked_by_the_brackets_of_the_language_and_closed() -> None:
    with_blanks = 0
    for clause in load_shipped():
        opened, closed = ("【", "】") if clause.language == "zh" else ("[", "]")
        assert clause.text.count(opened) == clause.text.count(closed), clause.id
        assert re.search(r"[\[\]]" if clause.language == "zh" else r"[【】]", clause.text) is None, clause.id
        with_blanks += opened in clause.text
    assert with_blanks >= 45


def test_chinese_clauses_use_chinese_punctuation() -> None:
    clauses = load_shipped("zh")
    assert len(clauses) >= 30
    for clause in clauses:
        assert re.search(r"[\u3400-\u9fff][,;:.!?()]|[,;:!?()][\u3400-\u9fff]", clause.text) is None, clause.id
        assert clause.text.endswith(("。",)), clause.id


@pytest.mark.parametrize("keyword", ASKED_ZH + ASKED_EN)
def test_each_expected_keyword_is_a_keyword_of_some_clause(keyword: str) -> None:
    assert any(keyword in clause.keywords for clause in load_shipped())


def test_one_language_can_be_loaded_alone() -> None:
    assert {clause.language for clause in load_shipped("zh")} == {"zh"}
    assert load_shipped() == load_shipped("en") + load_shipped("zh")


def test_only_training_rows_become_clauses() -> None:
    rows = [row("train", 1), row("validation", 2), row("held_out", 3), row("train", 4)]
    made = from_examples(rows, licence="MIT")
    assert [clause.text for clause in made] == ["Clause 1.", "Clause 4."]
    assert (made[0].source, made[0].licence, made[0].title, made[0].keywords) == ("mit.LICENSE", "MIT", "Term", ("term",))


def test_planted_test_texts_are_nobodys_clauses() -> None:
    planted = row("train", 9).model_copy(update={"origin": "canary"})
    assert [clause.id for clause in from_examples([row("train", 1), planted], licence="own")] == ["en-row1"]


def test_a_clause_keeps_the_permission_of_its_row() -> None:
    made = from_examples([row("train", 1).model_copy(update={"permission": "client:acme"}), row("train", 2)], licence="MIT")
    assert [clause.permission for clause in made] == ["client:acme", "everyone"]


def test_a_label_that_is_none_lets_nothing_through() -> None:
    clause = from_examples([row("train", 1).model_copy(update={"permission": "clint:acme"})], licence="MIT")
    with pytest.raises(InputError, match=r"permission 'clint:acme': 'clint:acme' is not understood"):
        allowed(clause, audience="everyone", today=date(2026, 1, 1))


def test_texts_that_differ_in_white_space_only_are_equal() -> None:
    one, other = from_examples([row("train", 1), row("train", 2)], licence="MIT")
    assert text_key(one) == text_key(one.model_copy(update={"text": " Clause\n1."}))
    assert text_key(one) != text_key(other)
    assert text_key(one) != text_key(one.model_copy(update={"language": "zh"}))
