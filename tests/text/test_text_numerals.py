"""Numbers in words and Chinese numerals: each expected value worked out by hand."""

from decimal import Decimal

import pytest

from tutelage.core.records import Language
from tutelage.text.numerals import in_chinese, in_words, numbers, ordinal, read_number

READ = (
    ("en", "twenty-five thousand", "25000"), ("en", "one hundred and twenty-five", "125"), ("en", "a million", "1000000"),
    ("en", "1.5 million", "1500000"),
    ("en", "two million three hundred thousand and four", "2300004"), ("en", "two and one-half", "2.5"),
    ("en", "1,000,000.50", "1000000.5"),
    ("en", "nineteen hundred", "1900"), ("en", "three point one four", "3.14"), ("en", "5k", "5000"), ("en", "Thirty", "30"),
    ("zh", "壹拾万", "100000"), ("zh", "3.5亿", "350000000"), ("zh", "二〇二四", "2024"), ("zh", "十二", "12"), ("zh", "一百零五", "105"),
    ("zh", "两千三", "2300"), ("zh", "叁万伍仟肆佰", "35400"), ("zh", "十万零三百", "100300"), ("zh", "一亿二千万", "120000000"),
    ("zh", "10万5千", "105000"),
    ("zh", "1,234.5", "1234.5"), ("zh", "三点五", "3.5"), ("zh", "一万亿", "1000000000000"), ("zh", "二十", "20"),
)
NO_NUMBERS = (("en", "thirty of"), ("en", "hundred"), ("en", ""), ("zh", "万"), ("zh", "三五"), ("zh", "百"), ("zh", "一二三"),
              ("zh", "元"), ("zh", "十百"))


@pytest.mark.parametrize(("language", "words", "value"), READ)
def test_a_number_in_words_or_digits_is_read(language: Language, words: str, value: str) -> None:
    assert read_number(words, language) == Decimal(value)


@pytest.mark.parametrize(("language", "words"), NO_NUMBERS)
def test_what_is_not_one_number_is_not_read(language: Language, words: str) -> None:
    assert read_number(words, language) is None


def test_a_number_repeated_in_brackets_is_one_and_another_one_is_two() -> None:
    assert [(number.value, number.words) for number in numbers("within thirty (30) days", "en")] == [(30, "thirty (30)")]
    assert [number.value for number in numbers("within thirty (60) days", "en")] == [30, 60]


def test_parts_of_a_version_are_no_numbers() -> None:
    assert numbers("version 2.4.1 of it", "en") == []


@pytest.mark.parametrize(("words", "value"), [("first", 1), ("twenty-first", 21), ("21st", 21), ("ninetieth", 90), ("thirty first", 31),
("firstly", None),
                                              ("twenty-tenth", None)])
def test_ordinals_are_read(words: str, value: int | None) -> None:
    assert ordinal(words) == value


@pytest.mark.parametrize(("number", "words", "chinese", "capital"), [
    (0, "zero", "零", "零"), (12, "twelve", "十二", "壹拾贰"), (125, "one hundred twenty-five", "一百二十五", "壹佰贰拾伍"),
    (100000, "one hundred thousand", "十万", "壹拾万"), (105, "one hundred five", "一百零五", "壹佰零伍"),
    (20300, "twenty thousand three hundred", "二万零三百", "贰万零叁佰"), (300000005, "three hundred million five", "三亿零五", "叁亿零伍"),
])
def test_numbers_are_written_in_words_and_in_chinese(number: int, words: str, chinese: str, capital: str) -> None:
    assert in_words(number) == words
    assert in_chinese(number) == chinese
    assert in_chinese(number, capital=True) == capital


def test_what_is_written_is_read_back() -> None:
    told = [number for step in (1, 97, 10_007, 123_456_789) for number in range(0, 900 * step, step)]
    assert len(told) == 3600
    for number in told:
        assert read_number(in_words(number), "en") == number
        assert read_number(in_chinese(number), "zh") == number
        assert read_number(in_chinese(number, capital=True), "zh") == number


def test_a_number_too_large_to_write_is_refused() -> None:
    with pytest.raises(ValueError, match="1000000000000 can't be written in words; it must be from 0"):
        in_words(10**12)
    with pytest.raises(ValueError, match="-1 can't be written in Chinese numerals; it must be from 0"):
        in_chinese(-1)
