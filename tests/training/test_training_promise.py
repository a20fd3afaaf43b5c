"""What a training will take: the sums of the promise, and the choices for a given time, on numbers worked out by hand."""

import pytest
import torch

from tutelage.core.errors import InputError
from tutelage.training.budget import Settled, fit_steps, fitting_tokens, settle
from tutelage.training.devices import Device
from tutelage.training.fitting import Lost
from tutelage.training.preflight import Ready
from tutelage.training.probe import once_for_all, spread
from tutelage.training.promise import Pace, compare, promise_of, seconds_of, work_of
from tutelage.training.rows import TrainingRow
from tutelage.training.settings import TrainingSettings

CPU = Device("cpu", torch.float32, 2)


def row(number: int, length: int) -> TrainingRow:
    return TrainingRow(id=f"r{number}", ids=(1,) * length, supervised=(False,) + (True,) * (length - 1), reply_bytes=length)


# 40 rows of 100 tokens, 8 a step: 5 steps and 4,000 tokens an epoch, 800 tokens a step; 10 validation rows: 1,000 tokens a measurement.
READY = Ready(tuple(row(number, 100) for number in range(40)), tuple(row(100 + number, 100) for number in range(10)), Lost())
PACE = Pace(seconds_start=2, seconds_once=3, seconds_hash=1, seconds_token=0.005, seconds_validation_token=0.002,
            seconds_proof_token=0.003, seconds_checkpoint=0.5, memory_gb=3, gb_a_token=0.0025, room_gb=16, gpu_memory_gb=None, widest=800,
            is_measured=True, layers=30, steps=4, seconds=20)


def settings(**changed: object) -> TrainingSettings:
    return TrainingSettings.model_validate(changed)


def test_the_work_counts_tokens_measurements_and_checkpoints():
    work = work_of(settings(maximum_steps=24, validate_every=10, checkpoint_every=4), READY)
    # Measured before the first step and after 10, 20 and 24. Saved after 4, 8, 12, 16, 20, 24, and after 10.
    assert (work.tokens, work.measurements, work.checkpoints) == (24 * 800, 4, 7)
    assert (work.validation_tokens, work.proof_tokens) == (1000, 2 * 10 * 100)


def test_the_steps_of_an_unfinished_epoch_are_counted_by_their_own_rows():
    ready = Ready(tuple(row(number, 10 + number) for number in range(40)), READY.validation, Lost())
    whole = sum(10 + number for number in range(40))
    tokens = [work_of(settings(maximum_steps=steps), ready).tokens for steps in range(1, 11)]
    assert tokens[4] == whole
    assert tokens[9] == 2 * whole
    assert tokens == sorted(tokens)
    assert tokens[0] != whole // 5 or tokens[1] != 2 * whole // 5


def test_the_promise_adds_up_all_parts():
    chosen = settings(maximum_steps=24, validate_every=10, checkpoint_every=4)
    # Before 7; hash 1; two starts 4; once 3; proof 2,000 x 0.003 = 6; steps 19,200 x 0.005 = 96; 4 x 1,000 x 0.002 = 8; 7 x 0.5 = 3.5.
    assert seconds_of(PACE, work_of(chosen, READY), before=7) == pytest.approx(128.5)
    promise = promise_of(chosen, READY, PACE, before=7, device="cpu", threads=2)
    assert promise.minutes == pytest.approx(128.5 / 60, abs=1e-3)
    assert (promise.memory_gb, promise.tokens_per_second) == (3, 200)


def test_a_promise_is_kept_within_a_fifth_and_small_differences_do_not_count():
    chosen = settings(maximum_steps=24, validate_every=10, checkpoint_every=4)
    promise = promise_of(chosen, READY, PACE, before=7, device="cpu", threads=2)  # 128.5 s, 3 GB

    def is_kept(seconds: float, memory_gb: float = 3) -> bool:
        return compare(promise, chosen, READY, steps=24, seconds=seconds, memory_gb=memory_gb).is_kept

    assert is_kept(128.5 * 1.19)
    assert not is_kept(128.5 * 1.21)
    assert not is_kept(128.5 * 0.79)
    assert is_kept(128.5, memory_gb=3.5)
    assert not is_kept(128.5, memory_gb=3.7)
    short = settings(maximum_steps=1)
    quick = promise_of(short, READY, PACE, before=7, device="cpu", threads=2)  # 26 s: a fifth would be 5 s
    assert compare(quick, short, READY, steps=1, seconds=38, memory_gb=3.2).is_kept


def test_a_training_that_stops_early_is_compared_with_its_own_steps():
    chosen = settings(maximum_steps=24, validate_every=10, checkpoint_every=4)
    promise = promise_of(chosen, READY, PACE, before=7, device="cpu", threads=2)
    kept = compare(promise, chosen, READY, steps=10, seconds=60, memory_gb=3)
    # 21 around it, 8,000 x 0.005 = 40, two measurements 4, checkpoints after 4, 8 and 10: 1.5.
    assert kept.promised_minutes == pytest.approx(66.5 / 60, abs=1e-3)


def test_the_steps_that_fit_the_time_are_found():
    fit = fit_steps(settings(minutes=2), PACE, READY, before=7)
    # 0.9 x 120 = 108, less 21 around it: 87. A step takes 800 x 0.005 + 0.5 / 10 = 4.05, a measurement 1,000 x 0.002 + 0.5 = 2.5.
    # A fifth of 87 holds 6 measurements: 7 with the first, 17.5. 69.5 / 4.05 = 17 steps. Measured every 3 steps.
    assert (fit.possible, fit.steps, fit.validate_every) == (17, 17, 3)
    assert (fit.step_seconds, fit.measured_seconds) == (pytest.approx(4.05), pytest.approx(2.5))


def test_rows_are_not_repeated_more_than_four_times_however_much_time_there_is():
    fit = fit_steps(settings(minutes=60), PACE, READY, before=7)
    assert fit.steps == 20
    assert fit.possible > 700


def test_what_the_recipe_says_stands():
    fit = fit_steps(settings(minutes=60, maximum_steps=33, validate_every=7), PACE, READY, before=7)
    assert (fit.steps, fit.validate_every) == (33, 7)
    tight = fit_steps(settings(minutes=2, validate_every=5), PACE, READY, before=7)
    # (87 - 2 x 2.5) / (4.05 + 2.5 / 5) = 18.02
    assert (tight.steps, tight.validate_every) == (18, 5)


def test_too_little_time_is_refused_with_the_least_that_would_do():
    # (21 + 2 x 2.5 + 5 x 4.05) / 0.9 / 60 = 0.86
    with pytest.raises(InputError, match=r"training\.minutes: is 0\.5; here loading and proof take 21 seconds, each of two measurements 2 "
                                         r"and each step 4\.0, so 5 steps need 0\.9 minutes\. Allow at least that"):
        fit_steps(settings(minutes=0.5), PACE, READY, before=7)


# 400 rows of 100 tokens: 50 steps an epoch, so 200 steps at most.
MANY = Ready(tuple(row(number, 100) for number in range(400)), READY.validation, Lost())


def decide(tmp_path, *paces: Pace, **changed: object) -> tuple[Settled, list[TrainingSettings]]:
    """What is settled when the probes give these paces in turn, and the settings that were probed."""
    probed: list[TrainingSettings] = []

    def probe(asked: TrainingSettings) -> Pace:
        probed.append(asked)
        return paces[len(probed) - 1]

    settled = settle(settings(**changed), MANY, probe=probe, scratch=tmp_path, device=CPU, before=7, language="en")
    return settled, probed


def values(settled: Settled) -> dict[str, int | str]:
    return {chosen.setting: chosen.value for chosen in settled.chosen}


def test_without_a_time_nothing_is_chosen(tmp_path):
    settled, probed = decide(tmp_path, PACE)
    assert (settled.chosen, settled.changed, len(probed)) == ((), {}, 1)
    assert settled.promise.work.steps == 70


def test_all_layers_are_learned_where_enough_steps_fit(tmp_path):
    settled, probed = decide(tmp_path, PACE, minutes=5)
    # 0.9 x 300 - 21 = 249, less 11 x 2.5: 221.5 / 4.05 = 54 steps, 10 measurements after them.
    assert values(settled) == {"layers": "all", "rank": 16, "maximum_steps": 54, "validate_every": 6}
    assert settled.changed == {"maximum_steps": 54, "validate_every": 6}
    assert settled.apply(settings(minutes=5)).maximum_steps == settled.promise.work.steps == 54
    assert settled.promise.minutes < 5
    assert len(probed) == 1
    assert settled.chosen[2].why == "5 minutes hold so many steps of 4.05 seconds, 1.08 times through the rows"


def test_the_last_layers_alone_are_learned_where_the_time_is_short_and_they_are_faster(tmp_path):
    faster = PACE.model_copy(update={"seconds_token": 0.003})
    settled, probed = decide(tmp_path, PACE, faster, minutes=1.5)
    # 81 - 21 = 60, less 5 x 2.5: 47.5 / 4.05 = 11 steps; 47.5 / (2.4 + 0.05) = 19 steps.
    assert [asked.layers for asked in probed] == ["all", 10]
    assert settled.changed == {"layers": 10, "maximum_steps": 19, "validate_every": 5}
    assert settled.chosen[0].why == "all 30 layers would leave 11 steps; the last of them alone leave 19"
    assert settled.promise.pace.seconds_token == 0.003


def test_all_layers_stay_where_fewer_would_hardly_be_faster(tmp_path):
    hardly = PACE.model_copy(update={"seconds_token": 0.0045})  # 13 steps instead of 11
    settled, probed = decide(tmp_path, PACE, hardly, minutes=1.5)
    assert values(settled)["layers"] == "all"
    assert settled.promise.pace.seconds_token == 0.005
    assert len(probed) == 2


def test_time_that_is_left_over_goes_into_a_higher_rank_of_the_same_strength(tmp_path):
    slower = PACE.model_copy(update={"seconds_token": 0.0055})
    settled, probed = decide(tmp_path, PACE, slower, minutes=30)
    assert [asked.rank for asked in probed] == [16, 32]
    assert values(settled) == {"layers": "all", "rank": 32, "alpha": 64, "maximum_steps": 200, "validate_every": 20}
    assert settled.promise.pace.seconds_token == 0.0055
    assert "arXiv 2305.16264" in settled.chosen[3].why


def test_what_the_recipe_says_of_rank_layers_and_steps_is_not_chosen(tmp_path):
    settled, probed = decide(tmp_path, PACE, minutes=30, rank=8, layers=4, maximum_steps=25)
    assert values(settled) == {"maximum_steps": 25, "validate_every": 3}
    assert settled.chosen[0].why == "the recipe asks for no more, though the time would hold 388 steps"
    assert len(probed) == 1


def test_other_methods_have_no_rank_to_choose(tmp_path):
    settled, _ = decide(tmp_path, PACE, minutes=5, method="full")
    assert set(values(settled)) == {"maximum_steps", "validate_every"}


def test_fewer_tokens_are_computed_at_once_where_the_memory_would_not_suffice(tmp_path):
    tight = PACE.model_copy(update={"memory_gb": 6.0, "room_gb": 4.0, "widest": 2000, "is_measured": False})
    fits = PACE.model_copy(update={"memory_gb": 3.5, "room_gb": 4.0})
    settled, probed = decide(tmp_path, tight, fits, micro_batch_tokens=2048)
    # 6 GB are 2.4 more than 0.9 x 4; at 2.5 MB a token these are 960 tokens, and one for safety: 2,000 - 961.
    assert [asked.micro_batch_tokens for asked in probed] == [2048, 1039]
    assert settled.changed == {"micro_batch_tokens": 1039}
    assert settled.chosen[0].why.startswith("2048 tokens at once would need 6.0 GB, of 4.0 GB that there are")
    assert settled.promise.memory_gb == 3.5


def test_the_longest_row_is_computed_at_once_whatever_the_memory(tmp_path):
    tight = PACE.model_copy(update={"memory_gb": 9.0, "room_gb": 1.2, "widest": 800, "is_measured": False})
    assert fitting_tokens(tight, settings(), READY) == 100


def test_what_was_settled_is_found_again_unless_the_machine_is_another(tmp_path):
    first, _ = decide(tmp_path, PACE, minutes=5)
    again, probed = decide(tmp_path, minutes=5)
    assert again == first
    assert probed == []
    other = Device("cpu", torch.float32, 8)
    slower = PACE.model_copy(update={"seconds_token": 0.01})
    moved = settle(settings(minutes=5), MANY, probe=lambda asked: slower, scratch=tmp_path, device=other, before=7, language="en")
    assert moved.changed["maximum_steps"] < first.changed["maximum_steps"]
    (tmp_path / "checkpoint.pt").write_bytes(b"")  # a training has begun: it goes on as it was settled
    assert settle(settings(minutes=5), MANY, probe=lambda asked: PACE, scratch=tmp_path, device=CPU, before=7, language="en") == moved


def test_rows_are_spread_from_the_shortest_to_the_longest():
    rows = [row(number, 10 + number) for number in range(100)]
    assert [len(found.ids) for found in spread(rows, 4)] == [22, 47, 72, 97]
    assert spread(rows, 500) == rows


def test_what_is_computed_once_grows_with_the_rows_from_what_does_not():
    # 2 s for 100 tokens, 5 s for 400: 0.01 s a token; 2,400 tokens more take 20 s more.
    assert once_for_all(2, 5, few_tokens=100, sample_tokens=400, all_tokens=2400) == pytest.approx(25)
    assert once_for_all(5, 2, few_tokens=100, sample_tokens=400, all_tokens=2400) == 2
