"""What a few drafts are worth: ROUGE-L by hand, its paired difference, and whether JSON keeps its form."""

from __future__ import annotations

import pytest

from tutelage.core.copies import PairedDrafts
from tutelage.core.records import Sampling
from tutelage.scores.grade import grader, has_form, valid_share
from tutelage.scores.settings import ScoresSettings

GRADER = grader(ScoresSettings(bootstrap=1000, max_draft_tokens=33, repetition_penalty=1.2, seed=7))


def test_drafts_are_made_as_the_scores_make_them():
    assert GRADER.sampling == Sampling(max_tokens=33, repetition_penalty=1.2, seed=7)


def test_the_task_score_and_its_difference_are_right_by_hand():
    # Of "a b c d" the draft "a b" has 2 of 4 words and nothing else: recall 1/2, precision 1, F1 2/3. The others are equal or have nothing.
    found = GRADER.grade(PairedDrafts(["d1", "d2"], ["a b c d", "e f"], ["a b c d", "x y"], ["a b", "e f"]))
    assert (found.rows, found.documents) == (2, 2)
    assert found.before == pytest.approx(0.5)
    assert found.task == pytest.approx((2 / 3 + 1) / 2)
    assert found.difference == pytest.approx(found.task - found.before)
    assert found.low == pytest.approx(-1 / 3)  # both resamples of the first document
    assert found.high == pytest.approx(1.0)
    assert (found.valid_before, found.valid_share) == (None, None)


def test_json_is_valid_where_it_has_the_form_of_the_true_answer():
    truths = ['{"party": "A", "days": 30}', '[{"n": 1}]', "plain text", "5"]
    good = ['```json\n{"days": 7.5, "party": "B"}\n```', '[{"n": 2}, {"n": 3}]', "anything", "x"]
    bad = ['{"party": "A"}', '[{"m": 1}]', "anything", "x"]
    assert valid_share(truths, good) == 1.0
    assert valid_share(truths, bad) == 0.0
    assert valid_share(truths, [good[0], *bad[1:]]) == 0.5
    assert valid_share(truths[2:], good[2:]) is None


@pytest.mark.parametrize("form, found, is_valid", [
    ({"a": True}, {"a": False}, True), ({"a": True}, {"a": 1}, False), ({"a": 1}, {"a": True}, False), ({"a": None}, {"a": None}, True),
    ({"a": None}, {"a": "x"}, False), ([], [], True), ([], [1], False), ([1, "x"], ["y", 2], True),
    ({"a": {"b": []}}, {"a": {"c": []}}, False)])
def test_kinds_of_values_are_told_apart(form, found, is_valid):
    assert has_form(form, found) is is_valid
