"""Swap: other amounts, periods, percentages and companies in a clause, the same wherever it says them, in digits and in words."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tutelage.core.records import Language
from tutelage.dataset.augment.manner import Asked
from tutelage.text.numerals import in_chinese, in_words, numbers
from tutelage.text.slots import Kind, Slot, slots

# Usual values; 1 and 2 are left out, for their nouns and numerals differ (one day, 两个月), 8 and 11 for their article.
USUAL: dict[str, tuple[int, ...]] = {
    "days": (3, 5, 7, 10, 14, 15, 20, 30, 45, 60, 90, 120), "weeks": (3, 4, 6), "months": (3, 4, 6, 9, 12, 15, 24, 36),
    "years": (3, 4, 5, 7, 10, 15), "hours": (12, 36, 48, 72), "minutes": (10, 15, 20, 30, 45),
    "percent": (3, 4, 5, 6, 7, 9, 10, 12, 15, 20, 25, 30, 40), "fraction": (3, 4, 5, 6, 7, 9)}
FACTORS = (2, 3, 4, 5)
# A year, a day, the whole: no choice of the parties.
FIXED = frozenset({"P360D", "P365D", "P366D", "PT24H", "100 %", "50 %"})
VALUE_NUMBER = re.compile(r"\d+(?:\.\d+)?")
FRACTION_ZH = re.compile("[百千万]分之")
CAPITALS_ZH = re.compile("[壹贰叁肆伍陆柒捌玖拾佰仟]")
TWICE = re.compile(r"([^()（）]+?)(\s*[(（]\s*)([^()（）]+?)(\s*[)）])")  # thirty (30)
SCALES = {"thousand": Decimal(10**3), "million": Decimal(10**6), "billion": Decimal(10**9), "万": Decimal(10**4), "亿": Decimal(10**8)}
SCALED = re.compile(rf"(\d+(?:\.\d+)?)(\s*)({'|'.join(SCALES)})", re.IGNORECASE)
NUMERALS_ZH = re.compile("[零〇一二三四五六七八九十百千万亿]+")
NAMES: dict[Language, tuple[str, ...]] = {
    "en": ("Alderbrook", "Brightwater", "Cobblestone", "Dunmere", "Eastfold", "Fernhollow", "Greywick", "Harrowgate", "Kestrel Point",
           "Larkspur", "Millrace", "Northfold"),
    "zh": ("江州恒石", "临川启航", "云岭嘉禾", "东屏瑞达", "南浦盛源", "西陵明远", "海棠湾信诚", "北原宏图", "青石港联创", "白鹭洲汇通")}
FORMS = r"Inc|LLC|L\.L\.C|Ltd|Limited|Corp|Corporation|GmbH|S\.A|N\.V|B\.V|PLC|plc|LP|L\.P|LLP"
TRADES_ZH = "科技|信息|技术|贸易|实业|投资|建设|工程|管理|咨询|物流|食品|电子|材料"
COMPANY: dict[Language, re.Pattern[str]] = {
    "en": re.compile(rf"^(?P<stem>[A-Z].*?)(?=,? (?:{FORMS})\b)"),
    "zh": re.compile(rf"^(?P<stem>[\u4e00-\u9fff]{{2,12}}?)(?=(?:{TRADES_ZH})*(?:(?:股份|责任)?有限(?:责任)?公司|集团))")}


@dataclass(frozen=True)
class Swapped:
    """A text with other values, and what was to be replaced: kind and value of a slot -> its new value."""

    text: str
    asked: Asked


@dataclass(frozen=True)
class _Written:
    """One number of a slot: where it stands, and how it is written there with another value."""

    start: int
    end: int
    write: Callable[[Decimal], str]


@dataclass(frozen=True)
class _Measure:
    """A slot whose number may change. `number` is what is written; the value's number is `scale` times that (weeks are days)."""

    slot: Slot
    number: Decimal
    scale: Decimal
    unit: str
    written: tuple[_Written, ...]


def swapped(text: str, language: Language, draw: random.Random) -> Swapped | None:
    """The text with other values; None where it has none that may change.

    Values of one unit keep their order, amounts their ratios, so that a first notice stays shorter than a second and parts add
    up. Dates, references and roles such as the Licensee stay.
    """
    found = slots(text, language)
    edits: list[tuple[int, int, str]] = []
    asked: dict[tuple[Kind, str], str] = {}
    for measures in _groups(text, found, language).values():
        new = _new_numbers(measures, draw)
        for measure in measures if new else ():
            number = new[measure.number]
            asked[measure.slot.kind, measure.slot.value] = VALUE_NUMBER.sub(_plain(number * measure.scale), measure.slot.value, count=1)
            edits += [(written.start, written.end, written.write(number)) for written in measure.written]
    edits += _renamed(text, found, language, draw, asked)
    if not edits:
        return None
    for start, end, new_text in sorted(edits, reverse=True):
        text = text[:start] + new_text + text[end:]
    return Swapped(text, asked)


def _groups(text: str, found: Sequence[Slot], language: Language) -> dict[tuple[Kind, str], list[_Measure]]:
    """The measures of a text by kind and unit. A unit with a value that cannot be written anew is left out as a whole."""
    groups: dict[tuple[Kind, str], list[_Measure]] = defaultdict(list)
    spoilt: set[tuple[Kind, str]] = set()
    for slot in found:
        if slot.kind not in ("amount", "percentage", "period"):
            continue
        value_unit = VALUE_NUMBER.sub("", slot.value, count=1)
        measure = _measure(slot, language)
        if measure is None or (language == "en" and re.search(r"\b[Aa]n $", text[:slot.start])):
            spoilt.add((slot.kind, value_unit))
        else:
            groups[slot.kind, value_unit].append(measure)
    return {key: group for key, group in groups.items() if key not in spoilt and len({measure.unit for measure in group}) == 1}


def _measure(slot: Slot, language: Language) -> _Measure | None:
    head = FRACTION_ZH.search(slot.text)
    begin = head.end() if head else 0
    written = numbers(slot.text[begin:], language)
    value = VALUE_NUMBER.search(slot.value)
    if slot.value in FIXED or not value or not written or len({number.value for number in written}) > 1 or written[0].value <= 2:
        return None
    spelled = [_spelling(slot.text[begin + number.start:begin + number.end], language) for number in written]
    pieces = [_Written(slot.start + begin + number.start, slot.start + begin + number.end, write)
              for number, write in zip(written, spelled, strict=True) if write]
    scale = Decimal(value[0]) / written[0].value
    return _Measure(slot, written[0].value, scale, _unit(slot, scale, is_fraction=head is not None), tuple(pieces)) \
        if len(pieces) == len(written) else None


def _unit(slot: Slot, scale: Decimal, *, is_fraction: bool) -> str:
    if slot.kind == "percentage":
        return "fraction" if is_fraction and scale < 1 else "percent"
    if slot.kind == "amount":
        return "amount"
    iso = VALUE_NUMBER.sub("", slot.value, count=1).split()[0]
    return {"PD": "weeks" if scale == 7 else "days", "PM": "years" if scale == 12 else "months", "PTH": "hours"}.get(iso, "minutes")


def _spelling(surface: str, language: Language) -> Callable[[Decimal], str] | None:
    """How a number is written, to write another one so; None for a way that we cannot write."""
    if twice := TWICE.fullmatch(surface):
        first, second = _spelling(twice[1], language), _spelling(twice[3], language)
        return (lambda number: f"{first(number)}{twice[2]}{second(number)}{twice[4]}") if first and second else None
    if scaled := SCALED.fullmatch(surface):
        return lambda number: f"{_plain(number / SCALES[scaled[3].lower()])}{scaled[2]}{scaled[3]}"
    if re.fullmatch(r"\d+(\.\d+)?", surface):
        return _plain
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.00)?", surface):
        tail = ".00" if surface.endswith(".00") else ""
        return lambda number: f"{int(number):,}{tail}"
    if language == "zh":
        if CAPITALS_ZH.search(surface):
            return lambda number: in_chinese(int(number), capital=True)
        return (lambda number: in_chinese(int(number))) if NUMERALS_ZH.fullmatch(surface) else None
    if not re.fullmatch(r"[A-Za-z -]+", surface):
        return None
    if surface.isupper():
        return lambda number: in_words(int(number)).upper()
    if surface[0].isupper():
        return lambda number: in_words(int(number)).title() if surface.istitle() else in_words(int(number)).capitalize()
    return lambda number: in_words(int(number))


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _new_numbers(measures: Sequence[_Measure], draw: random.Random) -> dict[Decimal, Decimal]:
    """Old number -> new number of a group, in the same order; empty where nothing suits."""
    old = sorted({measure.number for measure in measures})
    unit = measures[0].unit
    if unit == "amount":
        factor = draw.choice(FACTORS)
        return {number: number * factor for number in old}
    if unit == "percent" and (sum(measure.number for measure in measures) == 100 or old[-1] > 50):
        return {}  # shares of a whole, and majorities
    usual = [number for number in USUAL[unit] if number not in old]
    if len(usual) < len(old) or any(number != int(number) for number in old):
        return {}
    return dict(zip(old, map(Decimal, sorted(draw.sample(usual, len(old)))), strict=True))


def _renamed(text: str, found: Sequence[Slot], language: Language, draw: random.Random,
             asked: dict[tuple[Kind, str], str]) -> list[tuple[int, int, str]]:
    """Companies under other names, wherever the text names them; what follows the name (Ltd, 有限公司) stays."""
    edits: list[tuple[int, int, str]] = []
    free = [name for name in NAMES[language] if name not in text]
    for slot in found:
        match = COMPANY[language].match(slot.text) if slot.kind == "party" else None
        if match is None or (slot.kind, slot.value) in asked or not free:
            continue
        stem = match["stem"]
        name = free.pop(draw.randrange(len(free)))
        edge = r"(?<!\w)%s(?!\w)" if language == "en" else "%s"
        places = [(place.start(), place.end(), name) for place in re.finditer(edge % re.escape(stem), text)]
        if any(start < other_end and other < end for start, end, _ in places for other, other_end, _ in edits):
            continue
        edits += places
        asked[slot.kind, slot.value] = slot.value.replace(stem, name)
    return edits
