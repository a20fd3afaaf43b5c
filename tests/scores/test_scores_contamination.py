"""Contamination: leaks among what was trained, familiar rows apart from novel ones, and which rows the base may have read."""

import random

import numpy as np
import pytest
from fake_scores import clause, example

from tutelage.core.records import Score, TokenScore
from tutelage.scores.asked import surprise_of
from tutelage.scores.contamination import by_relation, hint, leaked, relatives, seems_known
from tutelage.scores.results import CandidateMeasured, Measured, RowMeasure
from tutelage.text.similarity import long_runs

RNG = random.Random(3)
TEXTS = [clause(RNG, "payment") for _ in range(4)]
SCORED = [example(number, "held_out", "payment", text, f"h{number}") for number, text in enumerate(TEXTS)]
NONE = np.array([], dtype=np.uint64)


def test_each_rule_finds_its_leak():
    words = TEXTS[1].split()
    seen = [example(0, "train", "payment", TEXTS[0], "t0"),  # the same
            example(1, "train", "payment", " ".join(words[:20]), "t1"),  # the first half of it
            example(2, "train", "payment", "Wholly new words open here before " + " ".join(TEXTS[2].split()[:14]) + " and others "
                    + clause(RNG, "termination", 60), "t2")]  # a run of 14 words in a text of its own
    assert leaked(seen, SCORED, NONE) == {"held_out-0", "held_out-1", "held_out-2"}
    assert relatives(seen, SCORED) == {"held_out-0"}
    assert leaked([], SCORED, NONE) == relatives([], SCORED) == set()


def test_a_run_that_stands_in_many_documents_is_no_leak_and_without_that_list_runs_prove_nothing():
    run = " ".join(TEXTS[2].split()[:14])
    seen = [example(2, "train", "payment", f"Wholly new words open here before {run} and others " + clause(RNG, "termination", 60), "t2")]
    assert leaked(seen, SCORED, long_runs(TEXTS[2], "en")) == set()
    assert leaked(seen, SCORED, None) == set()


def measured(name: str, bits: list[float]) -> list[RowMeasure]:
    return [RowMeasure(row=row.id, candidate=name, document_id=row.document_id, clause_type="payment", nats=value, reply_tokens=1,
                       size_bytes=1, bits_per_byte=value) for row, value in zip(SCORED, bits, strict=True)]


def test_every_figure_is_given_for_familiar_and_novel_rows_apart():
    rows = {"base": measured("base", [1.0, 2.0, 3.0, 4.0]), "tuned": measured("tuned", [0.0, 1.0, 1.0, 1.0])}

    def mean(part):
        return [Score(candidate=name, metric="mean", value=sum(row.nats for row in measures) / len(measures), low=0, high=9,
                      n=len(measures)) for name, measures in part.items()]

    found = by_relation(rows, {"held_out-0", "held_out-1"}, mean)
    assert [(one.relation, one.n) for one in found] == [("familiar", 2), ("novel", 2)]
    assert [[score.value for score in one.scores] for one in found] == [[1.5, 0.5], [3.5, 1.0]]
    assert by_relation(rows, set(), mean) == []


def test_the_least_likely_fifth_of_tokens_is_hand_worked():
    # of ten tokens the two least likely: (4 + 3) / 2
    found = surprise_of([TokenScore(token_id=0, logprob=nats) for nats in (-0.1, -0.2, -4.0, -0.3, -3.0, -0.1, -0.1, -0.1, -0.1, -0.1)])
    assert found.nats == pytest.approx(8.1)
    assert found.hardest == pytest.approx(3.5)
    assert surprise_of([TokenScore(token_id=0, logprob=-1.5)]).hardest == 1.5
    assert found.guesses == ()  # this engine does not tell its likeliest token


def base_of(hardest: list[float | None]) -> CandidateMeasured:
    rows = tuple(Measured(row=row.id, nats=1.0, reply_tokens=1, size_bytes=1, answer=None, hardest=value)
                 for row, value in zip(SCORED, hardest, strict=True))
    return CandidateMeasured(candidate="base", engine="FakeEngine", seconds_scoring=0, seconds_drafting=0, rows=rows, too_long=())


def test_the_rows_that_surprise_the_base_least_are_named():
    examples = {row.id: row for row in SCORED}
    base = base_of([5.0, 0.5, 3.0, 4.0])
    found = hint(base, examples)
    assert found is not None
    assert (found.n, found.median) == (4, 3.5)
    assert found.rows[:2] == (("held_out-1", 0.5), ("held_out-2", 3.0))
    assert seems_known(base, examples) == {"held_out-1", "held_out-2"}
    silent = base_of([None] * 4)
    assert hint(silent, examples) is None
    assert seems_known(silent, examples) == set()
