"""Tidy text: what goes, what stays."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tutelage.core.edits import Edit, Step, apply, place_after, place_before, revert
from tutelage.text.tidy import HalfWidth, tidy

DAMAGED = (st.text(st.characters(codec=None), max_size=60)
           | st.text("Ã©â€™“”\u00a0 \n\r\x85\x80\x99e\u0301abc1甲。¤ä０Ａ\u3000\u200b", max_size=60))
KINDS = st.sets(st.sampled_from(["letters", "digits", "spaces"]))

CASES = {
    "line_ends": ("one\r\ntwo\rthree\x0cfour", "one\ntwo\nthree\nfour", 3),
    "mojibake": ("the Licensorâ€™s rights", "the Licensor’s rights", 1),
    "control_characters": ("Sec\x00tion\x07 1", "Section 1", 2),
    "zero_width_characters": ("agree\u00adment\u200b of\ufeff", "agreement of", 3),
    "non_breaking_spaces": ("30\u00a0days, 5\u202f%", "30 days, 5 %", 2),
    "unicode_form": ("Se\u0301bastien", "Sébastien", 1),
    "trailing_spaces": ("one  \ntwo\t\n第一条\u3000", "one\ntwo\n第一条", 3),
    "blank_lines": ("one\n\n\n\n\ntwo", "one\n\n\ntwo", 1),
    "outer_blank_lines": ("\n\n  one\n", "  one", 2),
    "lone_surrogates": ("one \ud800", "one \ufffd", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_damage_is_repaired_named_and_counted(name: str) -> None:
    before, after, count = CASES[name]
    tidied = tidy(before)
    assert tidied.text == after
    assert tidied.changes == {name: count}


def test_chinese_that_was_read_as_latin_1_is_repaired() -> None:
    assert tidy("保密期限为三年。".encode().decode("latin-1")).text == "保密期限为三年。"


@pytest.mark.parametrize("text", [
    "“Software” means the Licensor’s product; ‘use’ excludes 'copying' and \"sale\".",
    "甲方（ACME Ltd.）应于2024年1月31日前支付“合同价款”——人民币１２，３００元。",
    "Fees: € 1,200.50 (§ 4(a)(ii)); naïve café; &lt;name&gt; &amp; co.",
    "\u3000\u3000第一条\u3000定义\n\n    (a) indented\tand tabbed",
])
def test_a_sound_text_stays_as_it_is(text: str) -> None:
    assert tidy(text).text == text
    assert tidy(text).changes == {}


@example("â¤¤ä¤ ", set())
@given(DAMAGED, KINDS)
def test_tidying_twice_is_tidying_once(text: str, kinds: set[HalfWidth]) -> None:
    once = tidy(text, kinds).text
    assert tidy(once, kinds).text == once
    assert tidy(once, kinds).changes == {}


@given(DAMAGED, KINDS)
def test_the_steps_replay_and_undo_every_change(text: str, kinds: set[HalfWidth]) -> None:
    tidied = tidy(text, kinds)
    assert apply(text, tidied.steps) == tidied.text
    assert revert(tidied.text, tidied.steps) == text
    assert sum(tidied.changes.values()) == sum(len(step.edits) for step in tidied.steps)


@given(st.text("ab甲。 \n\r\u200b\u00a0０", max_size=60))
def test_a_character_that_stays_is_found_again_on_both_sides(text: str) -> None:
    tidied = tidy(text, ("digits",))
    for place, character in enumerate(tidied.text):
        if character in "ab甲。":
            before = place_before(place, tidied.steps)
            assert text[before] == character
            assert place_after(before, tidied.steps) == place


def test_an_edit_is_as_small_as_the_damage() -> None:
    tidied = tidy("One\r\nthe Licensorâ€™s\u200b rights")
    assert tidied.steps == (
        Step(rule="line_ends", edits=(Edit(start=3, length=2, before="\r\n", after="\n"),)),
        Step(rule="mojibake", edits=(Edit(start=16, length=3, before="â€™", after="’"),)),
        Step(rule="zero_width_characters", edits=(Edit(start=18, length=1, before="\u200b", after=""),)))


@pytest.mark.parametrize(("kinds", "after"), [
    ((), "第１２条\u3000Ａｂ：５０％（ＵＳＤ）"), (("digits",), "第12条\u3000Ａｂ：50％（ＵＳＤ）"),
    (("letters",), "第１２条\u3000Ab：５０％（USD）"), (("letters", "digits", "spaces"), "第12条 Ab：50％（USD）")])
def test_full_width_characters_of_the_asked_kinds_become_usual_ones_and_punctuation_stays(kinds: tuple[HalfWidth, ...], after: str) -> None:
    assert tidy("第１２条\u3000Ａｂ：５０％（ＵＳＤ）", kinds).text == after


def test_a_long_run_of_spaces_inside_a_line_takes_no_time() -> None:
    line = "a" + " " * 1_000_000 + "b"
    assert tidy(line).text == line


@given(st.text("0123456789０１甲方乙。，、；：“”‘’（）《》——…%AbCdé'\"-.,;() \u00a0\u3000\u200b\n\r\t", max_size=120))
def test_no_visible_character_is_lost_or_changed(text: str) -> None:
    def visible(text: str) -> str:
        return re.sub(r"[\s\u200b]", "", text)

    assert visible(tidy(text).text) == visible(text)
