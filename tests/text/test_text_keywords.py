"""Keywords: each stands in the text, none repeats another or the type, and the same text gives the same ones."""

import random

import pytest

from tutelage.core.records import Language
from tutelage.text.keywords import keywords, lexicon

PENALTY = ("The Supplier pays a penalty of USD 5,000 within thirty (30) days, under the laws of the State of New Avalon, for each "
           "breach of confidentiality that concerns the \"Harbour Plans\".")
PAYMENT = "甲方应当自收到发票之日起三十日内支付货款，逾期付款的，每日按合同总价的千分之五支付违约金。"
SECRET = "乙方应当对“海港图纸”承担保密义务，保密期限为本合同终止后三年，未经甲方书面同意不得向任何第三方披露。"
SHOUTED = "IN NO EVENT IS EITHER PARTY LIABLE FOR LOST PROFITS OR FOR ANY CONSEQUENTIAL DAMAGES BEYOND $500."
TEXTS: list[tuple[str, Language]] = [(PENALTY, "en"), (SHOUTED, "en"), (PAYMENT, "zh"), (SECRET, "zh")]


def test_amounts_places_and_defined_words_come_first_and_stand_in_the_order_of_the_text() -> None:
    assert keywords(PENALTY, "en", 4) == ("usd 5,000", "thirty (30) days", "State of New Avalon", "Harbour Plans")


def test_chinese_keywords_are_terms_amounts_and_periods() -> None:
    assert keywords(PAYMENT, "zh") == ("发票", "三十日内", "逾期付款", "合同总价", "千分之五", "违约金")
    assert {"海港图纸", "保密义务", "三年"} <= set(keywords(SECRET, "zh", 12))
    assert "担保" not in keywords(SECRET, "zh", 12)  # 承担保密 holds the letters, not the word


@pytest.mark.parametrize(("text", "language"), TEXTS)
def test_every_keyword_stands_in_the_text(text: str, language: Language) -> None:
    found = keywords(text, language, 12)
    assert len(found) >= 4
    assert all(word.lower() in text.lower() for word in found)
    places = [text.lower().index(word.lower()) for word in found]
    assert places == sorted(places)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_keyword_is_invented_whatever_the_text(language: Language) -> None:
    chance = random.Random(7)
    terms = list(lexicon(language))
    assert len(terms) > 100
    joint = " " if language == "en" else ""
    for _ in range(60):
        others = ["thirty days", "三十日", "the", "\n", "，", ".", "of", "Avalon", "的"]
        text = joint.join(chance.choice([chance.choice(terms), *others]) for _ in range(30))
        one = " ".join(text.split()).lower()
        found = keywords(text, language, 6)
        assert len(found) <= 6
        assert all(word.lower() in one for word in found)


@pytest.mark.parametrize(("text", "language"), TEXTS)
def test_the_same_text_gives_the_same_keywords_however_its_lines_are_broken(text: str, language: Language) -> None:
    assert keywords(text, language) == keywords(text, language)
    if language == "en":
        assert keywords(text.replace(" ", "\n"), language) == keywords(text, language)


def test_a_lower_limit_gives_fewer_keywords_all_from_the_longer_list() -> None:
    many = keywords(PENALTY, "en", 6)
    for limit in (1, 2, 3, 4, 5):
        few = keywords(PENALTY, "en", limit)
        assert len(few) == limit
        assert set(few) <= set(many)


def test_the_name_of_the_type_is_not_repeated_and_no_two_say_the_same() -> None:
    text = "Confidential information stays confidential; the receiving party returns confidential information on request."
    assert "confidential information" in keywords(text, "en")
    assert not any("confidential" in word for word in keywords(text, "en", apart_from="Confidential information"))
    assert sum("confidential" in word for word in keywords(text, "en")) == 1
    assert "违约金" not in keywords(PAYMENT, "zh", apart_from="违约金")


def test_a_text_without_words_has_no_keywords() -> None:
    assert keywords("", "en") == keywords(" \n ", "zh") == keywords("1. (a)", "en") == ()
