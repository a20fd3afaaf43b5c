"""Tidy text: what goes, what stays."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tutelage.text.tidy import tidy

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


@example("â¤¤ä¤ ")
@given(st.text(st.characters(codec=None), max_size=60) | st.text("Ã©â€™“”\u00a0 \n\r\x85\x80\x99e\u0301abc1甲。¤ä", max_size=60))
def test_tidying_twice_is_tidying_once(text: str) -> None:
    once = tidy(text).text
    assert tidy(once).text == once
    assert tidy(once).changes == {}


@given(st.text("0123456789０１甲方乙。，、；：“”‘’（）《》——…%AbCdé'\"-.,;() \u00a0\u3000\u200b\n\r\t", max_size=120))
def test_no_visible_character_is_lost_or_changed(text: str) -> None:
    def visible(text: str) -> str:
        return re.sub(r"[\s\u200b]", "", text)

    assert visible(tidy(text).text) == visible(text)
