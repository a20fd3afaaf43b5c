"""How well two people agree, against numbers that were worked out by hand."""

import pytest

from tutelage.desk.agreement import cohen_kappa, wilson


def test_the_interval_is_wilsons() -> None:
    # 5 of 10, z^2 = 3.8415: middle 0.5 + 3.8415/20 = 0.69207, spread 1.96 sqrt(0.25/10 + 3.8415/400) = 0.36459, over 1.38415.
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    # 10 of 10: the low end is (1 + 3.8415/20 - 1.96 sqrt(3.8415/400)) / 1.38415 = 1 / 1.38415, and no share is above 1.
    assert wilson(10, 10) == pytest.approx((0.72247, 1.0), abs=1e-5)
    assert wilson(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)


def test_nothing_is_known_of_no_pairs() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert cohen_kappa({}) is None


def test_kappa_is_agreement_beyond_chance() -> None:
    # 35 of 50 equal: p_o = 0.7. The first says term 25 of 50 times, the second 30: p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5; (0.7 - 0.5) / 0.5.
    counts = {("term", "term"): 20, ("term", "none"): 5, ("none", "term"): 10, ("none", "none"): 15}
    assert cohen_kappa(counts) == pytest.approx(0.4)


def test_kappa_with_three_labels_of_which_one_person_gave_only_two() -> None:
    # p_o = 4/6. First: term 3, notices 2, none 1; second: term 4, notices 2. p_e = (3*4 + 2*2 + 1*0) / 36 = 16/36; (24 - 16) / (36 - 16).
    counts = {("term", "term"): 3, ("notices", "notices"): 1, ("notices", "term"): 1, ("none", "notices"): 1}
    assert cohen_kappa(counts) == pytest.approx(0.4)


@pytest.mark.parametrize("counts, expected", [({("a", "a"): 3, ("b", "b"): 2}, 1.0), ({("a", "b"): 3, ("b", "a"): 3}, -1.0),
                                              ({("a", "a"): 5}, None), ({("a", "b"): 5}, 0.0)])
def test_kappa_at_its_ends(counts: dict[tuple[str, str], int], expected: float | None) -> None:
    assert cohen_kappa(counts) == expected
