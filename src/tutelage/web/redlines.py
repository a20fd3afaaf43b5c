"""Redlines that cost a page little: exact for clauses, and bounded for texts of many pages."""

from __future__ import annotations

from itertools import takewhile

from tutelage.text.diff import Change, redline

# Comparing two texts takes time as the product of their lengths: 3,000 characters each, chosen to be slow, took 0.3 s.
MOST_WORK = 9_000_000


def marked(before: str, after: str, language: str) -> list[Change]:
    """The changes from `before` to `after`.

    Of texts too long to compare, what is equal at both ends stands as it is; if what lies between is still too long, it is
    shown as replaced in one piece.
    """
    if len(before) * len(after) <= MOST_WORK:
        return redline(before, after, language)
    head = _to_white_space(before[:_equal(before, after)])
    rest_before, rest_after = before[len(head):], after[len(head):]
    tail = _to_white_space(rest_before[::-1][:_equal(rest_before[::-1], rest_after[::-1])])[::-1]
    middle_before, middle_after = rest_before[:len(rest_before) - len(tail)], rest_after[:len(rest_after) - len(tail)]
    if len(middle_before) * len(middle_after) <= MOST_WORK:
        middle = redline(middle_before, middle_after, language)
    else:
        middle = [Change(op="delete", text=middle_before), Change(op="insert", text=middle_after)]
    ends = [Change(op="same", text=text) if text else None for text in (head, tail)]
    return [change for change in (ends[0], *middle, ends[1]) if change]


def _equal(first: str, second: str) -> int:
    """How many characters at the start are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _to_white_space(text: str) -> str:
    """The text up to its last white space, so that no word is cut."""
    return text[:max((place + 1 for place, letter in enumerate(text) if letter.isspace()), default=0)]
