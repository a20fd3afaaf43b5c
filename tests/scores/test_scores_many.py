"""Several tests at once, power of paired yes-and-no rows, and what zero of n means: hand-worked, other programs, simulation."""

import numpy as np
import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from tutelage.scores.statistics import (
    benjamini_hochberg,
    fisher_p_value,
    highest_unseen_share,
    holm,
    mcnemar_p_value,
    mcnemar_power,
    swap_p_value,
)


def test_holm_is_hand_worked():
    # Sorted 0.01, 0.02, 0.03, 0.04 against 0.05/4 = 0.0125, 0.05/3 = 0.0167: the second fails, and with it all later ones.
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.02}) == {"a": True, "d": False, "c": False, "b": False}


def test_benjamini_hochberg_is_hand_worked():
    # Against 0.0125, 0.025, 0.0375, 0.05 the fourth holds, so all before it do.
    assert benjamini_hochberg({"a": 0.01, "b": 0.05, "c": 0.04, "d": 0.02}) == {"a": True, "d": True, "c": True, "b": True}
    assert benjamini_hochberg({"a": 0.06, "b": 0.9}) == {"a": False, "b": False}


@pytest.mark.parametrize("seed", range(20))
def test_both_agree_with_statsmodels(seed: int):
    values = np.random.default_rng(seed).beta(0.5, 4, size=9)
    named = {str(number): float(value) for number, value in enumerate(values)}
    for ours, method in ((holm(named), "holm"), (benjamini_hochberg(named), "fdr_bh")):
        theirs = multipletests(values, alpha=0.05, method=method)[0]
        assert [ours[str(number)] for number in range(9)] == list(theirs)


def test_mcnemar_agrees_with_statsmodels():
    assert mcnemar_p_value(7, 19) == pytest.approx(float(mcnemar([[30, 7], [19, 44]], exact=True).pvalue), abs=1e-12)


def test_fisher_is_hand_worked_and_agrees_with_scipy():
    # three of three against none of three: one of the twenty ways to choose three of six
    assert fisher_p_value(3, 3, 0, 3) == pytest.approx(1 / 20)
    assert fisher_p_value(0, 3, 0, 3) == 1.0
    assert fisher_p_value(0, 0, 1, 3) == 1.0
    assert fisher_p_value(9, 40, 3, 35) == pytest.approx(float(fisher_exact([[9, 31], [3, 32]], alternative="greater").pvalue), abs=1e-12)


def test_six_points_on_seventy_percent_are_seen_with_400_rows():
    # 70 % and 76 % right, discordant in 2 + 8 % of rows: models that came from one another mostly fail on the same rows.
    power = mcnemar_power(0.08, 0.02, 400)
    assert power >= 0.85
    rng = np.random.default_rng(1)
    counts = rng.multinomial(400, [0.68, 0.08, 0.02, 0.22], size=2000)
    seen = np.mean([mcnemar_p_value(int(row[1]), int(row[2])) <= 0.05 for row in counts])
    assert power == pytest.approx(float(seen), abs=0.03)


def test_no_difference_has_the_power_of_a_false_alarm():
    assert mcnemar_power(0.05, 0.05, 400) <= 0.05
    assert mcnemar_power(0.0, 0.0, 400) == 0.0


def test_none_in_300_may_still_be_one_in_a_hundred():
    assert highest_unseen_share(300) == pytest.approx(0.009936, abs=1e-6)  # 1 - 0.05^(1/300); 3 / 300 = 0.01
    with pytest.raises(ValueError, match="n is 0"):
        highest_unseen_share(0)


def test_swapping_documents_gives_the_false_alarms_it_promises():
    rng = np.random.default_rng(4)
    alarms = 0
    for run in range(300):
        first, second = (np.column_stack([rng.normal(2, 1, 40), np.ones(40)]) for _ in range(2))
        alarms += swap_p_value(first, second, lambda total: float(total[0] / total[1]), resamples=300, seed=run) <= 0.05
    assert 0.02 <= alarms / 300 <= 0.085  # 300 runs: two standard errors are 0.025
