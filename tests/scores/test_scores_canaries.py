"""Exposure: hand-worked, uniform ranks of what was never planted, the false-alarm rate of the rule, and what training never reached."""

import math

import numpy as np
import pytest

from tutelage.core.records import Canary
from tutelage.scores.canaries import OTHERS, chance_range, exposure, judge_canaries, rows_to_score
from tutelage.scores.results import CandidateMeasured
from tutelage.scores.settings import ScoresSettings
from tutelage.text.canaries import row_id

SETTINGS = ScoresSettings(memory="full")
COPIES = [0] * 10 + [1] * 10 + [4] * 2 + [16]
PLANTED = [Canary(id=f"c{number}", language="en", copies=copies, text=f"text {number}") for number, copies in enumerate(COPIES)]
ALL = {row_id(canary.id, copy): 1 for canary in PLANTED for copy in range(1, canary.copies + 1)}


def tuned(nats: dict[str, float], others: list[float]) -> CandidateMeasured:
    return CandidateMeasured(candidate="tuned", engine="FakeEngine", seconds_scoring=0, seconds_drafting=0, rows=(), too_long=(),
                             canaries=nats, never_planted={"en": tuple(others)})


def drawn(seed: int, gain: float = 0.0) -> CandidateMeasured:
    """Nats of all texts drawn alike; `gain` is what each copy lowers them by."""
    rng = np.random.default_rng(seed)
    return tuned({canary.id: float(rng.normal(30, 2) - gain * canary.copies) for canary in PLANTED}, rng.normal(30, 2, OTHERS).tolist())


def test_exposure_is_hand_worked():
    others = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert exposure(0.5, others) == 3.0  # first of 8: log2 8 - log2 1
    assert exposure(1.5, others) == 2.0  # second of 8
    assert exposure(9.0, others) == 0.0  # last of 8
    assert exposure(4.0, others) == pytest.approx(3 - math.log2(4.5))  # three before it, one beside it


def test_what_was_never_planted_has_uniform_ranks():
    rng = np.random.default_rng(3)
    found = np.array([exposure(draw[0], draw[1:]) for draw in rng.normal(size=(4000, 256))])
    # exposures of uniform ranks are exponential in bits: mean log2 e = 1.443, and half of them above 1, an eighth above 3
    assert float(found.mean()) == pytest.approx(math.log2(math.e), abs=0.07)
    assert float(np.mean(found > 1)) == pytest.approx(0.5, abs=0.03)
    assert float(np.mean(found > 3)) == pytest.approx(1 / 8, abs=0.02)


def test_the_range_of_chance_is_hand_worked_for_few_texts():
    # one text among three others: ranks 1 to 4 are as likely, which are 2, 1, 0.415 and 0 bits; the middle ones end at 30 and 70 %
    one = chance_range((1,), 3, alpha=0.3, seed=0)
    assert (one.low, one.high) == (pytest.approx(2 - math.log2(3)), 1.0)
    # two texts and one other: both, one or none before it is as likely, with a mean of 1, 0.5 or 0 bits
    two = chance_range((2,), 1, alpha=0.4, seed=0)
    assert (two.low, two.high) == (0.5, 0.5)


def test_the_range_of_chance_is_nearly_that_of_a_gamma_distribution():
    # The mean of ten exponentials: the 0.95 quantile of chi-squared with 20 degrees, 31.41, over 20, times 1.4427 bits; 10.85 at 0.05.
    # With 511 others the top ranks stand for a stretch each, so that the true range ends up to 0.08 lower.
    between = chance_range((10,), 511, alpha=0.05, seed=0)
    assert between.high == pytest.approx(31.41 / 20 * 1.4427, abs=0.08)
    assert between.low == pytest.approx(10.85 / 20 * 1.4427, abs=0.05)
    assert chance_range((10, 10), 511, alpha=0.05, seed=0).high == pytest.approx(55.76 / 40 * 1.4427, abs=0.08)  # 40 degrees


def test_a_model_without_memory_is_rarely_accused_and_its_controls_rarely_doubted():
    found = [judge_canaries(PLANTED, drawn(seed), ALL, SETTINGS) for seed in range(120)]
    accused = sum(one.is_within is False for one in found if one)
    assert 1 <= accused <= 14  # 5 % of 120 is 6, with a standard deviation of 2.4
    assert sum(not one.controls_are_within for one in found if one) <= 14


def test_a_model_that_remembers_what_it_saw_once_is_found_out():
    found = judge_canaries(PLANTED, drawn(1, gain=6.0), ALL, SETTINGS)
    assert found is not None
    assert found.is_within is False
    assert found.ceiling == 9.0  # log2 512
    by_copies = {one.copies: one for one in found.exposures}
    assert [by_copies[copies].planted for copies in (0, 1, 4, 16)] == [10, 10, 2, 1]
    assert by_copies[1].mean > found.one_copy_high
    assert by_copies[4].mean == by_copies[16].highest == 9.0
    assert found.controls_are_within


def test_memory_of_many_copies_alone_does_not_break_the_rule():
    found = judge_canaries(PLANTED, drawn(2, gain=0.15), ALL, SETTINGS)
    assert found is not None
    assert found.is_within is True


def test_a_canary_without_loss_in_every_copy_is_not_counted():
    learned = {row: times for row, times in ALL.items() if row not in (row_id("c10", 1), row_id("c20", 3))}
    learned[row_id("c11", 1)] = 3
    found = judge_canaries(PLANTED, drawn(1, gain=6.0), learned, SETTINGS)
    assert found is not None
    by_copies = {one.copies: one for one in found.exposures}
    assert (by_copies[1].planted, by_copies[1].trained) == (10, 9)
    assert by_copies[1].times == pytest.approx((8 + 3) / 9)
    assert (by_copies[4].planted, by_copies[4].trained) == (2, 1)


def test_without_loss_at_one_copy_there_is_no_verdict():
    found = judge_canaries(PLANTED, drawn(1), {}, SETTINGS)
    assert found is not None
    assert found.is_within is None
    assert judge_canaries([], drawn(1), {}, SETTINGS) is None


def test_controls_that_the_model_knows_are_told():
    known = drawn(5)
    nats = {name: value - (20 if name in {f"c{number}" for number in range(10)} else 0) for name, value in known.canaries.items()}
    found = judge_canaries(PLANTED, known.model_copy(update={"canaries": nats}), ALL, SETTINGS)
    assert found is not None
    assert not found.controls_are_within


def test_canaries_are_ranked_among_texts_of_their_own_language():
    chinese = Canary(id="z", language="zh", copies=1, text="文字")
    rows, others = rows_to_score([*PLANTED, chinese], seed=0)
    assert [row.parent for row in rows] == [*(canary.id for canary in PLANTED), "z"]
    assert {language: len(found) for language, found in others.items()} == {"en": OTHERS, "zh": OTHERS}
    assert len({row.id for row in others["en"]}) == OTHERS
    assert all(row.text not in {canary.text for canary in PLANTED} for row in others["en"])
