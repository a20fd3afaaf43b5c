"""Planted test texts: alike but for their number, drawn anew for each name, and never those that were planted."""

import re

import pytest

from tutelage.guard.identifiers import identifiers
from tutelage.guard.personal_data import email_addresses
from tutelage.text.canaries import canary_text, never_planted


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_differ_in_their_twelve_digits_only(language):
    texts = [canary_text(language, str(number)) for number in range(200)]
    assert len(set(texts)) == 200
    assert len({re.sub(r"\d", "#", text) for text in texts}) == 1
    assert all(len(re.findall(r"\d", text)) == 12 for text in texts)


def test_every_digit_is_as_frequent_as_another():
    digits = "".join("".join(re.findall(r"\d", canary_text("en", str(number))))[1:] for number in range(1000))
    # 11,000 digits after the first, which is no 0: 1,100 of each, with a standard deviation of 31
    assert all(abs(digits.count(digit) - 1100) < 5 * 31 for digit in "0123456789")


def test_texts_that_were_planted_are_not_among_the_others():
    first = never_planted("en", 3, seed=7, planted=set())
    again = never_planted("en", 3, seed=7, planted={first[0]})
    assert len(set(again)) == 3
    assert again[:2] == first[1:]
    assert never_planted("en", 3, seed=8, planted=set()) != first


def test_a_test_text_looks_like_nobodys_data():
    for language in ("en", "zh"):
        for number in range(500):
            text = canary_text(language, str(number))
            assert identifiers(text) == []
            assert email_addresses(text) == []
