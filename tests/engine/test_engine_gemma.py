"""A Gemma 3 answers and scores in both engines, and comes back whole from a GGUF file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_gemma import CONTEXT, WINDOW, make_tiny_gemma
from transformers import AutoModelForCausalLM

from tutelage.core.chat import GEMMA, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.errors import InputError
from tutelage.core.records import Message, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.batch_engine import BATCH_PROMPTS
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_folder import write_folder
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import export_gguf

ASKED = ("Write a clause.", "Keywords: invoice, notice, delivery, audit, licence, report, renewal. " * 3, "保密期限 30 天")


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gemma(tmp_path_factory.mktemp("gemma") / "model")


@pytest.fixture(scope="module")
def file(gemma: Path) -> Path:
    path = gemma.parent / "gemma-f16.gguf"
    export_gguf(gemma, path, quantisation="f16", name="gemma", chat_format=GEMMA)
    return path


@pytest.fixture(scope="module")
def engines(gemma: Path, file: Path) -> Iterator[dict[str, Engine]]:
    made: dict[str, Engine] = {"torch": TorchEngine(gemma, name="gemma", threads=1), "gguf": GgufEngine(file, name="gemma", parallel=3)}
    yield made
    for engine in made.values():
        engine.close()


def prompts(engine: Engine) -> list[tuple[int, ...]]:
    return [render([Message(role="user", content=text)], GEMMA, engine, reply=True).ids for text in ASKED]


@pytest.mark.parametrize("name", ["torch", "gguf"])
def test_a_batch_whose_rows_exceed_the_window_answers_as_each_row_alone(engines, name):
    engine, sampling = engines[name], Sampling(max_tokens=40, repetition_penalty=1.3)
    asked = prompts(engine)
    assert max(map(len, asked)) > 3 * WINDOW > 2 * min(map(len, asked))
    together = engine.generate(asked, sampling, end_ids=(end_id(GEMMA, engine),))
    assert together == [engine.generate([prompt], sampling, end_ids=(end_id(GEMMA, engine),))[0] for prompt in asked]
    *pieces, answer = engine.stream(asked[1], sampling, end_ids=(end_id(GEMMA, engine),))
    assert ("".join(pieces), answer) == (answer.text, together[1])


def test_both_engines_answer_and_score_alike(engines):
    exact, copy = engines["torch"], engines["gguf"]
    asked = prompts(exact)
    assert prompts(copy) == asked
    first, second = (engine.generate(asked, Sampling(max_tokens=3), end_ids=()) for engine in (exact, copy))
    assert [answer.token_ids for answer in first] == [answer.token_ids for answer in second]
    expected, found = (np.array([score.logprob for row in engine.score(asked, [1] * 3) for score in row]) for engine in (exact, copy))
    assert np.abs(found - expected).mean() < 0.01


def test_memory_counts_the_true_width_of_a_head(engines, file):
    # 2 (keys, values) x 6 layers x 1 head x 32 wide x 2 bytes x 2,048 tokens x 3 places; the width over the heads would be 16
    assert engines["gguf"].memory_bytes() == file.stat().st_size + 2 * 6 * 32 * 2 * CONTEXT * 3
    weights = sum(weight.nbytes for weight in load_file(file.parent / "model" / "model.safetensors").values())
    assert engines["torch"].memory_bytes() == weights + 2 * 6 * 32 * 4 * CONTEXT * BATCH_PROMPTS


def test_a_file_becomes_the_folder_that_it_was_made_from(gemma, file, tmp_path):
    made = as_folder(find_base(str(file)), tmp_path)
    before, after = load_file(gemma / "model.safetensors"), load_file(made / "model.safetensors")
    assert set(after) == set(before)
    for name, weight in before.items():
        expected = weight.astype(np.float16).astype(np.float32) if weight.ndim == 2 else weight
        assert np.allclose(after[name], expected, atol=1e-6), name
    one, other = (json.loads((folder / "config.json").read_text("utf-8")) for folder in (gemma, made))
    assert other == one | {"rms_norm_eps": pytest.approx(1e-6)}
    ours, theirs = Vocabulary(gemma), Vocabulary(made)
    for text in (*ASKED, "a\n\n\nb   c  <table>", "----==== 日日日", "\t😀"):
        assert theirs.tokenize(text) == ours.tokenize(text)
    assert theirs.specials == ours.specials


def test_the_weights_are_those_that_transformers_reads(file, tmp_path):
    write_folder(read_head(file), tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    expected = {name: weight.detach().float().numpy() for name, weight in read.named_parameters()}
    assert len(found) == len(expected) == 2 + 6 * 13
    for name, weight in expected.items():
        assert np.allclose(found[name], weight, atol=1e-6), name


def gemma_file(path: Path, *, bytes_of: int = 256, period: int | None = None) -> Path:
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_add_space_prefix(False)
    writer.add_token_types([gguf.TokenType.BYTE] * bytes_of + [gguf.TokenType.NORMAL])
    if period is not None:
        writer.add_sliding_window_pattern(period)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(("changed", "named"), [
    ({"bytes_of": 255}, "tokenizer 'llama' with 'default'"), ({"period": 4}, "a full layer every 4 layers")],
    ids=["a byte too few", "another pattern of windows"])
def test_a_gemma_that_cannot_be_a_folder_is_named(tmp_path, changed, named):
    with pytest.raises(InputError, match=f"other.gguf: has {named}; .*or one like Gemma's. Give the model as a folder"):
        write_folder(read_head(gemma_file(tmp_path / "other.gguf", **changed)), tmp_path)
    with pytest.raises(InputError, match=r"has no gemma3\.attention\.head_count\. Make the file again"):
        write_folder(read_head(gemma_file(tmp_path / "bare.gguf")), tmp_path)
