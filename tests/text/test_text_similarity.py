"""J, near-duplicate pairs, families, and train rows that resemble held-out ones."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from varied_texts import varied

from tutelage.core.errors import InputError
from tutelage.text.similarity import Pair, families, jaccard, near_pairs, resembling, shingles


def test_j_of_two_english_texts_is_the_share_of_common_runs_of_five_words() -> None:
    # a..g has the runs abcde bcdef cdefg; a..f h has abcde bcdef cdefh: 2 shared of 4.
    assert jaccard(shingles("a b c d e f g", "en"), shingles("A, b c D e-f (h)", "en")) == 0.5


def test_j_of_two_chinese_texts_is_the_share_of_common_runs_of_four_characters() -> None:
    # 甲方应当付款 has 甲方应当 方应当付 应当付款; 甲方应当还款 has 甲方应当 方应当还 应当还款: 1 shared of 5.
    assert jaccard(shingles("甲方应当付款", "zh"), shingles("甲方 应当\n还款", "zh")) == pytest.approx(1 / 5, abs=1e-15)


def _equal(first: str, second: str, language: str) -> bool:
    return np.array_equal(shingles(first, language), shingles(second, language))


def test_case_and_punctuation_do_not_count_in_english_and_white_space_does_not_in_chinese() -> None:
    assert _equal("The Licensor, its \"Affiliates\" and\nassigns", "the licensor its affiliates AND assigns.", "en")
    assert _equal("保密 期限\t为三年", "保密期限为三年", "zh")
    assert not _equal("保密期限为三年。", "保密期限为三年", "zh")


def test_a_text_shorter_than_one_run_is_one_shingle_and_an_empty_one_resembles_nothing() -> None:
    assert len(shingles("Governing law", "en")) == 1
    assert jaccard(shingles("Governing law", "en"), shingles("governing LAW.", "en")) == 1.0
    assert jaccard(shingles("Governing law", "en"), shingles("Governing law of France", "en")) == 0.0
    assert len(shingles("保密", "zh")) == 1
    assert jaccard(shingles("--", "en"), shingles("==", "en")) == 0.0
    assert near_pairs(["", "", "--"], ["en", "zh", "en"], 0.5) == []


def test_shingles_are_the_same_in_every_process() -> None:
    program = "from tutelage.text.similarity import shingles; print(shingles('one two three four five six 保密', 'en').tolist())"
    outputs = {subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True,
                              check=True).stdout for seed in ("1", "2")}
    assert outputs == {f"{shingles('one two three four five six 保密', 'en').tolist()}\n"}


def _plain_j(first: str, second: str, language: str) -> Fraction:
    """J by its definition, from strings, with no code of ours."""
    def runs(text: str) -> set[tuple[str, ...]]:
        units = list("".join(text.split())) if language == "zh" else text.split()
        width = 4 if language == "zh" else 5
        return {tuple(units[start:start + width]) for start in range(max(1, len(units) - width + 1))} if units else set()

    a, b = runs(first), runs(second)
    return Fraction(len(a & b), len(a | b)) if a & b else Fraction(0)


def _brute_force(texts: list[str], language: str, threshold: float) -> list[tuple[int, int]]:
    positions = range(len(texts))
    return [(left, right) for left in positions for right in positions
            if left < right and float(_plain_j(texts[left], texts[right], language)) >= threshold]


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8, 1.0])
def test_near_pairs_are_exactly_the_pairs_of_brute_force(threshold: float) -> None:
    texts = varied(seed=3, count=240)
    expected = _brute_force(texts, "en", threshold)
    found = near_pairs(texts, ["en"] * len(texts), threshold)
    assert len(expected) >= 10
    assert [(pair.left, pair.right) for pair in found] == expected
    assert all(pair.similarity == float(_plain_j(texts[pair.left], texts[pair.right], "en")) for pair in found)


@given(st.lists(st.text("甲乙方应付 款", max_size=14), max_size=12), st.sampled_from([0.3, 0.5, 0.8]))
def test_near_pairs_are_exact_on_short_chinese_texts(texts: list[str], threshold: float) -> None:
    found = [(pair.left, pair.right) for pair in near_pairs(texts, ["zh"] * len(texts), threshold)]
    assert found == _brute_force(texts, "zh", threshold)


def test_a_pair_exactly_at_the_threshold_counts() -> None:
    # Ten words have six runs, nine have five of them: J = 5 / 6. Runs of 12 and 9 words: 5 of 8.
    ten = " ".join("abcdefghij")
    assert near_pairs([ten, ten[:-2]], ["en", "en"], 5 / 6) == [Pair(0, 1, 5 / 6)]
    assert near_pairs([ten, ten[:-2]], ["en", "en"], 0.8334) == []


def test_train_rows_that_resemble_held_out_rows_are_all_found_with_both_positions() -> None:
    texts = [shingles(text, "en") for text in varied(seed=5, count=240)]
    train, held_out = texts[::2], texts[1::2]
    expected = [(left, right) for left, a in enumerate(train) for right, b in enumerate(held_out) if jaccard(a, b) >= 0.5]
    found = resembling(train, held_out, 0.5)
    assert len(expected) >= 10
    assert [(pair.left, pair.right) for pair in found] == expected
    assert resembling(train, [], 0.5) == []
    assert resembling([], held_out, 0.5) == []


def test_families_join_texts_that_pairs_connect_and_are_named_by_their_first_text() -> None:
    assert families(6, [Pair(3, 4, 0.9), Pair(1, 3, 0.8)]) == [0, 1, 2, 1, 1, 5]
    assert families(3, []) == [0, 1, 2]


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01])
def test_a_threshold_outside_0_to_1_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=r"threshold is .*; it must be above 0 and at most 1"):
        near_pairs(["a"], ["en"], threshold)
