"""Edits replayed and undone, and places carried over them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.edits import Step, apply, between, joined, masked, place_after, place_before, places_after, replaced, revert
from tutelage.core.errors import BalanceError

SHOUTED = Step(rule="shout", edits=(replaced(0, "a", "AAA"), replaced(4, "bc", "")))  # "a x bc d" -> "AAA x  d"
TEXTS = st.text(alphabet="ab 甲。\n", max_size=60)


def test_an_edit_is_replayed_and_undone():
    assert apply("a x bc d", [SHOUTED]) == "AAA x  d"
    assert revert("AAA x  d", [SHOUTED]) == "a x bc d"


def test_two_steps_are_undone_in_the_other_order():
    second = Step(rule="trim", edits=(replaced(5, "  ", " "),))
    assert apply("a x bc d", [SHOUTED, second]) == "AAA x d"
    assert revert("AAA x d", [SHOUTED, second]) == "a x bc d"


def test_a_place_moves_with_the_edits_before_it():
    # "a x bc d": x stands at 2, after "AAA" at 4; d stands at 7, after the deletion of "bc" at 7.
    assert [place_after(offset, [SHOUTED]) for offset in (0, 2, 7)] == [0, 4, 7]
    assert [place_before(offset, [SHOUTED]) for offset in (0, 4, 7)] == [0, 2, 7]


def test_a_place_inside_an_edit_becomes_its_beginning():
    assert place_after(5, [SHOUTED]) == 6
    assert place_before(2, [SHOUTED]) == 0


def test_an_edit_that_does_not_fit_the_text_is_refused():
    with pytest.raises(BalanceError, match="rule shout: an edit at character 4 does not fit the text"):
        apply("a x BC d", [SHOUTED])
    with pytest.raises(BalanceError, match="rule shout: an edit at character 0 does not fit the text"):
        revert("BBB x  d", [SHOUTED])
    with pytest.raises(BalanceError, match="does not fit"):
        apply("a", [SHOUTED])


def test_masked_personal_data_can_be_replayed_and_never_undone():
    step = Step(rule="emails", edits=(masked(5, 7, "[EMAIL_1]"),))
    assert apply("mail a@b.org!", [step]) == "mail [EMAIL_1]!"
    with pytest.raises(BalanceError, match="rule emails: masked personal data at character 5 stands only in the source"):
        revert("mail [EMAIL_1]!", [step])


def test_overlapping_edits_are_refused():
    assert [edit.start for edit in joined([replaced(4, "b", ""), replaced(0, "a", "")])] == [0, 4]
    with pytest.raises(BalanceError, match="two edits overlap at character 1"):
        joined([replaced(0, "ab", ""), replaced(1, "b", "c")])


def test_equal_texts_need_no_step_and_a_small_change_gives_a_small_edit():
    assert between("cut", "same", "same") is None
    step = between("cut", "one\ntwo 甲方 three\nfour\n", "one\ntwo 乙方 three\nfour\n")
    assert step is not None
    assert [(edit.start, edit.before, edit.after) for edit in step.edits] == [(8, "甲", "乙")]


@given(TEXTS, TEXTS, TEXTS)
def test_steps_between_any_texts_replay_and_undo(first: str, second: str, third: str):
    steps = [step for step in (between("one", first, second), between("two", second, third)) if step]
    assert apply(first, steps) == third
    assert revert(third, steps) == first


@given(TEXTS, TEXTS)
def test_places_are_carried_in_order_and_a_character_that_stays_is_found_again(before: str, after: str):
    steps = [step for step in (between("one", before, after),) if step]
    carried = [place_after(offset, steps) for offset in range(len(before) + 1)]
    assert carried == sorted(carried)
    edited = {offset for step in steps for edit in step.edits for offset in range(edit.start, edit.start + edit.length)}
    for offset, character in enumerate(before):
        if offset not in edited:
            assert after[carried[offset]] == character
            assert place_before(carried[offset], steps) == offset


@given(TEXTS, TEXTS, TEXTS, st.lists(st.integers(0, 60), max_size=12))
def test_many_places_move_as_each_of_them(first: str, second: str, third: str, offsets: list[int]):
    steps = [step for step in (between("one", first, second), between("two", second, third)) if step]
    offsets = [offset for offset in offsets if offset <= len(first)]
    assert places_after(offsets, steps) == [place_after(offset, steps) for offset in offsets]
