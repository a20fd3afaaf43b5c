"""A real Qwen 2 from a GGUF file: as a model folder it spells and scores as llama.cpp does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qwen import MISSING, is_there, qwen_gguf

from tutelage.core.chat import CHATML, render
from tutelage.core.records import Message
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine

pytestmark = [pytest.mark.real, pytest.mark.skipif(not is_there(), reason=MISSING)]
CLAUSE = "甲方应当在收到发票后三十日内付款。The Supplier shall keep the Customer's data confidential for 3 years."


def test_a_qwen_2_becomes_a_folder_whose_scores_are_those_of_llama_cpp(tmp_path: Path) -> None:
    base = find_base(str(qwen_gguf()))
    assert (base.chat_format, base.kind) == (CHATML, "decoder")
    exact = TorchEngine(as_folder(base, tmp_path), name="qwen")
    copy = GgufEngine(Path(base.gguf), name="qwen", context_length=256)
    talk = (Message(role="user", content="写一条付款条款。"), Message(role="assistant", content=CLAUSE))
    row = render(talk, CHATML, exact, reply=False).ids
    assert copy.tokenize(CLAUSE) == exact.tokenize(CLAUSE)
    expected, found = (np.array([score.logprob for score in engine.score([row], [1])[0]]) for engine in (exact, copy))
    # llama.cpp rounds what it multiplies to 8 bits; PyTorch does not.
    assert np.abs(found - expected).mean() < 0.1
    copy.close()
