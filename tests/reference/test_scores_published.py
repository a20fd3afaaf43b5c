"""BLEU, chrF and ROUGE against figures that others published."""

import json
import random

import pytest
from rouge_score import rouge_scorer
from sacrebleu.metrics.bleu import BLEU
from shared_data import shared_data

from tutelage.scores.corpus_metrics import CorpusMetric, bleu, chrf
from tutelage.scores.overlap import rouge_l, rouge_n

WORDS = ["Licensee", "shall", "not", "disclose", "the", "Software,", "(30)", "days'", "non-exclusive", "it's", "$1,000"]


def lines(name: str) -> list[str]:
    return shared_data(f"metrics_wmt22_zh_en/{name}").read_text("utf-8").split("\n")[:-1]


def test_bleu_and_chrf_are_those_that_the_organisers_of_wmt22_published():
    references = {"A": [lines("reference.A.en")], "B": [lines("reference.B.en")], "all": [lines("reference.A.en"), lines("reference.B.en")]}
    compared = 0
    for line in lines("published_scores.jsonl"):
        row = json.loads(line)
        metric, _, which = row["metric"].partition("-")
        if metric in ("bleu", "chrf"):
            corpus = bleu("en") if metric == "bleu" else chrf()
            assert corpus.of(lines(f"system.{row['system']}.en"), *references[which]) == pytest.approx(row["score"], abs=1e-6), row
            compared += 1
    assert compared == 18


def test_published_bleu_cases():
    rows = [json.loads(line) for line in shared_data("metrics_unit_cases/bleu_cases.jsonl").read_text("utf-8").splitlines()]
    compared = 0
    for row in rows:
        options = {"effective_order" if key == "use_effective_order" else key: value for key, value in row["options"].items()}
        corpus = CorpusMetric(BLEU(**options))
        assert corpus.of(row["hypotheses"], *row["references"]) == pytest.approx(row["bleu"], abs=1e-4), row["id"]
        compared += 1
    assert compared == 9


def test_published_rouge_cases_without_stemming():
    rows = [json.loads(line) for line in shared_data("metrics_unit_cases/rouge_cases.jsonl").read_text("utf-8").splitlines()]
    compared = 0
    for row in rows:
        if row["stemmer"] or row["metric"] == "rougeLsum":
            continue
        found = (rouge_l(row["target"], row["prediction"]) if row["metric"] == "rougeL"
                 else rouge_n(row["target"], row["prediction"], int(row["metric"][-1])))
        assert (found.precision, found.recall, found.f1) == pytest.approx((row["precision"], row["recall"], row["fmeasure"]), abs=1e-4)
        compared += 1
    assert compared == 12


def test_rouge_n_equals_rouge_score_on_ascii_text():
    rng = random.Random(5)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2"], use_stemmer=False)
    for _ in range(200):
        reference, draft = (" ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 40))) for _ in range(2))
        theirs = scorer.score(reference, draft)
        for n in (1, 2):
            assert rouge_n(reference, draft, n).f1 == pytest.approx(theirs[f"rouge{n}"].fmeasure, abs=1e-12)
