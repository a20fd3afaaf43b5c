"""BLEU, chrF and ROUGE against figures that others published."""

import json
import random

import pytest
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics.bleu import BLEU
from shared_data import shared_data

from tutelage.scores.corpus_metrics import CorpusMetric, bleu, chrf
from tutelage.scores.overlap import Cut, Overlap, rouge_l, rouge_lsum, rouge_n, tokens
from tutelage.scores.stems import stem, stemmed_tokens

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


def rouge(metric: str, reference: str, draft: str, cut: Cut) -> Overlap:
    """A ROUGE by rouge-score's name for it."""
    named = {"rougeL": rouge_l, "rougeLsum": rouge_lsum}
    return named[metric](reference, draft, cut) if metric in named else rouge_n(reference, draft, int(metric.removeprefix("rouge")), cut)


def test_published_rouge_cases():
    rows = [json.loads(line) for line in shared_data("metrics_unit_cases/rouge_cases.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        found = rouge(row["metric"], row["target"], row["prediction"], stemmed_tokens if row["stemmer"] else tokens)
        expected = (row["precision"], row["recall"], row["fmeasure"])
        assert (found.precision, found.recall, found.f1) == pytest.approx(expected, abs=1e-4), row["id"]
    assert len(rows) == 20


def test_the_package_rouge_counts_each_run_of_words_once_so_its_published_scores_are_another_metric():
    rows = [json.loads(line) for line in shared_data("metrics_unit_cases/pltrdy_rouge_cases.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        drafted, expected = (set(row[side].split()) for side in ("hyp", "ref"))
        assert len(drafted & expected) / len(expected) == pytest.approx(row["scores"]["rouge-1"]["r"]), row["hyp"]
        assert rouge_n(row["ref"], row["hyp"], 1).recall != pytest.approx(row["scores"]["rouge-1"]["r"], abs=1e-3)
    assert len(rows) == 4


@pytest.mark.parametrize("stems", [False, True])
def test_rouge_equals_rouge_score_on_ascii_text_with_and_without_stems(stems: bool):
    rng = random.Random(8)
    words = [*WORDS, "pays", "paying", "payments", "agreed", "agreement", "obligations", "parties", "party's", "terminated", "dying", "\n"]
    metrics = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer, cut = rouge_scorer.RougeScorer(metrics, use_stemmer=stems), stemmed_tokens if stems else tokens
    for _ in range(200):
        reference, draft = (" ".join(rng.choice(words) for _ in range(rng.randrange(1, 50))) for _ in range(2))
        theirs = scorer.score(reference, draft)
        for metric in metrics:
            assert rouge(metric, reference, draft, cut).f1 == pytest.approx(theirs[metric].fmeasure, abs=1e-12), (metric, reference, draft)


def test_stems_are_those_that_rouge_score_takes():
    stemmer, names = PorterStemmer(), shared_data("cuad")
    words = sorted({word for path in sorted(names.glob("clauses.part*.jsonl"))[:1] for word in tokens(path.read_text("utf-8"))
                    if word.isascii()})
    assert [word for word in words if stem(word) != stemmer.stem(word)] == []
    assert len(words) > 5000
