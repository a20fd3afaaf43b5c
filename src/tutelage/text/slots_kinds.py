"""What a slot is, and how a number with a unit becomes one: shared by the two languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Literal

from tutelage.text.numerals import Number

Kind = Literal["amount", "percentage", "date", "period", "party", "term", "reference", "polarity"]
KINDS: tuple[Kind, ...] = ("amount", "percentage", "date", "period", "party", "term", "reference", "polarity")
Span = tuple[int, int]
CLOSED = re.compile(r"\s?\)")


@dataclass(frozen=True)
class Slot:
    """A stretch of a text that carries a fact: `text` as it stands there, `value` in the normal form of its kind."""

    kind: Kind
    value: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Unit:
    """What a number counts: the kind of slot, the unit ("USD", "%", "D"), the factor to it, and the stretch with the number."""

    kind: Kind
    name: str
    factor: Decimal
    start: int
    end: int


@dataclass(frozen=True)
class _Measured:
    number: Number
    unit: Unit


def slot(kind: Kind, value: str, text: str, span: Span) -> Slot:
    """The slot on a stretch of `text`."""
    return Slot(kind, value, span[0], span[1], text[span[0]:span[1]])


class Taken:
    """Which stretches of a text already belong to a slot, so that a number in a date is no period."""

    def __init__(self, length: int) -> None:
        self._marks = bytearray(length)

    def take(self, slots: Iterable[Slot]) -> None:
        """Mark the stretches of the slots."""
        for each in slots:
            self._marks[each.start:each.end] = b"\1" * (each.end - each.start)

    def is_free(self, start: int, end: int) -> bool:
        """Whether nothing of the stretch is taken."""
        return self._marks.find(1, start, end) < 0


def chosen(candidates: Iterable[Slot]) -> list[Slot]:
    """Of candidates of one kind those that do not overlap: the earliest, of those the longest."""
    kept: list[Slot] = []
    for candidate in sorted(candidates, key=lambda found: (found.start, -found.end)):
        if not kept or candidate.start >= kept[-1].end:
            kept.append(candidate)
    return kept


def begins_line(text: str, place: int) -> bool:
    """Whether only spaces and marks of a heading stand before the place on its line."""
    near = text[max(0, place - 12):place]
    lead = near.rpartition("\n")[2]
    return not lead.strip(" #*\t\u3000") and (len(lead) < 12 or place <= 12)


def word_list(name: str) -> list[str]:
    """The lines of one of the package's lists of words."""
    return files("tutelage.text").joinpath("data", name).read_text("utf-8").split("\n")[:-1]


def any_of(words: Iterable[str]) -> str:
    """An expression that matches each of the words, the longest first."""
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def plain(number: Decimal) -> str:
    """A number without exponent and without zeros at its end."""
    whole = format(number.normalize(), "f")
    return whole if whole != "-0" else "0"


def measured_value(kind: Kind, unit: str, number: Decimal) -> str:
    """The normal form: "USD 5", "5 %", "P30D", "P24M", "PT24H", "P10D business"."""
    if kind == "amount":
        return f"{unit} {plain(number)}"
    if kind == "percentage":
        return f"{plain(number)} %"
    name, _, marker = unit.partition(" ")
    time = "T" if name in ("H", "MIN") else ""
    return f"P{time}{plain(number)}{name[0]}{' ' + marker if marker else ''}"


def measures(text: str, found: Sequence[Number], unit_of: Callable[[str, Number], Unit | None], *, joint: re.Pattern[str],
             repeated: re.Pattern[str]) -> list[Slot]:
    """Amounts, percentages and periods: numbers with a unit, in order.

    `joint` lies between the two numbers of a range that share a unit ("30 to 60 days"); `repeated` between two ways of
    writing the same ("five percent (5%)"), which are one slot.
    """
    units = [unit_of(text, number) for number in found]
    for place in range(len(found) - 2, -1, -1):
        after = units[place + 1]
        is_plain = units[place] is None and after and after.start == found[place + 1].start
        if is_plain and after and _is_joint(text, found[place], found[place + 1], joint):
            units[place] = Unit(after.kind, after.name, after.factor, found[place].start, found[place].end)
    for place in range(1, len(found)):
        before = units[place - 1]
        if units[place] is None and before and before.kind == "amount" and before.end == found[place - 1].end \
                and _is_joint(text, found[place - 1], found[place], joint):
            units[place] = Unit(before.kind, before.name, before.factor, found[place].start, found[place].end)
    pairs = [_Measured(number, unit) for number, unit in zip(found, units, strict=True) if unit]
    return _merged(text, pairs, repeated)


def _is_joint(text: str, before: Number, after: Number, joint: re.Pattern[str]) -> bool:
    """Whether the second number goes on from the first: a range, or "thirty (60) days", where the two differ."""
    found = joint.fullmatch(text, before.end, after.start)
    if found and found.groupdict().get("both") and "between" not in text[max(0, before.start - 16):before.start].lower():
        return False
    return bool(found) or (text[after.start] == "(" and not text[before.end:after.start].strip())


def _merged(text: str, pairs: Sequence[_Measured], repeated: re.Pattern[str]) -> list[Slot]:
    made: list[Slot] = []
    for pair in pairs:
        unit = pair.unit
        value = measured_value(unit.kind, unit.name, pair.number.value * unit.factor)
        if made and made[-1].kind == unit.kind:
            before = made[-1]
            closed = CLOSED.match(text, unit.end)
            if before.value == value and closed and repeated.fullmatch(text, before.end, unit.start):
                made[-1] = slot(unit.kind, value, text, (before.start, closed.end()))
                continue
            if _continues(before, unit, text):
                made[-1] = slot(unit.kind, _sum(before.value, value), text, (before.start, unit.end))
                continue
        made.append(slot(unit.kind, value, text, (unit.start, unit.end)))
    return made


def _continues(before: Slot, unit: Unit, text: str) -> bool:
    """Whether an amount of small coins goes on after the large one: 12元5角, 叁佰元贰角伍分."""
    return unit.kind == "amount" and unit.factor < 1 and before.end == unit.start and text[unit.end - 1] in "角分"


def _sum(one: str, other: str) -> str:
    name, _, number = one.partition(" ")
    return f"{name} {plain(Decimal(number) + Decimal(other.partition(' ')[2]))}"
