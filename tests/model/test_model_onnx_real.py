"""ONNX copies of SmolLM2-135M itself: golden conversations, logits, and what its bits cost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tutelage.core.chat import CHATML, render
from tutelage.core.errors import ExtraMissing
from tutelage.core.records import Message, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_onnx import export_onnx

pytestmark = pytest.mark.real
ASKED = ("Write a clause on late payment.", "What is a force majeure clause?", "保密期限为多久？", "List three duties of a supplier.")
TEXT = ("Each party shall keep the other party's confidential information secret and shall use it only to perform this agreement. "
        "This duty does not apply to information that is public through no fault of the receiving party. It ends five years after "
        "termination. The supplier shall deliver the goods within thirty days after the order and bears the risk until delivery. ")


def test_golden_conversations_and_bits_per_byte_of_smollm2_hold_in_onnx(tmp_path: Path):
    try:
        folder = as_folder(find_base("smollm2-135m-instruct"), tmp_path / "base")
    except ExtraMissing as error:
        pytest.skip(str(error))
    exact = TorchEngine(folder, name="it")
    golden = [render([Message(role="user", content=text)], CHATML, exact, reply=True).ids for text in ASKED]
    answers = exact.generate(golden, Sampling(max_tokens=16), end_ids=[exact.special("<|im_end|>")])
    row = exact.tokenize(TEXT)
    nats = -sum(score.logprob for score in exact.score([row], [1])[0])
    for kind in ("fp32", "int8_blocks"):
        export_onnx(folder, tmp_path / kind, kind=kind, chat_format=CHATML)
        copy = OnnxEngine(tmp_path / kind, name="it")
        assert [render([Message(role="user", content=text)], CHATML, copy, reply=True).ids for text in ASKED] == golden
        found = copy.generate(golden, Sampling(max_tokens=16), end_ids=[copy.special("<|im_end|>")])
        assert [one.token_ids[:1] for one in found] == [one.token_ids[:1] for one in answers]
        rise = (-sum(score.logprob for score in copy.score([row], [1])[0]) - nats) / math.log(2) / len(TEXT.encode())
        assert abs(rise) < (1e-4 if kind == "fp32" else 0.02)  # one text of 450 bytes: 0.01 is asked of many
        if kind == "fp32":
            assert found == answers
            expected, logits = (np.stack([one.copy() for one in engine.foretell(row, 1)]) for engine in (exact, copy))
            assert np.abs(expected - logits).max() < 1e-4 * np.abs(expected).max()
        copy.close()
    exact.close()
