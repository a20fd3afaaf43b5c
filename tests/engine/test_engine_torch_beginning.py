"""What all rows begin with goes through the model once, and the scores stay those of a plain forward, whatever rows stand beside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_families import make_tiny
from transformers import AutoModelForCausalLM

from tutelage.engine.beginning import LEAST_SHARED, shared_beginning
from tutelage.engine.torch_engine import TorchEngine

BEGINNING = list(range(20, 40))
ROWS = [[*BEGINNING, *range(60, 60 + length)] for length in (9, 30, 2, 17)]
STARTS = [24, 22, 21, 30]


def by_transformers(model, row: list[int], start: int) -> list[float]:
    """Log-probabilities by a full forward of one row."""
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([row])).logits[0].double(), -1)
    return [float(logprobs[place - 1, row[place]]) for place in range(start, len(row))]


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "qwen3", "gpt2", "gpt_neox"])
def test_scores_of_rows_with_one_beginning_equal_those_of_each_row_alone(family: str, tmp_path: Path) -> None:
    folder = make_tiny(family, tmp_path / family)
    engine = TorchEngine(folder, name=family)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert shared_beginning(ROWS, STARTS) == len(BEGINNING)
    for row, start, scores in zip(ROWS, STARTS, engine.score(ROWS, STARTS), strict=True):
        assert [score.logprob for score in scores] == pytest.approx(by_transformers(model, row, start), abs=2e-5)
        assert [score.token_id for score in scores] == row[start:]


def test_scores_do_not_depend_on_the_rows_beside(tmp_path: Path) -> None:
    engine = TorchEngine(make_tiny("llama", tmp_path / "llama"), name="tiny")
    together = engine.score(ROWS, STARTS)
    for row, start, scores in zip(ROWS, STARTS, together, strict=True):
        alone = engine.score([row], [start])[0]
        assert [score.logprob for score in scores] == pytest.approx([score.logprob for score in alone], abs=2e-5)


@given(st.lists(st.lists(st.integers(1, 3), min_size=2, max_size=20), min_size=2, max_size=5), st.integers(0, 15), st.data())
def test_the_beginning_is_common_and_ends_before_the_token_that_foretells_the_first_scored(rows: list[list[int]], common: int,
                                                                                          data: st.DataObject) -> None:
    rows = [[7] * common + row for row in rows]
    starts = [data.draw(st.integers(1, len(row))) for row in rows]
    shared = shared_beginning(rows, starts)
    assert len({tuple(row[:shared]) for row in rows}) == 1
    assert shared < min(starts)
    assert shared == 0 or shared >= LEAST_SHARED
    if min(starts) > common >= LEAST_SHARED:
        assert shared >= common


def test_one_row_alone_or_no_row_shares_nothing() -> None:
    assert shared_beginning([BEGINNING], [15]) == 0
    assert shared_beginning([], []) == 0
