"""What is measured on a single row."""

import math
import random

import pytest

from tutelage.scores.metrics import METRICS, bits_per_byte, edit_share, edit_words, is_exact, is_looping, repetition
from tutelage.scores.overlap import common_subsequence, common_subsequence_length, rouge_l, rouge_lsum, tokens
from tutelage.scores.slot_metrics import slot_counts
from tutelage.scores.stems import stem, stemmed_tokens


def test_a_model_that_knows_nothing_needs_8_bits_for_a_byte() -> None:
    assert bits_per_byte(10 * math.log(256), 10) == pytest.approx(8.0)


def test_chinese_characters_are_tokens_and_other_words_stay_whole() -> None:
    assert tokens("乙方应于30日内支付 Late-Fee。") == ["乙", "方", "应", "于", "30", "日", "内", "支", "付", "late", "fee"]


def test_identical_chinese_has_rouge_l_one() -> None:
    assert rouge_l("保密期限为三年。", "保密期限为三年。").f1 == 1.0


def test_rouge_l_of_chinese_is_hand_worked() -> None:
    # 甲方应当付款 (6) against 甲方付款 (4): common 甲方付款 = 4; precision 4/4, recall 4/6, F1 = 0.8
    assert rouge_l("甲方应当付款", "甲方付款").f1 == pytest.approx(0.8)


def test_texts_with_nothing_in_common_and_empty_drafts_have_rouge_l_zero() -> None:
    assert rouge_l("the licensee shall pay", "").f1 == 0.0
    assert rouge_l("the licensee shall pay", "warranty disclaimer").f1 == 0.0
    assert rouge_l("...", "...").f1 == 0.0


def plain_common_subsequence(first: list[str], second: list[str]) -> int:
    """The textbook table, one row at a time."""
    row = [0] * (len(second) + 1)
    for one in first:
        above = row[:]
        for place, other in enumerate(second):
            row[place + 1] = above[place] + 1 if one == other else max(above[place + 1], row[place])
    return row[-1]


def test_the_bit_parallel_subsequence_equals_the_textbook_table() -> None:
    rng = random.Random(1)
    for _ in range(200):
        first, second = ([rng.choice("abcde") for _ in range(rng.randrange(0, 90))] for _ in range(2))
        length = plain_common_subsequence(first, second)
        assert common_subsequence_length(first, second) == length
        common = [first[place] for place in common_subsequence(first, second)]
        assert len(common) == length
        assert plain_common_subsequence(common, second) == length


def test_rouge_lsum_does_not_count_the_order_of_lines_and_rouge_l_does() -> None:
    reference, draft = "甲方付款。\n乙方交货。", "乙方交货。\n甲方付款。"
    assert rouge_lsum(reference, draft).f1 == 1.0
    assert rouge_l(reference, draft).f1 == 0.5  # one line of two in order
    # Section 3.2 of Lin 2004: of w1 w2 w3 w4 w5 the two lines have w1 w2, and w1 w3 w5: four of five words, four of ten written
    found = rouge_lsum("w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5")
    assert (found.recall, found.precision) == (0.8, 0.4)


def test_stems_join_forms_of_a_word_and_leave_chinese_and_short_words_alone() -> None:
    assert stemmed_tokens("Payments, paying 及时付款 was naïvely") == ["payment", "pay", "及", "时", "付", "款", "was", "naïvely"]
    assert [stem(word) for word in ("hopping", "filing", "relational", "controlled", "dying", "parties", "agreed")] == [
        "hop", "file", "relat", "control", "die", "parti", "agre"]
    assert rouge_l("the tenant pays rent", "the tenants paying rents").f1 == 0.25
    assert rouge_l("the tenant pays rent", "the tenants paying rents", stemmed_tokens).f1 == 1.0


def test_a_share_to_edit_is_hand_worked() -> None:
    assert edit_share("应当付款", "不应付款") == pytest.approx(0.5)  # one insertion, one deletion, over four characters
    assert edit_share("same", "same") == 0.0
    assert edit_words("The tenant shall pay.", "the tenant PAYS") == 0.5  # one word replaced, one deleted, over four
    assert edit_words("甲方付款", "甲方 应付款") == pytest.approx(0.2)
    assert is_exact("the  same\ntext", "the same text")
    assert not is_exact("shall", "shall not")


def test_a_flipped_duty_is_noticed_where_words_hardly_differ() -> None:
    reference = "The Licensee shall pay 500 dollars within thirty (30) days."
    flipped = "The Licensee shall not pay 500 dollars within 30 days."
    # Facts of the reference: the party, shall, 500 dollars, 30 days; the flipped draft has all but the duty.
    assert slot_counts(reference, flipped, "en") == (3, 4, 4)
    assert rouge_l(reference, flipped).f1 > 0.8
    assert slot_counts("甲方应当支付壹拾万元。", "甲方不应当支付100,000元。", "zh") == (2, 3, 3)
    assert slot_counts("No facts here", "", "en").drafted == 0


def test_repetition_is_hand_worked() -> None:
    # Nine tokens have six runs of four; "a b c d" comes twice, the rest once: 1 - 5/6
    assert repetition("a b c d x a b c d") == pytest.approx(1 / 6)
    assert repetition("a b c") == 0.0


def test_a_draft_in_circles_is_found_and_a_clause_is_not() -> None:
    assert is_looping("the licensee shall pay. " * 10)
    assert not is_looping("The licensee shall pay each invoice within thirty days of receipt, in the currency that it names.")


def test_every_metric_says_what_is_good() -> None:
    assert {metric.name: metric.good for metric in METRICS} == {
        "bits_per_byte": "low", "perplexity": "low", "rouge_l": "high", "rouge_lsum": "high", "rouge_1": "high",
        "rouge_2": "high", "bleu_en": "high",
        "bleu_zh": "high", "chrf": "high", "slot_recall": "high", "slot_precision": "high",
        "edit_share": "low", "edit_words": "low", "points_covered": "high", "exact_match": "high", "checks_met": "high",
        "clause_type_match": "high", "clause_type_f1": "high", "looping_share": "low",
        "repetition": "", "stopped_share": "", "draft_tokens": ""}
