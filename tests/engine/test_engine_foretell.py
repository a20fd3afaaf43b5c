"""Whole distributions over the next token, which a copy is compared by: those that the scores rest on."""

from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.errors import InputError
from tutelage.engine.llama_library import LlamaScorer
from tutelage.engine.torch_engine import TorchEngine


@pytest.mark.parametrize("start", [1, 5])
def test_logits_of_each_token_give_the_very_log_probabilities_that_are_scored(tiny, tiny_gguf, start):
    exact = TorchEngine(tiny, name="tiny", threads=1)
    row = exact.tokenize("The Supplier pays within thirty days. 保密期限为三年。" * 6)
    assert len(row) > 64  # more than the positions that go through the head at once
    scorer = LlamaScorer(tiny_gguf, context_length=len(row), workers=1)
    expected = [score.logprob for score in exact.score([row], [start])[0]]
    for source in (exact, scorer):
        found = [float(logits[token] - np.logaddexp.reduce(logits)) for token, logits in
                 zip(row[start:], source.foretell(row, start), strict=True)]
        assert found == pytest.approx(expected, abs=2e-2 if source is scorer else 1e-4)  # llama.cpp rounds activations to 16 bits here
    assert [logprob for logprob, _ in scorer.score([row], [start])[0]] == pytest.approx(found, abs=1e-4)
    scorer.close()
    exact.close()


def test_a_start_outside_the_row_is_an_error(tiny):
    exact = TorchEngine(tiny, name="tiny", threads=1)
    with pytest.raises(InputError, match="row 0: its start is 0; it must be between 1 and 3"):
        exact.foretell([1, 2, 3], 0)
    exact.close()
