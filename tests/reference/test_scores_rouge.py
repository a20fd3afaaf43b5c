"""ROUGE-L against the rouge-score package."""

import random
import string

import pytest
from rouge_score import rouge_scorer

from tutelage.scores.overlap import rouge_l

WORDS = ["Licensee", "shall", "not", "disclose", "the", "Software,", "(30)", "days'", "non-exclusive", "e.g.", "u.s.c.", "it's", "$1,000"]


def test_rouge_l_equals_rouge_score_on_ascii_text() -> None:
    rng = random.Random(0)
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    compared = 0
    for _ in range(300):
        texts = [" ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 60))) for _ in range(2)]
        assert rouge_l(*texts).f1 == pytest.approx(scorer.score(*texts)["rougeL"].fmeasure, abs=1e-12)
        compared += 1
    for _ in range(300):
        texts = ["".join(rng.choice(string.printable) for _ in range(rng.randrange(1, 80))) for _ in range(2)]
        assert rouge_l(*texts).f1 == pytest.approx(scorer.score(*texts)["rougeL"].fmeasure, abs=1e-12)
        compared += 1
    assert compared == 600


def test_rouge_score_gives_nothing_to_identical_chinese_and_we_give_all() -> None:
    text = "保密期限为三年。"
    assert rouge_scorer.RougeScorer(["rougeL"]).score(text, text)["rougeL"].fmeasure == 0.0
    assert rouge_l(text, text).f1 == 1.0
