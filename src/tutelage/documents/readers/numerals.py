"""Numbers as Word and HTML write them in lists: letters, Roman and Chinese numerals, circles."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"),
          (4, "iv"), (1, "i"))
_COMMON, _SIMPLE_LEGAL, _LEGAL = "〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "零壹貳參肆伍陸柒捌玖"
_FULL_WIDTH = "０１２３４５６７８９"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}


def number_in(style: str, number: int) -> str:
    """The number in a style of Word's (w:numFmt), in Arabic digits where it has no such form. Source: ECMA-376 part 1, 17.18.59."""
    write = _STYLES.get(style)
    return (write(number) if write and number > 0 else "") or str(number)


def _letters(number: int) -> str:
    """a to z, then aa, bb, cc."""
    times, place = divmod(number - 1, 26)
    return chr(ord("a") + place) * (times + 1) if times < 30 else ""


def _roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN if number < 5000 else ():
        times, number = divmod(number, value)
        written += letters * times
    return written


def _digits(number: int, digits: str) -> str:
    return "".join(digits[int(digit)] for digit in str(number))


def _counted(number: int, digits: str, units: str = "十百千", *, says_one: bool = True, zero: str = "零") -> str:
    """Below 10,000, with tens, hundreds and thousands: 一百零五; in Japanese 百五."""
    written, gap = "", False
    for power in range(3, -1, -1) if number < 10_000 else ():
        digit, number = divmod(number, 10 ** power)
        if digit:
            one = "" if digit == 1 and power and not says_one else digits[digit]
            written += (zero if gap else "") + one + (units[power - 1] if power else "")
        gap = bool(written) and not digit
    return written


def _chinese(number: int) -> str:
    """十 and 十一, yet 一百一十."""
    written = _counted(number, _COMMON)
    return written.removeprefix("一") if written.startswith("一十") else written


def _up_to_99(number: int) -> str:
    return _chinese(number) if number < 100 else _digits(number, "○" + _COMMON[1:])


def _japanese(number: int) -> str:
    return _counted(number, _COMMON, says_one=False, zero="")


def _legal(digits: str) -> Callable[[int], str]:
    return lambda number: _counted(number, digits, "拾佰仟")


def _out_of(characters: str) -> Callable[[int], str]:
    return lambda number: characters[number - 1] if number <= len(characters) else ""


def _row_of(first: str, last: int) -> Callable[[int], str]:
    return lambda number: chr(ord(first) + number - 1) if number <= last else ""


def _words(number: int) -> str:
    if number < 20:
        return _WORDS[number]
    tens, ones = divmod(number, 10)
    return (_TENS[tens] + (f"-{_WORDS[ones]}" if ones else "")) if number < 100 else ""


def _ordinal_words(number: int) -> str:
    written = _words(number)
    head, dash, last = written.rpartition("-")
    if not last:
        return ""
    ordinal = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return head + dash + ordinal


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_STYLES: dict[str, Callable[[int], str]] = {
    "decimalZero": lambda number: f"{number:02d}",
    "lowerLetter": _letters, "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman, "upperRoman": lambda number: _roman(number).upper(),
    "chineseCounting": _up_to_99, "taiwaneseCounting": _up_to_99, "ideographDigital": lambda number: _digits(number, _COMMON),
    "taiwaneseDigital": lambda number: _digits(number, "○" + _COMMON[1:]),
    "japaneseDigitalTenThousand": lambda number: _digits(number, _COMMON),
    "chineseCountingThousand": _chinese, "taiwaneseCountingThousand": _chinese, "japaneseCounting": _japanese,
    "chineseLegalSimplified": _legal(_SIMPLE_LEGAL), "ideographLegalTraditional": _legal(_LEGAL),
    "ideographTraditional": _out_of(_STEMS), "ideographZodiac": _out_of(_BRANCHES),
    "decimalEnclosedCircle": _row_of("①", 20), "decimalEnclosedCircleChinese": _row_of("①", 20), "decimalEnclosedParen": _row_of("⑴", 20),
    "decimalEnclosedFullstop": _row_of("⒈", 20), "ideographEnclosedCircle": _row_of("㊀", 10),
    "decimalFullWidth": lambda number: _digits(number, _FULL_WIDTH), "decimalFullWidth2": lambda number: _digits(number, _FULL_WIDTH),
    "numberInDash": lambda number: f"- {number} -", "ordinal": _ordinal,
    "cardinalText": lambda number: _words(number).capitalize(), "ordinalText": lambda number: _ordinal_words(number).capitalize()}
