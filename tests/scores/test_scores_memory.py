"""What a model gives away: planted memory is found, and none is found where there is none."""

import math

import pytest
from fake_scores import FakeEngine, example

from tutelage.core.chat import CHATML, end_id
from tutelage.scores import probes
from tutelage.scores.asked import prepare
from tutelage.scores.memory import Probed, copied_runs, is_copied, judge_memory
from tutelage.scores.probes import probe
from tutelage.scores.results import CandidateMeasured, Probe, ProbePart
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings(bootstrap=1000)


def candidate(name: str, bits: dict[ProbePart, list[float]], similar: dict[ProbePart, list[float]]) -> CandidateMeasured:
    probes = tuple(Probe(row=f"{part}-{number}", part=part, document_id=f"{part}-{number}", nats=value * 100 * 0.6931471805599453,
                         size_bytes=100, similarity={25: similar[part][number]})
                   for part, values in bits.items() for number, value in enumerate(values))
    return CandidateMeasured(candidate=name, engine="FakeEngine", seconds_scoring=0, seconds_drafting=0, rows=(), too_long=(),
                             probes=probes)


def test_a_model_that_knows_its_training_rows_by_heart_is_found_out():
    base = candidate("base", {"train": [1.0] * 12, "held_out": [1.0] * 12}, {"train": [0.2] * 12, "held_out": [0.2] * 12})
    tuned = candidate("tuned", {"train": [0.1 + 0.001 * n for n in range(12)], "held_out": [0.9 + 0.001 * n for n in range(12)]},
                      {"train": [1.0] * 12, "held_out": [0.2] * 12})
    found = judge_memory(Probed(base, tuned, tuned), [], {}, SETTINGS)
    assert found is not None
    assert (found.auc, found.found_at_1_percent) == (1.0, 1.0)
    assert {(one.candidate, one.part): one.verbatim for one in found.continuations} == {
        ("base", "train"): 0, ("base", "held_out"): 0, ("tuned", "train"): 12, ("tuned", "held_out"): 0}
    assert found.p_values[25] == pytest.approx(2 / 2**12)
    # all 12 of one side and none of the other: one of the ways to choose 12 of 24
    assert found.held_out_p_values[25] == pytest.approx(1 / math.comb(24, 12))


def test_a_model_that_gained_everywhere_alike_gives_nothing_away():
    gains = [0.2 + 0.01 * (n % 5) for n in range(40)]
    bits: dict[ProbePart, list[float]] = {"train": [1 - gain for gain in gains], "held_out": [1 - gain for gain in gains]}
    none: dict[ProbePart, list[float]] = {"train": [0.1] * 40, "held_out": [0.1] * 40}
    base = candidate("base", {"train": [1.0] * 40, "held_out": [1.0] * 40}, none)
    tuned = candidate("tuned", bits, none)
    found = judge_memory(Probed(base, tuned, tuned), [], {}, SETTINGS)
    assert found is not None
    assert found.auc == pytest.approx(0.5)
    assert found.auc_low < 0.5 < found.auc_high
    assert found.p_values[25] == found.held_out_p_values[25] == 1.0


def test_without_probes_there_is_nothing_to_say():
    empty = candidate("base", {}, {})
    assert judge_memory(Probed(empty, empty, empty), [], {}, SETTINGS) is None


def test_forty_characters_in_a_row_are_a_copy_and_thirty_nine_are_not():
    source = "The Licensee shall keep all recipes secret for ten years and tell nobody of them."
    seen = copied_runs([source])
    plain = "".join(source.split())
    assert is_copied(f"Once more: {source[4:60]}", seen)
    assert is_copied(plain[10:50], seen)
    assert not is_copied(plain[10:49] + "#", seen)


def test_a_continuation_is_compared_with_the_true_tokens():
    text = "".join(chr(ord("a") + number % 26) for number in range(120))
    row = example(0, "train", "payment", text, "d")
    faithful = FakeEngine("faithful", lambda text: 1.0, lambda prompt: text[len(prompt.split("assistant\n")[1]):])
    other = FakeEngine("other", lambda text: 1.0, lambda prompt: "#" * 60)
    short = example(1, "train", "payment", text[:60], "d")  # 60 tokens: long enough for 25 and 25, not for 50 and 50
    for engine, expected in ((faithful, 1.0), (other, 0.0)):
        prepared = [prepare(one, CHATML, engine) for one in (row, short)]
        found = probe(engine, end_id(CHATML, engine), probes.Probed(prepared, [], 2, (25, 50)), {}, lambda count: None)
        assert [one.similarity for one in found] == [{25: expected, 50: expected}, {25: expected}]


def test_only_so_many_rows_are_continued_and_all_are_told_apart():
    engine = FakeEngine("any", lambda text: 1.0, lambda prompt: "#" * 60)
    prepared = [prepare(example(number, "train", "payment", "word " * 30, "d"), CHATML, engine) for number in range(3)]
    found = probe(engine, end_id(CHATML, engine), probes.Probed(prepared, [], 1), {}, lambda count: None)
    assert [len(one.similarity) for one in found] == [1, 0, 0]
    assert all(one.nats > 0 for one in found)
