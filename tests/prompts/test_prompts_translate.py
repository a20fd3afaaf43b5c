"""What is said to a model that translates a clause or says it in other words."""

from __future__ import annotations

import re

import pytest

from tutelage.core.chat import FORMATS
from tutelage.prompts.paraphrase import paraphrase_messages
from tutelage.prompts.translate import GLOSSARY, terms_in, translate_messages


def test_a_translation_is_asked_for_in_the_language_that_it_must_have() -> None:
    (message,) = translate_messages("甲方应当付款。", "en")
    assert (message.role, message.content) == ("user", "Translate this contract clause into English. Keep every number, period, party and "
                                                       "negation. Give only the translation.\n\n甲方应当付款。")
    (message,) = translate_messages("The Buyer pays.", "zh", (("买受人", "purchaser"),))
    assert message.content == ("把下面的合同条款译成中文。数字、期限、当事人和否定词都不能少。只输出译文。用词：purchaser = 买受人。"
                               "\n\nThe Buyer pays.")
    (message,) = translate_messages("甲方付款。", "en", (("甲方", "Party A"), ("违约金", "liquidated damages")))
    assert "Use these words: 甲方 = Party A; 违约金 = liquidated damages." in message.content


def test_a_word_within_another_one_is_not_a_term() -> None:
    assert terms_in("被许可人应当付款。", "zh") == (("被许可人", "licensee"),)
    assert terms_in("The third party and the Lessees pay the price.", "en") == (("价款", "price"),)
    assert terms_in("A third party may ask the lessee.", "en") == (("第三方", "a third party"), ("承租人", "lessee"))
    assert terms_in("没有这样的词", "zh") == ()


def test_every_word_of_the_glossary_comes_back_as_it_was() -> None:
    chinese, english = [pair[0] for pair in GLOSSARY], [pair[1].lower() for pair in GLOSSARY]
    assert len(GLOSSARY) >= 70
    assert len(set(chinese)) == len(set(english)) == len(GLOSSARY)
    assert [word for word in chinese if re.search("[A-Za-z]", word)] == []
    assert [word for word in english if not word.isascii()] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_paraphrase_is_asked_for_in_the_language_of_the_clause(language: str) -> None:
    (message,) = paraphrase_messages("第一条", "zh") if language == "zh" else paraphrase_messages("Clause 1", "en")
    assert message.content.endswith("\n\n第一条" if language == "zh" else "\n\nClause 1")
    assert message.content.startswith("换一种说法" if language == "zh" else "Rewrite this contract clause")


def test_every_chat_format_takes_these_prompts() -> None:
    roles = {message.role for message in (*translate_messages("x", "en"), *paraphrase_messages("x", "en"))}
    assert len(FORMATS) >= 2
    assert all(roles <= set(one.roles) for one in FORMATS.values())
