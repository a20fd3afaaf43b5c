"""The prompt of a clause draft."""

import re

import pytest

from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.prompts.clause import clause_messages
from tutelage.text.clause_types import CLAUSE_TYPES


def test_the_prompt_names_language_type_and_keywords() -> None:
    assert clause_messages("confidentiality", ["trade secrets", "three years"], "en") == (
        Message(role="system", content="You draft contract clauses."),
        Message(role="user", content="Write a clause in English. Type: Confidentiality. Keywords: trade secrets, three years."))


def test_the_chinese_prompt_is_chinese_throughout() -> None:
    assert clause_messages("breach", ["违约金", "三十日"], "zh") == (
        Message(role="system", content="你起草合同条款。"),
        Message(role="user", content="用中文撰写条款。类型：违约责任。关键词：违约金、三十日。"))


def test_without_keywords_the_prompt_ends_with_the_type() -> None:
    assert clause_messages("waiver", [], "en")[1].content == "Write a clause in English. Type: Waiver."


def test_line_breaks_and_empty_keywords_leave_no_trace() -> None:
    assert clause_messages("waiver", ["no\n  delay", " "], "en")[1].content.endswith("Keywords: no delay.")


def test_every_clause_type_has_a_prompt_in_both_languages() -> None:
    prompts = {clause_messages(key, [], language)[1].content for key in CLAUSE_TYPES for language in ("en", "zh")}
    assert len(prompts) == 84


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no clause type 'confidentialty'. Choose one of: acceptance, .*confidentiality"):
        clause_messages("confidentialty", [], "en")


def test_a_prompt_with_six_usual_keywords_stays_under_sixty_tokens() -> None:
    # Bound without a tokenizer: an English word or mark is about 1.3 tokens, a Chinese character about one.
    english = clause_messages("limitation_of_liability", ["consequential damages", "twelve months", "lost profits", "Supplier",
                                                          "gross negligence", "USD 5,000"], "en")
    words = sum(len(re.findall(r"\w+|[^\w\s]", turn.content)) for turn in english)
    assert words * 1.3 < 60
    chinese = clause_messages("limitation_of_liability", ["间接损失", "十二个月", "利润损失", "供应商", "重大过失", "五千元"], "zh")
    assert sum(len(turn.content) for turn in chinese) < 60
