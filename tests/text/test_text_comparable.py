"""The form of a text for comparison: the same clause with other names, figures and script has the same form."""

import time

import pytest

from tutelage.text.comparable import comparable
from tutelage.text.script import to_simplified

SAME = [
    ("en", "The Licensee shall pay US$5,000 within thirty (30) days.", "The Customer shall pay €12.5 million within 60 days."),
    ("en", "Acme Widgets, Inc. may terminate on January 5, 2024.", "Blue River Foods LLC may terminate on the 3rd day of May 2020."),
    ("en", "A royalty of five percent (5%) of Net Sales.", "A royalty of 12.5% of Net Sales."),
    ("en", "LICENSOR keeps title; see Section 5.2.", "The Company keeps title; see Section 12."),
    ("en", "Pay one hundred and five dollars by 2024-01-02.", "Pay EUR 7 by 31/12/2023."),
    ("zh", "乙方應於三十日內向甲方支付人民幣伍仟元整。", "承租人应于15日内向出租人支付¥8,000元。"),
    ("zh", "违约金为合同总价的百分之五。", "违约金为合同总价的10%。"),
    ("zh", "本合同由北京华夏科技有限公司于2024年3月5日签订", "本合同由甲方于二〇二三年十二月三十一日签订"),
    ("zh", "借款金额为壹拾万元（100,000元）", "借款金额为____元（____元）"),
    ("zh", "買受人應當在驗收後付款", "乙方应当在验收后付款"),
    ("zh", "Ａ区 第１２条，付款", "A区第3条,付款"),
]
DIFFERENT = [
    ("en", "The Licensee shall pay US$5,000.", "The Licensee shall pay 5,000 shares."),
    ("en", "within thirty days", "within 5%"),
    ("en", "The Licensee shall not pay.", "The Licensee shall pay."),
    ("zh", "乙方应当付款。", "乙方不得付款。"),
    ("zh", "支付百分之五", "支付五元"),
]


@pytest.mark.parametrize("language, one, other", SAME)
def test_the_same_clause_with_other_names_figures_and_script_has_the_same_form(language: str, one: str, other: str) -> None:
    assert one != other
    assert comparable(one, language) == comparable(other, language)


@pytest.mark.parametrize("language, one, other", DIFFERENT)
def test_another_kind_of_figure_or_another_verb_is_another_form(language: str, one: str, other: str) -> None:
    assert comparable(one, language) != comparable(other, language)


def test_the_placeholders_can_be_read() -> None:
    assert comparable("The Licensee shall pay US$5,000 within thirty (30) days.", "en") == "party shall pay amount within number days."
    assert comparable("乙方应于三十日内向甲方支付人民币伍仟元整。", "zh") == "方应于数日内向方支付金。"


def test_the_modal_verb_may_is_not_a_month() -> None:
    assert comparable("Either party may, at any time, leave.", "en") == "either party may, at any time, leave."


def test_a_form_is_its_own_form_and_nothing_comes_of_nothing() -> None:
    form = comparable("The Company owes $5 to Acme Widgets, Inc. by May 1, 2020.", "en")
    assert comparable(form, "en") == form
    assert comparable(" \n", "en") == comparable("", "zh") == ""


@pytest.mark.parametrize("language, unit", [("en", "1,"), ("en", "one "), ("en", "A "), ("en", "1"), ("en", "jan "),
                                            ("zh", "公"), ("zh", "一"), ("zh", "1一"), ("zh", "一年")])
def test_no_text_takes_long(language: str, unit: str) -> None:
    started = time.perf_counter()
    comparable(unit * 50_000, language)
    # A quarter of a second here; a pattern that looks back and forth takes minutes.
    assert time.perf_counter() - started < 5


def test_traditional_characters_become_simplified_by_their_words() -> None:
    # 乾 is 干 in 乾燥 (dry) and stays in 乾坤 (heaven and earth); 後 is 后, and 皇后 (empress) had it already.
    assert to_simplified("乾燥 乾坤 之後 皇后 契約 abc") == "干燥 乾坤 之后 皇后 契约 abc"


def test_broken_characters_pass_through() -> None:
    assert to_simplified("契約\ud800後") == "契约\ud800后"
