"""The packed forward gives the scores of a plain one, for every family that it knows and however rows are put together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_adapter import make_adapter
from tiny_families import DECODERS, make_tiny
from transformers import AutoModelForCausalLM

from tutelage.core.records import TokenScore
from tutelage.engine.decoders import KINDS
from tutelage.engine.packed_score import LONGEST_SHARING, PACK_TOKENS, PackedScorer, is_exact, product
from tutelage.engine.torch_engine import TorchEngine

BEGINNING = [1, *range(20, 40)]
# Lengths on both sides of Gemma's window of 16 tokens; a row of which nothing is scored, and one that is scored from its second token.
ROWS = [[*BEGINNING, *range(60, 60 + length)] for length in (9, 30, 2, 17, 41, 6)]
STARTS = [24, 23, 22, 38, 30, 27]
UNLIKE = [[5, 6, 7], [1, *range(300, 340)], [44, 45], [9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4]]
UNLIKE_STARTS = [1, 12, 2, 4]


def loaded(family: str, folder: Path, dtype: torch.dtype) -> Any:
    return AutoModelForCausalLM.from_pretrained(make_tiny(family, folder / family), dtype=dtype).eval()


def by_transformers(model: Any, row: list[int], start: int) -> list[float]:
    """Log-probabilities by a full forward of one row and a softmax over all positions."""
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1)
    return [float(logprobs[place - 1, row[place]]) for place in range(start, len(row))]


def numbers(scores: Sequence[Sequence[TokenScore]]) -> list[list[float]]:
    return [[score.logprob for score in row] for row in scores]


def near(expected: Sequence[Sequence[float]], relative: float) -> list[Any]:
    return [pytest.approx(row, rel=relative, abs=relative) for row in expected]


@pytest.mark.parametrize("family", sorted(KINDS))
def test_scores_equal_those_of_a_plain_forward(family: str, tmp_path: Path) -> None:
    model = loaded(family, tmp_path, torch.float32)
    assert is_exact(model)
    expected = [by_transformers(model, row, start) for row, start in zip(ROWS + UNLIKE, STARTS + UNLIKE_STARTS, strict=True)]
    scorer = PackedScorer(model)
    found = scorer.score(ROWS, STARTS) + scorer.score(UNLIKE, UNLIKE_STARTS)
    assert [[score.token_id for score in row] for row in found] == [
        row[start:] for row, start in zip(ROWS + UNLIKE, STARTS + UNLIKE_STARTS, strict=True)]
    assert numbers(found) == near(expected, 2e-5)
    # The model itself now reads the stacked weights.
    assert [by_transformers(model, row, start) for row, start in zip(UNLIKE, UNLIKE_STARTS, strict=True)] == expected[len(ROWS):]


@pytest.mark.parametrize("family", sorted(KINDS))
def test_in_64_bits_scores_are_the_same_however_rows_are_put_together(family: str, tmp_path: Path) -> None:
    model = loaded(family, tmp_path, torch.float64)
    scorer = PackedScorer(model)
    alone = [numbers(scorer.score([row], [start]))[0] for row, start in zip(ROWS, STARTS, strict=True)]
    assert numbers(scorer.score(ROWS, STARTS)) == near(alone, 1e-6)  # all at once: what they begin with is computed once
    order = random.Random(3).sample(range(len(ROWS)), len(ROWS))
    shuffled = numbers(PackedScorer(model).score([ROWS[place] for place in order], [STARTS[place] for place in order]))
    assert [shuffled[order.index(place)] for place in range(len(ROWS))] == near(alone, 1e-6)
    beside = [*ROWS, UNLIKE[1]]  # one that begins otherwise: nothing is shared
    assert numbers(scorer.score(beside, [*STARTS, 12]))[:len(ROWS)] == near(alone, 1e-6)
    # In 64 bits only the norms of transformers are made in 32: about 1e-7 of a value.
    assert alone == near([by_transformers(model, row, start) for row, start in zip(ROWS, STARTS, strict=True)], 1e-5)


@pytest.mark.parametrize("family", DECODERS)
def test_every_decoder_scores_rows_alone_together_and_shuffled_alike(family: str, tmp_path: Path) -> None:
    engine = TorchEngine(make_tiny(family, tmp_path / family), name=family)
    alone = [numbers(engine.score([row], [start]))[0] for row, start in zip(ROWS + UNLIKE, STARTS + UNLIKE_STARTS, strict=True)]
    assert numbers(engine.score(ROWS + UNLIKE, STARTS + UNLIKE_STARTS)) == near(alone, 1e-4)
    assert numbers(engine.score(ROWS[::-1], STARTS[::-1]))[::-1] == near(alone[:len(ROWS)], 1e-4)
    assert len(DECODERS) >= 8


def test_many_rows_fill_several_batches_and_a_long_one_stands_alone(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path, torch.float32)
    draw = random.Random(1)
    rows = [[*BEGINNING, *(draw.randrange(3, 300) for _ in range(length))] for length in (PACK_TOKENS // 3, 90, 80, 200, 150, 120, 260, 99)]
    starts = [25] * len(rows)
    found = numbers(PackedScorer(model).score(rows, starts))
    assert found == near([by_transformers(model, row, start) for row, start in zip(rows, starts, strict=True)], 5e-5)


def test_what_rows_begin_with_is_kept_for_the_next_rows_and_given_up_for_others(tmp_path: Path) -> None:
    model = loaded("qwen3", tmp_path, torch.float32)
    scorer = PackedScorer(model)
    longer = [[*row[:22], 77, 78, *row[22:]] for row in ROWS]
    for rows, starts in ((ROWS, STARTS), (ROWS[:2], STARTS[:2]), (longer, [start + 2 for start in STARTS]), (UNLIKE, UNLIKE_STARTS),
                         (ROWS, STARTS)):
        expected = [by_transformers(model, row, start) for row, start in zip(rows, starts, strict=True)]
        assert numbers(scorer.score(rows, starts)) == near(expected, 2e-5)


def test_rows_too_long_to_share_a_beginning_are_computed_whole(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path, torch.float32)
    draw = random.Random(2)
    rows = [[*BEGINNING, *(draw.randrange(3, 300) for _ in range(length))] for length in (LONGEST_SHARING + 20, 40)]
    starts = [LONGEST_SHARING, 30]
    assert numbers(PackedScorer(model).score(rows, starts)) == near(
        [by_transformers(model, row, start) for row, start in zip(rows, starts, strict=True)], 1e-4)


@pytest.mark.parametrize("family", ["gemma3_text", "gpt2"])
def test_the_likeliest_token_in_each_place_is_told_by_both_forwards(family: str, tmp_path: Path) -> None:
    folder = make_tiny(family, tmp_path / family)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for row, start, scores in zip(ROWS, STARTS, TorchEngine(folder, name=family).score(ROWS, STARTS), strict=True):
        with torch.no_grad():
            highest = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1).amax(-1)[start - 1:-1]
        assert [score.highest for score in scores] == pytest.approx(highest.tolist(), abs=2e-5)
        assert all(score.highest is not None and score.highest >= score.logprob - 2e-5 for score in scores)


def test_the_product_is_that_of_a_linear_layer_also_of_every_other_number_and_in_64_bits() -> None:
    draw = torch.Generator().manual_seed(4)
    wide, weight, bias = (torch.randn(shape, generator=draw) for shape in ((33, 128), (96, 64), (96,)))
    with torch.inference_mode():
        for source in (wide[:, :64], wide[:, ::2], wide[:0, :64]):
            for added in (None, bias):
                assert torch.allclose(product(source, weight, added), torch.nn.functional.linear(source, weight, added), atol=1e-5)
        assert product(wide[:, :64].double(), weight.double(), None).dtype == torch.float64


def test_no_rows_and_rows_of_which_nothing_is_scored_give_nothing(tmp_path: Path) -> None:
    scorer = PackedScorer(loaded("llama", tmp_path, torch.float32))
    assert scorer.score([], []) == []
    assert scorer.score([[1, 2, 3], [4]], [3, 1]) == [[], []]


def test_what_the_forward_does_not_know_is_left_to_transformers(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path, torch.float32)
    assert is_exact(model)
    model.model.layers[0].mlp.extra = torch.nn.Linear(4, 4)  # a weight that nothing here reads
    assert not is_exact(model)
    del model.model.layers[0].mlp.extra
    model.config.hidden_act = "gelu"
    assert not is_exact(model)
    assert not any(is_exact(loaded(family, tmp_path, torch.float32)) for family in set(DECODERS) - set(KINDS))
    assert len(set(DECODERS) - set(KINDS)) == 3


def test_an_adapter_is_scored_by_peft_and_the_base_after_it_as_before(tmp_path: Path) -> None:
    folder = make_tiny("llama", tmp_path / "llama")
    engine = TorchEngine(folder, name="base")
    before = numbers(engine.score(ROWS, STARTS))
    engine.load_adapter("tuned", str(make_adapter(folder, tmp_path / "adapter", scale=0.2)))
    assert numbers(engine.score(ROWS, STARTS)) != near(before, 1e-2)
    engine.unload_adapter("tuned")
    assert numbers(engine.score(ROWS, STARTS)) == near(before, 1e-6)
