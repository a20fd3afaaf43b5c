"""Numbers in digits, in English words and in Chinese numerals, capital ones (壹拾万) too: found in a text, read, and written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from tutelage.core.records import Language

UNITS_EN = {word: value for value, word in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"))}
TENS_EN = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
SCALES_EN = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000, "trillion": 1_000_000_000_000,
             "k": 1000, "m": 1_000_000, "mm": 1_000_000, "bn": 1_000_000_000, "b": 1_000_000_000}
ORDINALS_EN = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
               "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
               "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60,
               "seventieth": 70, "eightieth": 80, "ninetieth": 90}
DIGITS_ZH = {**dict(zip("零〇○一二三四五六七八九", [0, 0, 0, *range(1, 10)], strict=True)),
             **dict(zip("壹贰叁肆伍陆柒捌玖两", [*range(1, 10), 2], strict=True)),
             **dict(zip("貳參陸兩弌弍弎", [2, 3, 6, 2, 1, 2, 3], strict=True))}
PLACES_ZH = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
MYRIADS_ZH = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}

DIGITS = r"\d{1,3}(?:,\d{3})++(?:\.\d++)?|\d++(?:\.\d++)?"
_GAP = r"(?:\s|-){1,3}"
_DIGIT = "(?:one|two|three|four|five|six|seven|eight|nine)"
_UNIT = "|".join(sorted(UNITS_EN, key=len, reverse=True))
_SMALL = rf"(?:(?:{'|'.join(TENS_EN)})(?:{_GAP}{_DIGIT}\b)?|{_UNIT})\b"
_GROUP = rf"(?:{_SMALL}(?:{_GAP}hundred\b(?:{_GAP}(?:and{_GAP})?{_SMALL})?)?|an?\s+hundred\b(?:{_GAP}(?:and{_GAP})?{_SMALL})?)"
_SCALE = r"(?:thousand|million|billion|trillion)\b"
_WORDS = (rf"(?:{_GROUP}(?:{_GAP}{_SCALE}(?:,?{_GAP}(?:and{_GAP})?{_GROUP}{_GAP}{_SCALE})*(?:,?{_GAP}(?:and{_GAP})?{_GROUP})?)?"
          rf"|an?\s+{_SCALE})"
          rf"(?:{_GAP}and{_GAP}(?:a|one){_GAP}half\b)?(?:\s+point(?:{_GAP}(?:zero|{_DIGIT})\b)+)?")
NUMBER_EN = re.compile(rf"(?<![\d.,/])(?:{DIGITS})(?![.,]?\d)(?:(?:\s|-){{1,2}}{_SCALE}|(?:k|m|mm|bn|b)\b)?"
                       rf"|\b{_WORDS}", re.IGNORECASE)
_RUN_ZH = "[" + "".join([*DIGITS_ZH, *PLACES_ZH, *MYRIADS_ZH]) + "]"
NUMBER_ZH = re.compile(rf"(?<![\d.,])(?:\d{{1,3}}(?:[,，]\d{{3}})++(?:\.\d++)?"
                       rf"|\d++(?:\.\d++)?)(?![.,]?\d)(?:\s?[十百千万亿拾佰仟萬億]++(?:\d++[百千万]++)*+)?"
                       rf"|{_RUN_ZH}++(?:点[零〇一二三四五六七八九]++)?")
_OPENED = re.compile(r"\s*\(\s?")
_CLOSED = re.compile(r"\s?\)")
_HALF = re.compile(r"(?:\s|-)+and(?:\s|-)+(?:a|one)(?:\s|-)+half$")
_FOLD = str.maketrans("０１２３４５６７８９％＄￥（）．：", "0123456789%$¥().:")


@dataclass(frozen=True)
class Number:
    """A number where it stands. `words` is how it is written; "thirty (30)" is one number, with both ways of writing."""

    value: Decimal
    start: int
    end: int
    words: str


def folded(text: str) -> str:
    """The text with full-width digits, brackets and signs as plain ones; each offset stays."""
    return text.translate(_FOLD)


def read_number(words: str, language: Language) -> Decimal | None:
    """The number that the words say, whole or with a fraction: "twenty-five thousand", "1.5 million", 壹拾万, 3.5亿, 二〇二四.

    None when they are not one number.
    """
    words = words.strip()
    pattern = NUMBER_ZH if language == "zh" else NUMBER_EN
    if not pattern.fullmatch(words):
        return None
    return _read_zh(words) if language == "zh" else _read_en(words.lower())


def numbers(text: str, language: Language) -> list[Number]:
    """All numbers in order. A number and its repetition in brackets are one when they are equal, else two, the brackets with the second."""
    pattern = NUMBER_ZH if language == "zh" else NUMBER_EN
    found: list[Number] = []
    for match in pattern.finditer(text):
        value = _read_zh(match[0]) if language == "zh" else _read_en(match[0].lower())
        if value is None:
            continue
        closed = _CLOSED.match(text, match.end())
        if found and closed and (opened := _OPENED.fullmatch(text, found[-1].end, match.start())):
            begin = text.index("(", opened.start())
            if found[-1].value == value:
                begin = found.pop().start
            found.append(Number(value, begin, closed.end(), text[begin:closed.end()]))
            continue
        found.append(Number(value, match.start(), match.end(), match[0]))
    return found


def ordinal(words: str) -> int | None:
    """The place that an English ordinal says: "twenty-first", "third", "21st"."""
    words = words.lower()
    if digits := re.fullmatch(r"(\d{1,3})(?:st|nd|rd|th)", words):
        return int(digits[1])
    ten, _, unit = words.replace(" ", "-").partition("-")
    if not unit:
        return ORDINALS_EN.get(ten)
    below = ORDINALS_EN.get(unit, 10)
    return TENS_EN[ten] + below if ten in TENS_EN and below < 10 else None


def in_words(number: int) -> str:
    """A whole number from 0 to below a trillion in English words: 125 -> "one hundred twenty-five"."""
    if not 0 <= number < 10**12:
        raise ValueError(f"{number} can't be written in words; it must be from 0 to 999,999,999,999.")
    if number < 20:
        return [*UNITS_EN][number]
    if number < 100:
        ten, unit = divmod(number, 10)
        return [*TENS_EN][ten - 2] + (f"-{in_words(unit)}" if unit else "")
    for name, scale in (("billion", 10**9), ("million", 10**6), ("thousand", 1000), ("hundred", 100)):
        if number >= scale:
            many, rest = divmod(number, scale)
            return f"{in_words(many)} {name}" + (f" {in_words(rest)}" if rest else "")
    raise AssertionError(number)


def in_chinese(number: int, *, capital: bool = False) -> str:
    """A whole number from 0 to below a trillion in Chinese numerals: 12 -> 十二; capital, as on invoices: 100000 -> 壹拾万."""
    if not 0 <= number < 10**12:
        raise ValueError(f"{number} can't be written in Chinese numerals; it must be from 0 to 999,999,999,999.")
    digits = "零壹贰叁肆伍陆柒捌玖" if capital else "零一二三四五六七八九"
    places = ("", "拾", "佰", "仟") if capital else ("", "十", "百", "千")
    if number == 0:
        return digits[0]
    written = ""
    for scale, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group, number = divmod(number, scale)
        if not group:
            continue
        said = "".join(digits[int(digit)] + (places[3 - place] if digit != "0" else "") for place, digit in enumerate(f"{group:04d}"))
        said = re.sub(f"{digits[0]}+", digits[0], said).rstrip(digits[0])
        written += (said if written else said.lstrip(digits[0])) + name
    return written if capital or not written.startswith("一十") else written[1:]


def _read_en(words: str) -> Decimal | None:
    if words[0].isdigit():
        digits = re.match(r"[\d,.]+", words)
        assert digits is not None
        scale = words[digits.end():].strip(" -\t\n")
        return Decimal(digits[0].replace(",", "")) * SCALES_EN.get(scale, 1)
    words, _, point = words.partition(" point ")
    half = _HALF.search(words)
    total = group = Decimal(0)
    for word in re.findall(r"[a-z]+", words[:half.start()] if half else words):
        if word == "and":
            continue
        if word in SCALES_EN:
            total, group = total + group * SCALES_EN[word], Decimal(0)
        elif word == "hundred":
            group *= 100
        else:
            group += 1 if word in ("a", "an") else UNITS_EN[word] if word in UNITS_EN else TENS_EN[word]
    total += group + (Decimal("0.5") if half else 0)
    if point:
        total += Decimal("0." + "".join(str(UNITS_EN[word]) for word in re.findall(r"[a-z]+", point)))
    return total


def _read_zh(words: str) -> Decimal | None:
    if words[0].isdigit():
        total = Decimal(0)
        for digits, scale in re.findall(r"([\d,，.]+)\s?([^\d,，.\s]*)", words):
            value = Decimal(re.sub("[,，]", "", digits))
            for letter in scale:
                value *= PLACES_ZH.get(letter) or MYRIADS_ZH[letter]
            total += value
        return total
    whole, _, point = words.partition("点")
    number = _whole_zh(whole)
    if number is None:
        return None
    return number + Decimal("0." + "".join(str(DIGITS_ZH[digit]) for digit in point)) if point else Decimal(number)


def _whole_zh(words: str) -> int | None:
    """A whole number; None for characters that only look like one: 万, 三五, 百十."""
    if all(letter in DIGITS_ZH for letter in words):
        return int("".join(str(DIGITS_ZH[letter]) for letter in words)) if len(words) in (1, 4) else None
    total = section = 0
    digit: int | None = None
    last = 0  # the place that was named last: in 三万五 the five counts thousands
    for letter in words:
        if letter in DIGITS_ZH:
            if digit:
                return None
            digit = DIGITS_ZH[letter]
            last = 0 if digit == 0 else last
        elif letter in PLACES_ZH:
            place = PLACES_ZH[letter]
            if digit is None and (place > 10 or section % 100 // 10):
                return None
            section += (1 if digit is None else digit) * place
            digit, last = None, place
        else:
            scale = MYRIADS_ZH[letter]
            section += digit or 0
            if not section and not (total and scale == 10**8):
                return None
            total = (total + section) * scale if total and total < scale else total + section * scale
            section, digit, last = 0, None, scale
    spare = digit or 0
    return total + section + (spare * last // 10 if spare and last > 10 else spare)
