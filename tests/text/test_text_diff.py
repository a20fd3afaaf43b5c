"""Redlines: readable, and both texts can be rebuilt from them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tutelage.text.diff import Change, redline


def _pieces(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.op, change.text) for change in changes]


def test_english_changes_word_by_word_and_a_replaced_phrase_reads_as_one() -> None:
    changes = redline("The Customer shall pay within thirty days.", "The Customer shall pay within sixty business hours.", "en")
    assert _pieces(changes) == [("same", "The Customer shall pay within "), ("delete", "thirty days"),
                                ("insert", "sixty business hours"), ("same", ".")]


def test_chinese_changes_character_by_character_but_numbers_as_a_whole() -> None:
    changes = redline("乙方应当在30日内付款。", "乙方不应当在60日内付款。", "zh")
    assert _pieces(changes) == [("same", "乙方"), ("insert", "不"), ("same", "应当在"), ("delete", "30"), ("insert", "60"),
                                ("same", "日内付款。")]


def test_equal_texts_have_one_piece_and_empty_ones_none() -> None:
    assert _pieces(redline("Same.", "Same.", "en")) == [("same", "Same.")]
    assert redline("", "", "en") == []
    assert _pieces(redline("", "New.", "en")) == [("insert", "New.")]
    assert _pieces(redline("旧。", "", "zh")) == [("delete", "旧。")]


def test_words_that_occur_often_in_a_long_text_still_match() -> None:
    # difflib's own shortcut ignores items that are frequent among more than 200: it would call everything changed.
    before = "to be or not to be " * 40
    changes = redline(before, "Whether " + before, "en")
    assert _pieces(changes) == [("insert", "Whether "), ("same", before)]


@given(st.text("ab 甲乙。\n1", max_size=40), st.text("ab 甲乙。\n1", max_size=40), st.sampled_from(["en", "zh"]))
def test_both_texts_can_be_rebuilt_and_no_two_neighbours_have_the_same_op(before: str, after: str, language: str) -> None:
    changes = redline(before, after, language)
    assert "".join(change.text for change in changes if change.op != "insert") == before
    assert "".join(change.text for change in changes if change.op != "delete") == after
    assert all(left.op != right.op for left, right in pairwise(changes))
    assert all(change.text for change in changes)
