"""Slots of clauses: normal forms, what is no slot, and what a comparison notices."""

import time
from itertools import pairwise

import pytest

from tutelage.core.records import Language
from tutelage.text.slots import KINDS, same_slots, slots

SAME = (
    ("en", "within thirty (30) days", "within 30 days"), ("en", "a fee of US$1,000,000", "a fee of one million dollars"),
    ("en", "two years", "24 months"),
    ("en", "one week", "7 days"), ("en", "five percent (5%)", "5 per cent"), ("en", "Licensee shall pay", "Licensee must pay"),
    ("en", "It may not copy", "It shall not copy"), ("en", "by March 1, 2024", "by 1 March 2024"),
    ("en", "under Sections 3.1 and 4", "under Section 3.1 and Section 4"),
    ("en", "including, without limitation, costs", "including but not limited to costs"),
    ("zh", "壹拾万元整", "100,000元"), ("zh", "人民币10万元", "100,000元"), ("zh", "百分之五", "5%"), ("zh", "三十日", "30日"),
    ("zh", "两年", "24个月"),
    ("zh", "二〇二四年三月一日", "2024-03-01"), ("zh", "本合同第12条", "本合同第十二条"), ("zh", "乙方必须付款", "乙方应当付款"),
    ("zh", "３０日", "三十天"),
)
NOT_SAME = (
    ("en", "within thirty days of notice", "on notice", ["period: P30D is missing"]),
    ("en", "Licensee shall pay", "Licensee may pay", ["polarity: must is missing", "polarity: may is new"]),
    ("en", "It shall pay", "It shall not pay", ["polarity: must is missing", "polarity: must not is new"]),
    ("en", "10 days", "10 business days", ["period: P10D is missing", "period: P10D business is new"]),
    ("en", "USD 500", "EUR 500", ["amount: USD 500 is missing", "amount: EUR 500 is new"]),
    ("en", "thirty (60) days", "thirty days", ["period: P60D is missing"]),
    ("en", "the Buyer pays the Seller and the Buyer signs", "the Buyer pays the Seller and the Seller signs",
     ["party: buyer is missing", "party: seller is new"]),
    ("zh", "乙方应当付款", "乙方不应当付款", ["polarity: must is missing", "polarity: must not is new"]),
    ("zh", "甲方可以解除", "甲方不得解除", ["polarity: may is missing", "polarity: must not is new"]),
    ("zh", "三十日内付款", "付款", ["period: P30D is missing"]),
    ("zh", "日万分之五", "日千分之五", ["percentage: 0.05 % is missing", "percentage: 0.5 % is new"]),
)
NOTHING: tuple[tuple[Language, str], ...] = (
    ("en", "Version 2.4.1 runs on 12 servers."), ("en", "Call 555-0134, open 24/7."), ("en", "The section on schedules is short."),
    ("en", "3.2 Payment"),
    ("en", "Section 12. Governing Law"), ("en", "500 pounds of steel"), ("en", "An employee aged 18 years of age"), ("en", "a third party"),
    ("en", "whether or not valid"), ("en", "goodwill and free will"),
    ("zh", "第三方"), ("zh", "第十二条 违约责任"), ("zh", "电话010-5550134"), ("zh", "三单元502室"), ("zh", "不可抗力"),
    ("zh", "供应能力相应提高"), ("zh", "解除劳动关系"),
    ("zh", "是否有效"), ("zh", "所有权转移"), ("zh", "单价包括但不限于运费"),
)


@pytest.mark.parametrize(("language", "one", "other"), SAME)
def test_two_ways_of_saying_the_same_have_the_same_slots(language: Language, one: str, other: str) -> None:
    assert slots(one, language) or "limitation" in one
    assert same_slots(one, other, language) == []


@pytest.mark.parametrize(("language", "one", "other", "told"), NOT_SAME)
def test_a_change_of_a_fact_is_told(language: Language, one: str, other: str, told: list[str]) -> None:
    assert same_slots(one, other, language) == told


@pytest.mark.parametrize(("language", "text"), NOTHING)
def test_what_only_looks_like_a_slot_is_none(language: Language, text: str) -> None:
    assert slots(text, language) == ()


def test_only_the_asked_kinds_are_compared() -> None:
    assert same_slots("Buyer shall pay in 5 days", "Seller may pay in 5 days", "en", kinds=("period", "amount")) == []


def test_every_kind_is_found_in_both_languages_and_stands_where_it_says() -> None:
    texts: dict[Language, str] = {
        "en": "Northfield Tools Ltd (“Seller”) shall by 1 May 2024 pay $5 or 5% within 5 days under Section 5.",
        "zh": "甲方（以下简称“卖方”）应于2024年5月1日前按第五条在五日内支付5元或5%。"}
    for language, text in texts.items():
        found = slots(text, language)
        assert {each.kind for each in found} == set(KINDS)
        assert all(text[each.start:each.end] == each.text for each in found)
        assert [each.start for each in found] == sorted(each.start for each in found)


def test_no_two_slots_of_a_kind_overlap() -> None:
    text = ("Sections 3.2(a), (b) and 4 to 6; five percent (5%); ten days (10 days) after 1 May 2024; "
            "Acme Tools, Inc., the Supplier, may not.")
    found = slots(text, "en")
    for kind in KINDS:
        own = [each for each in found if each.kind == kind]
        assert all(before.end <= after.start for before, after in pairwise(own))
    assert len(found) == 10


def test_may_is_a_month_or_a_permission() -> None:
    assert [(each.kind, each.value) for each in slots("In May 2024 it may end; by 3 May it MAY.", "en")] == [
        ("date", "2024-05"), ("polarity", "may"), ("date", "--05-03"), ("polarity", "may")]


def test_a_long_hostile_text_takes_linear_time() -> None:
    pieces: tuple[tuple[Language, str], ...] = (
        ("en", "( \"A "), ("en", "one hundred and "), ("en", "1,111"), ("en", "Section 3, "), ("en", "Aaa "), ("en", "1"), ("en", " "),
        ("en", "(“A” "), ("en", "shall quickly "),
        ("zh", "一"), ("zh", "第一条"), ("zh", "第一、"), ("zh", "附件一、"), ("zh", "公司"), ("zh", "“"), ("zh", "与有限"))
    for language, piece in pieces:
        seconds = []
        for size in (25_000, 200_000):
            text = piece * (size // len(piece))
            began = time.process_time()
            slots(text, language)
            seconds.append(time.process_time() - began)
        assert seconds[1] < 3.0, (piece, seconds)  # measured: below 1 s
        assert seconds[1] < 8 * 4 * max(seconds[0], 0.01), (piece, seconds)  # eight times the text; squared growth would be 64 times
