"""Lines that belong to pages and not to the text: page numbers, lines of filing services, running headers and footers."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from tutelage.core.edits import Edit, replaced
from tutelage.text.rules import Rule

# A page has at least this many characters: of 34 CUAD contracts with page numbers the shortest page has 480. Rows of a table are shorter.
PAGE_CHARACTERS = 300
# Two numbers in a row happen by chance; three, each a page after the last, do not.
LEAST_PAGES = 3
# A line that stands alone between wide gaps is a header if it does so this often, a page apart; a heading never does.
LEAST_ALONE = 5
MOST = 0.8
HEADER_CHARACTERS = 100

_DASH = "[-\u2010-\u2015\u2212\uff0d]"
_MARK = re.compile(rf"""
    (?P<source>Source:[ ].{{2,120}},[ ]?[A-Z0-9][A-Z0-9/-]{{0,9}},[ ]\d{{1,2}}/\d{{1,2}}/\d{{4}})
  | (?P<page>(?:(?i:page|pg\.)[ ]\d{{1,4}}(?:[ ]?(?i:of|/)[ ]?\d{{1,4}})?
            | 第[ ]?\d{{1,4}}[ ]?页(?:[ ]?[,，/／]?[ ]?共[ ]?\d{{1,4}}[ ]?页)?
            | {_DASH}[ ]?\d{{1,4}}[ ]?{_DASH}?))
  | (?P<stamped>.{{0,120}}(?i:\bpage)[ ]\d{{1,4}}[ ](?i:of)[ ]\d{{1,4}}\b.{{0,120}})
  | (?P<number>\d{{1,4}})
""", re.VERBOSE)
LONGEST_MARK = 260
_CONFIDENTIAL = re.compile(
    r"^[ \t\u3000]*(?:(?i:(?:strictly |highly |private (?:and|&) )?confidential(?: and proprietary| treatment requested)?)"
    r"|机密|绝密|秘密|内部资料)[ \t\u3000]*$", re.MULTILINE)
_STAMP_WORDS = ("onfidential", "CONFIDENTIAL", "密", "内部资料")
_TEXT_LINE = re.compile(r"^.*\S.*$", re.MULTILINE)
_LETTERS = re.compile(r"[^\W\d_]{3}|[\u4e00-\u9fff]{2}")


class _Mark(NamedTuple):
    """A line that may belong to a page end: source, page, stamped or number."""

    start: int
    end: int
    kind: str
    text: str


class _Line(NamedTuple):
    """A line with text: where it begins and ends, without its line end."""

    start: int
    end: int
    text: str


def boilerplate_rules() -> tuple[Rule, ...]:
    """The rules, in order: headers are known by the page ends beside them, and numbers by the filing lines between them."""
    return (Rule("running_headers", _running_headers), Rule("page_numbers", _page_numbers), Rule("filing_lines", _filing_lines),
            Rule("confidential_stamps", _stamps))


def _gone(text: str, start: int, end: int) -> Edit:
    """The line goes with its line end."""
    end += text.startswith("\n", end)
    return replaced(start, text[start:end], "")


def _filing_lines(text: str) -> list[Edit]:
    return [_gone(text, mark.start, mark.end) for mark in _marks(text) if mark.kind == "source"]


def _page_numbers(text: str) -> list[Edit]:
    return [_gone(text, mark.start, mark.end) for mark in _pages(text)]


def _stamps(text: str) -> list[Edit]:
    if not any(word in text for word in _STAMP_WORDS):
        return []
    return [_gone(text, match.start(), match.end()) for match in _CONFIDENTIAL.finditer(text)]


def _running_headers(text: str) -> list[Edit]:
    """Lines that stand unchanged at the same side of three page ends in a row, or often alone between wide gaps.

    The first of them stays, for it may be the title itself.
    """
    often = {line for line, times in Counter(text.split("\n")).items()
             if times >= LEAST_PAGES and len(line) <= HEADER_CHARACTERS and _LETTERS.search(line)}
    if not often:
        return []
    ends = sorted({mark.start for mark in _pages(text)} | {mark.start for mark in _marks(text) if mark.kind == "source"})
    if not ends and "\n\n\n" not in text:
        return []
    lines = [_Line(match.start(), match.end(), match[0]) for match in _TEXT_LINE.finditer(text)]
    places: dict[str, list[int]] = defaultdict(list)
    is_end = set(ends)
    for number, line in enumerate(lines):
        if line.text in often and line.start not in is_end:
            places[line.text].append(number)
    beside = _beside(lines, ends)
    edits = []
    for numbers in places.values():
        at_ends = [number for number in numbers if number in beside]
        if not _in_a_row([beside[number] for number in at_ends]):
            at_ends = numbers if _is_alone(text, [lines[number] for number in numbers]) else []
        edits += [_gone(text, lines[number].start, lines[number].end) for number in at_ends if number != numbers[0]]
    return sorted(edits, key=lambda edit: edit.start)


def _beside(lines: Sequence[_Line], ends: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Number of each line right beside a page end -> (side, number of the page end)."""
    is_end = set(ends)
    found: dict[int, tuple[int, int]] = {}
    for side, order in ((0, range(len(lines))), (1, range(len(lines) - 1, -1, -1))):
        was_end = False
        for number in order:
            start = lines[number].start
            if start in is_end:
                was_end = True
            elif was_end:
                found.setdefault(number, (side, bisect_left(ends, start)))
                was_end = False
    return found


def _in_a_row(places: Sequence[tuple[int, int]]) -> bool:
    """Whether three of them are at the same side of consecutive page ends."""
    there = set(places)
    return any((side, page + 1) in there and (side, page + 2) in there for side, page in there)


def _is_alone(text: str, lines: Sequence[_Line]) -> bool:
    """Whether all these lines stand before or after a wide gap, a page apart, and are many."""
    long_pages = sum(second.start - first.end >= PAGE_CHARACTERS for first, second in pairwise(lines))
    if len(lines) < LEAST_ALONE or long_pages < MOST * (len(lines) - 1):
        return False
    return all(text.startswith("\n\n\n", line.end) or text.endswith("\n\n\n", 0, line.start) for line in lines[1:])


@lru_cache(maxsize=1)
def _marks(text: str) -> tuple[_Mark, ...]:
    """Lines that may belong to a page end, in order. The rules ask one after the other for those of the same text."""
    found, start = [], 0
    for line in text.split("\n"):
        # Most lines can be none: this saves nine tenths of the time.
        if line and (line[-1] in "0123456789页-\u2013\u2014\uff0d" or "age " in line or "AGE " in line) and len(line) <= LONGEST_MARK:
            match = _MARK.fullmatch(line.strip(" \t\u3000"))
            if match:
                found.append(_Mark(start, start + len(line), str(match.lastgroup), match[0]))
        start += len(line) + 1
    return tuple(found)


def _pages(text: str) -> list[_Mark]:
    """Lines that number a page: those that say so, stamps of one form, and lone numbers that count on from page to page."""
    marks = _marks(text)
    forms = Counter(_form(mark) for mark in marks if mark.kind == "stamped")
    ends = [mark.start for mark in marks if mark.kind in ("source", "page")]
    counting = _counting([mark for mark in marks if mark.kind == "number"], ends)
    return [mark for mark in marks if mark.kind == "page" or mark.start in counting
            or (mark.kind == "stamped" and forms[_form(mark)] >= LEAST_PAGES)]


def _form(mark: _Mark) -> str:
    return re.sub(r"\d+", "#", mark.text)


def _counting(numbers: Sequence[_Mark], ends: Sequence[int]) -> set[int]:
    """Where the numbers stand that continue each other over three pages, or over two where page ends are known between them."""
    latest: dict[int, int] = {}
    before: list[int | None] = []
    length: list[int] = []
    for place, mark in enumerate(numbers):
        value = int(mark.text)
        last = latest.get(value - 1)
        if last is not None and not _is_a_page(numbers[last].start, mark.start, ends):
            last = None
        before.append(last)
        length.append(1 if last is None else length[last] + 1)
        latest[value] = place
    found: set[int] = set()
    for place in reversed(range(len(numbers))):
        if length[place] < (2 if ends else LEAST_PAGES):
            continue
        step: int | None = place
        while step is not None and numbers[step].start not in found:
            found.add(numbers[step].start)
            step = before[step]
    return found


def _is_a_page(start: int, end: int, ends: Sequence[int]) -> bool:
    return end - start >= PAGE_CHARACTERS or bisect_left(ends, start) < bisect_left(ends, end)
