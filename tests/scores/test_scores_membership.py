"""Membership: hand-worked figures, and what they are for a model that remembers nothing."""

import numpy as np
import pytest

from tutelage.scores.membership import auc, found_at, membership
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings(bootstrap=1000)


def test_auc_is_hand_worked():
    # 3 beats 1 and 2, 2 beats 1 and ties with 2: (2 + 1 + 0.5) / 4
    assert auc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)


def test_of_few_others_none_may_be_taken_for_a_training_row():
    # the limit is the greatest of the others, 4: two of five training rows are above it
    assert found_at(np.array([1.0, 4.0, 5.0, 6.0, 0.0]), np.array([4.0, 2.0, 3.0])) == pytest.approx(0.4)


def test_of_two_hundred_others_two_may_be_taken_for_training_rows():
    # 1 % of 200 is 2: values 199 and 198 may be exceeded, the limit is 197
    assert found_at(np.array([197.0, 197.5, 300.0, 5.0]), np.arange(200.0)) == pytest.approx(0.5)


def test_a_model_that_remembers_nothing_is_told_by_nobody():
    rng = np.random.default_rng(7)
    found = [membership(rng.normal(size=60), rng.normal(size=60), SETTINGS) for _ in range(24)]
    assert float(np.mean([one.auc for one in found])) == pytest.approx(0.5, abs=0.04)
    held = sum(one.auc_between.low <= 0.5 <= one.auc_between.high for one in found)
    assert held >= 19  # 95 % of 24 is 23, with a standard deviation of 1.1
    # the chance to lie above the greatest of 60 others is 1 / 61
    assert float(np.mean([one.found for one in found])) == pytest.approx(1 / 61, abs=0.02)


def test_a_model_that_remembers_all_is_told_by_everybody():
    found = membership(np.linspace(2, 3, 40), np.linspace(0, 1, 40), SETTINGS)
    assert (found.auc, found.found, found.auc_between.low, found.found_between.low) == (1.0, 1.0, 1.0, 1.0)
