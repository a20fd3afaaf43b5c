"""Intervals, tests and sample sizes: hand-worked values, scipy as a second opinion, and simulations of their error rates."""

import math

import numpy as np
import pytest
from scipy import stats

from tutelage.scores.statistics import (
    Grouped,
    Interval,
    documents_to_decide,
    flip_p_value,
    group,
    mcnemar_p_value,
    non_inferiority,
    paired_share_interval,
    percentile_interval,
    resampled_ratios,
    rows_to_decide,
    smallest_visible,
    verdict,
    wilson,
)


def test_rows_are_summed_by_document_in_sorted_order() -> None:
    found = group(["b", "a", "b"], [1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    assert found.numerators.tolist() == [2.0, 4.0]
    assert found.denominators.tolist() == [20.0, 40.0]
    assert found.ratio == pytest.approx(6 / 60)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2, 1 and 2"):
        group(["a", "b"], [1.0], [1.0, 1.0])


def test_wilson_of_8_in_10_is_the_textbook_value() -> None:
    # z = 1.959964, z^2 = 3.841459: middle (0.8 + 3.841459 / 20) / 1.3841459 = 0.716740;
    # half 1.959964 * sqrt(0.8 * 0.2 / 10 + 3.841459 / 400) / 1.3841459 = 0.226578
    found = wilson(8, 10)
    assert (found.low, found.high) == pytest.approx((0.490162, 0.943318), abs=2e-6)


@pytest.mark.parametrize(("successes", "n"), [(0, 12), (1, 48), (30, 48), (48, 48)])
def test_wilson_equals_scipy(successes: int, n: int) -> None:
    other = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (wilson(successes, n).low, wilson(successes, n).high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="successes is 3 of 2"):
        wilson(3, 2)


def test_wilson_covers_the_true_share_95_times_in_100() -> None:
    # Exact, without simulation: the binomial probability of all counts whose interval holds the true share.
    covered = []
    for share in np.linspace(0.05, 0.95, 181):
        held = [count for count in range(49) if share in wilson(count, 48)]
        covered.append(float(stats.binom.pmf(held, 48, share).sum()))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)
    assert min(covered) > 0.89


def test_mcnemar_of_1_against_9_is_22_in_1024() -> None:
    # 2 * (C(10,0) + C(10,1)) / 2^10
    assert mcnemar_p_value(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar_p_value(9, 1) == pytest.approx(stats.binomtest(1, 10, 0.5).pvalue)


def test_mcnemar_of_equal_rows_says_nothing() -> None:
    assert mcnemar_p_value(0, 0) == 1.0
    assert mcnemar_p_value(4, 4) == 1.0


def test_flipping_three_equal_signs_gives_two_of_eight() -> None:
    assert flip_p_value(np.array([1.0, 2.0, 3.0]), resamples=1000, seed=0) == pytest.approx(0.25)


def test_below_six_documents_no_flip_test_can_reach_5_percent() -> None:
    assert flip_p_value(np.ones(5), resamples=1000, seed=0) == pytest.approx(2 / 32)
    assert flip_p_value(np.ones(6), resamples=1000, seed=0) == pytest.approx(2 / 64)


def test_the_fewest_documents_that_can_decide_are_those_of_the_flip_test() -> None:
    assert documents_to_decide(0.05) == 6
    assert documents_to_decide(0.01) == 8  # 2 / 2^8 = 0.0078, 2 / 2^7 = 0.0156


def test_flips_agree_with_scipys_permutation_test() -> None:
    values = np.random.default_rng(3).normal(0.25, 1, 12)
    other = stats.permutation_test((values,), lambda sample: np.sum(sample), permutation_type="samples", n_resamples=np.inf)
    assert flip_p_value(values, resamples=1000, seed=0) == pytest.approx(float(other.pvalue), abs=1e-9)


def test_random_flips_come_close_to_all_flips() -> None:
    values = np.random.default_rng(4).normal(0.2, 1, 16)
    signs = 1.0 - 2.0 * ((np.arange(2 ** 16)[:, None] >> np.arange(16)) & 1)
    exact = float(np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9))
    # 20,000 random flips: standard error at most sqrt(0.25 / 20000) = 0.0035
    assert flip_p_value(values, resamples=20_000, seed=1) == pytest.approx(exact, abs=0.012)


def test_the_interval_of_a_mean_agrees_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(5).gamma(2.0, 1.0, 60)
    ours = percentile_interval(resampled_ratios([Grouped(values, np.ones(60))], resamples=8000, seed=0)[0])
    other = stats.bootstrap((values,), np.mean, n_resamples=8000, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((other.low, other.high), abs=0.03)


def test_all_groups_see_the_same_resamples() -> None:
    group_of_documents = Grouped(np.arange(1.0, 21.0), np.full(20, 2.0))
    shifted = Grouped(group_of_documents.numerators + 1.0, group_of_documents.denominators)
    first, second = resampled_ratios([group_of_documents, shifted], resamples=1000, seed=7)
    assert np.ptp(second - first) == pytest.approx(0.0, abs=1e-12)


def simulated_pair(rng: np.random.Generator, documents: int, difference: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models' nats on 3 rows a document; documents and the models' difference on a document vary more than rows do."""
    clusters = np.repeat(np.arange(documents), 3)
    first = 2.0 + rng.normal(0, 1, documents)[clusters] + rng.normal(0, 0.2, documents * 3)
    second = first + difference + rng.normal(0, 0.3, documents)[clusters] + rng.normal(0, 0.1, documents * 3)
    return clusters.astype(str), first, second


def rates(documents: int, difference: float, runs: int = 500, *, by_document: bool = True) -> tuple[float, float, float]:
    """Shares of runs whose interval leaves out 0, whose flip test says p <= 0.05, and whose interval holds the true difference."""
    rng = np.random.default_rng(11)
    outside = rejected = covered = 0
    for run in range(runs):
        clusters, first, second = simulated_pair(rng, documents, difference)
        if not by_document:
            clusters = np.arange(len(first)).astype(str)
        bytes_ = np.full(len(first), 1.0)
        one, other = group(list(clusters), list(second), list(bytes_)), group(list(clusters), list(first), list(bytes_))
        ratios = resampled_ratios([one, other], resamples=300, seed=run)
        interval = percentile_interval(ratios[0] - ratios[1])
        outside += 0.0 not in interval
        covered += difference in interval
        rejected += flip_p_value(one.numerators - other.numerators, resamples=300, seed=run) <= 0.05
    return outside / runs, rejected / runs, covered / runs


def test_equal_models_are_called_different_5_times_in_100() -> None:
    by_interval, by_flips, _ = rates(documents=60, difference=0.0)
    assert 0.03 <= by_interval <= 0.07
    assert 0.03 <= by_flips <= 0.07


def test_intervals_hold_the_true_difference_95_times_in_100() -> None:
    _, _, covered = rates(documents=60, difference=0.2)
    assert 0.93 <= covered <= 0.97


def test_rows_taken_as_independent_would_call_equal_models_different_far_too_often() -> None:
    by_interval, by_flips, _ = rates(documents=60, difference=0.0, runs=200, by_document=False)
    assert by_interval > 0.12
    assert by_flips > 0.12


def test_the_paired_interval_of_shares_covers_and_mcnemar_errs_at_most_5_times_in_100() -> None:
    rng = np.random.default_rng(2)
    probabilities = np.array([0.5, 0.15, 0.15, 0.2])
    counts = rng.multinomial(100, probabilities, size=3000)
    covered = np.mean([0.0 in paired_share_interval(*map(int, row)) for row in counts])
    rejected = np.mean([mcnemar_p_value(int(row[1]), int(row[2])) <= 0.05 for row in counts])
    assert 0.93 <= covered <= 0.975
    assert 0.015 <= rejected <= 0.055  # the exact test is conservative by nature


def test_newcombes_interval_without_discordant_rows_is_still_wide() -> None:
    # 10 of 10 both: Wilson gives 0.7225 to 1 for each share; phi is 0, so the ends are -0.2775 and +0.2775.
    found = paired_share_interval(10, 0, 0, 0)
    assert (found.low, found.high) == pytest.approx((-0.277533, 0.277533), abs=1e-6)


def test_newcombes_interval_of_the_airway_data() -> None:
    # 21 children, 1 / 1 / 7 / 12: Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33, table of square-and-add intervals.
    found = paired_share_interval(1, 1, 7, 12)
    assert (found.low, found.high) == pytest.approx((-0.507, -0.026), abs=6e-4)


def test_a_verdict_needs_the_interval_and_the_test() -> None:
    assert verdict(Interval(-0.2, -0.1), 0.001, lower_is_better=True) == "better"
    assert verdict(Interval(-0.2, -0.1), 0.001, lower_is_better=False) == "worse"
    assert verdict(Interval(0.1, 0.2), 0.001, lower_is_better=True) == "worse"
    assert verdict(Interval(0.1, 0.2), 0.001, lower_is_better=False) == "better"
    assert verdict(Interval(-0.1, 0.2), 0.001, lower_is_better=True) == "not enough evidence"
    assert verdict(Interval(0.1, 0.2), 0.06, lower_is_better=True) == "not enough evidence"


def test_non_inferiority_looks_at_the_whole_interval() -> None:
    assert non_inferiority(Interval(-0.002, 0.009), 0.01) == "holds"
    assert non_inferiority(Interval(0.002, 0.011), 0.01) == "not enough evidence"
    assert non_inferiority(Interval(0.010, 0.012), 0.01) == "fails"


def test_a_copy_worse_by_the_margin_passes_at_most_a_few_times_in_100() -> None:
    rng = np.random.default_rng(8)
    passed = 0
    for run in range(600):
        values = rng.normal(0.01, 0.03, 60)
        interval = percentile_interval(resampled_ratios([Grouped(values, np.ones(60))], resamples=400, seed=run)[0])
        passed += non_inferiority(interval, 0.01) == "holds"
    assert 0.01 <= passed / 600 <= 0.045  # one side of a 95 % interval: 0.025


def test_rows_to_decide_is_hand_worked() -> None:
    # (1.959964 + 0.841621) * 0.05 / 0.1 = 1.400793; squared 1.962220; times 100 rows = 196.2
    assert rows_to_decide(0.1, 0.05, 100) == 197
    assert rows_to_decide(-0.1, 0.05, 100) == 197
    assert rows_to_decide(0.0, 0.05, 100) is None
    assert smallest_visible(0.05) == pytest.approx(0.140079, abs=1e-6)


def test_that_many_rows_see_the_difference_8_times_in_10() -> None:
    rng = np.random.default_rng(9)
    spread, difference = 1.0, 0.3
    rows = rows_to_decide(difference, spread / math.sqrt(50), 50)
    assert rows == 88
    seen = 0
    for run in range(400):
        values = rng.normal(difference, spread, rows)
        seen += flip_p_value(values, resamples=300, seed=run) <= 0.05
    assert 0.74 <= seen / 400 <= 0.86
