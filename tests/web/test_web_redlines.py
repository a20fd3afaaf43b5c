"""Redlines of short and of very long texts."""

from __future__ import annotations

import random
import time

import pytest

from tutelage.text.diff import Change, redline
from tutelage.web.redlines import MOST_WORK, marked

LONG = " ".join(f"Section {number}. The supplier delivers." for number in range(400))


def joined(changes: list[Change], *ops: str) -> str:
    return "".join(change.text for change in changes if change.op in ops)


def test_a_clause_is_compared_in_full():
    assert marked("three years", "five years", "en") == redline("three years", "five years", "en")


def test_a_small_change_in_a_long_text_is_marked_as_small():
    assert len(LONG) ** 2 > MOST_WORK
    changed = LONG.replace("Section 200.", "Section 200a.")
    changes = marked(LONG, changed, "en")
    assert [(change.op, change.text) for change in changes if change.op != "same"] == [("delete", "200"), ("insert", "200a")]


@pytest.mark.parametrize("before, after", [(LONG, LONG), (LONG, ""), (LONG, LONG + "x"), (LONG, "x" + LONG), (LONG, LONG + LONG),
                                           (LONG, LONG[2000:]), ("a" * 4000, "a" * 4001)])
def test_nothing_is_lost(before, after):
    changes = marked(before, after, "en")
    assert joined(changes, "same", "delete") == before
    assert joined(changes, "same", "insert") == after
    assert all(change.text for change in changes)


def test_two_long_texts_made_to_be_slow_take_no_time():
    draw = random.Random(1)
    before, after = ("".join(draw.choice("甲乙丙丁") for _ in range(50_000)) for _ in range(2))
    started = time.monotonic()
    changes = marked(before, after, "zh")
    assert time.monotonic() - started < 1
    assert (joined(changes, "same", "delete"), joined(changes, "same", "insert")) == (before, after)
