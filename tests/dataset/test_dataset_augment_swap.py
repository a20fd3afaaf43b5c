"""Swap: other values in a clause, said alike wherever they stand."""

from __future__ import annotations

import random
import re

import pytest
from augment_rows import NOTICE, PAYMENT, PAYMENT_ZH, TRANSFER

from tutelage.core.records import Language
from tutelage.dataset.augment.accept import why_refused
from tutelage.dataset.augment.swap import Swapped, swapped

WORDS = {"three": 3, "five": 5, "seven": 7, "ten": 10, "fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45,
         "sixty": 60, "ninety": 90, "one hundred twenty": 120}


def other(text: str, language: Language = "en", seed: int = 1) -> Swapped:
    found = swapped(text, language, random.Random(seed))
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(8))
def test_words_and_figures_get_the_same_new_value(seed: int) -> None:
    found = re.search(r"upon (.+) \((\d+)\) days", other(NOTICE, seed=seed).text)
    assert found is not None
    assert WORDS[found[1]] == int(found[2]) != 30


@pytest.mark.parametrize("seed", range(8))
def test_a_longer_period_stays_the_longer_one(seed: int) -> None:
    payment, notice = map(int, re.findall(r"\((\d+)\) days", other(PAYMENT, seed=seed).text))
    assert payment > notice
    assert (payment, notice) != (45, 10)


def test_a_chinese_amount_changes_in_figures_and_in_capitals_alike() -> None:
    found = other(PAYMENT_ZH, "zh")
    figures = re.search(r"人民币([\d,]+)元（大写：(\w+?)元整）", found.text)
    assert figures is not None
    assert (figures[1], figures[2]) in {("200,000", "贰拾万"), ("300,000", "叁拾万"), ("400,000", "肆拾万"), ("500,000", "伍拾万")}
    assert found.asked["amount", "CNY 100000"] == f"CNY {figures[1].replace(',', '')}"


def test_a_swapped_clause_passes_only_with_what_was_asked_for() -> None:
    found = other(PAYMENT)
    assert why_refused(PAYMENT, found.text, "en", asked=found.asked) is None
    assert "is missing" in getattr(why_refused(PAYMENT, found.text, "en"), "detail", "")
    half = re.sub(r"\((\d+)\)", "(77)", found.text, count=1)
    refusal = why_refused(PAYMENT, half, "en", asked=found.asked)
    assert refusal is not None
    assert refusal.reason == "period"


def test_a_company_is_renamed_wherever_it_is_named_and_keeps_its_form() -> None:
    text = ("Quillon Freight, Inc. shall deliver the goods to the Buyer. Title passes when Quillon Freight hands them over, and "
            "Quillon Freight, Inc. insures them until then.")
    found = other(text)
    assert "Quillon" not in found.text
    new = found.text.split(", Inc.")[0]
    assert found.text == text.replace("Quillon Freight", new)
    assert why_refused(text, found.text, "en", asked=found.asked) is None


def test_a_chinese_company_is_renamed_and_its_role_stays() -> None:
    text = "甲方：临江恒远科技有限公司应当于每月五日前向乙方支付服务费，临江恒远科技有限公司逾期支付的，乙方有权暂停服务。"
    found = other(text, "zh")
    assert "临江恒远" not in found.text
    assert found.text.count("科技有限公司") == 2
    assert found.text.startswith("甲方：")
    assert found.text.count("乙方") == 2


def test_what_is_no_choice_of_the_parties_stays() -> None:
    assert swapped(TRANSFER, "en", random.Random(1)) is None
    assert swapped("Interest is computed on the basis of a year of 365 days, and support is given 24 hours a day.", "en",
                   random.Random(1)) is None
    text = "The Buyer shall pay 30% on signing and 70% on delivery of the goods to the Buyer."
    assert swapped(text, "en", random.Random(1)) is None  # parts of a whole
    assert swapped("One (1) day's notice is enough for the Buyer.", "en", random.Random(1)) is None  # days would need an s


def test_the_same_seed_gives_the_same_clause_and_another_seed_another() -> None:
    texts = [other(PAYMENT, seed=seed).text for seed in (1, 1, 2, 3, 4)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 2
