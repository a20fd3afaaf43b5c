"""The GGUF file: llama.cpp reads it, gguf's own reader finds what belongs there, and what cannot be written is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import jinja2
import numpy as np
import pytest
from model_stage import change_json, token_rows
from safetensors.numpy import load_file, save_file

from tutelage.core.chat import CHATML, GEMMA, render
from tutelage.core.errors import InputError
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import export_gguf
from tutelage.model.export_template import chat_template

TEXTS = ("Fee: 12,345.67 €\r\n\t(net)", "第三条 保密期限为三年。", "it's don't 'S  x", "<|im_end|>\n<|im_start|>system", "", " ", "😀 a1b2")


@pytest.fixture(scope="module", params=["q8_0", "f16"])
def copy(request, merged, tmp_path_factory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("copy") / f"{request.param}.gguf"
    export_gguf(merged, path, quantisation=request.param, name="tiny copy", chat_format=CHATML)
    return request.param, path


def facts(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}


def refused(folder: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=text):
        export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="x", chat_format=CHATML)


def test_llama_cpp_loads_the_copy_and_spells_with_the_same_ids(copy, merged, examples):
    ours = Vocabulary(merged)
    engine = GgufEngine(copy[1], name="copy", context_length=256)
    assert [engine.tokenize(text) for text in TEXTS] == [ours.tokenize(text) for text in TEXTS]
    assert [render(example.prompt, CHATML, engine, reply=True).ids for example in examples] == token_rows(merged, examples)
    assert {name: engine.special(name) for name in ours.specials} == {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    engine.close()


def test_llama_cpp_gives_each_token_of_a_clause_the_probability_that_torch_gives(copy, merged, examples):
    kind, path = copy
    exact, engine = TorchEngine(merged, name="exact", threads=1), GgufEngine(path, name="copy", context_length=256)
    rows = [render(example.messages, CHATML, exact, reply=False).ids for example in examples[:5]]
    expected, found = (np.array([score.logprob for row in one.score(rows, [1] * len(rows)) for score in row]) for one in (exact, engine))
    assert len(found) == sum(map(len, rows)) - 5
    # A scrambled order of the rotary rows alone moves the mean by more than 0.1.
    assert np.abs(found - expected).mean() < {"q8_0": 0.05, "f16": 0.005}[kind]
    engine.close()


def test_the_head_tells_shape_specials_and_template(copy, merged):
    kind, path = copy
    head = facts(path)
    expected = {
        "general.architecture": "llama", "general.name": "tiny copy", "general.file_type": {"q8_0": 7, "f16": 1}[kind],
        "llama.context_length": 2048, "llama.embedding_length": 64, "llama.block_count": 2, "llama.feed_forward_length": 128,
        "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2, "llama.rope.dimension_count": 16,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 0, "tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.chat_template": chat_template(CHATML), "tutelage.chat_format": CHATML.hash}
    assert {name: head[name] for name in expected} == expected
    assert head["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    described = json.loads((merged / "tokenizer.json").read_text("utf-8"))["model"]
    assert head["tokenizer.ggml.tokens"] == sorted(described["vocab"], key=described["vocab"].get)
    assert head["tokenizer.ggml.merges"] == [" ".join(pair) for pair in described["merges"]]
    assert head["tokenizer.ggml.token_type"][:4] == [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL]


def test_matrices_are_in_the_type_asked_for_and_norms_in_fp32(copy):
    kind, path = copy
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}
    assert len(types) == 2 + 2 * 9  # embedding and last norm; seven matrices and two norms in each block
    assert {name for name, found in types.items() if found == "F32"} == {
        "output_norm.weight", *(f"blk.{block}.{norm}.weight" for block in (0, 1) for norm in ("attn_norm", "ffn_norm"))}
    assert set(types.values()) == {"F32", kind.upper()}


def test_a_matrix_whose_rows_are_no_multiple_of_32_stays_in_16_bits(merged, tmp_path):
    odd = shutil.copytree(merged, tmp_path / "odd")
    weights = load_file(odd / "model.safetensors")
    for name, weight in weights.items():
        if "gate_proj" in name or "up_proj" in name:
            weights[name] = weight[:112].copy()
        elif "down_proj" in name:
            weights[name] = np.ascontiguousarray(weight[:, :112])
    save_file(weights, odd / "model.safetensors", metadata={"format": "pt"})
    change_json(odd / "config.json", intermediate_size=112)
    export_gguf(odd, tmp_path / "odd.gguf", quantisation="q8_0", name="odd", chat_format=CHATML)
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "odd.gguf").tensors}
    assert {name for name, found in types.items() if found == "F16"} == {"blk.0.ffn_down.weight", "blk.1.ffn_down.weight"}
    GgufEngine(tmp_path / "odd.gguf", name="odd", context_length=64).close()


def test_an_output_layer_of_its_own_is_written(tiny, tmp_path):
    own = shutil.copytree(tiny, tmp_path / "own")
    weights = load_file(own / "model.safetensors")
    weights["lm_head.weight"] = np.ascontiguousarray(weights["model.embed_tokens.weight"][::-1])
    save_file(weights, own / "model.safetensors", metadata={"format": "pt"})
    change_json(own / "config.json", tie_word_embeddings=False)
    export_gguf(own, tmp_path / "own.gguf", quantisation="f16", name="own", chat_format=CHATML)
    exact, copied = TorchEngine(own, name="own", threads=1), GgufEngine(tmp_path / "own.gguf", name="own", context_length=64)
    row = [1, 77, 140, 9, 33, 250]
    expected, found = ([score.logprob for score in engine.score([row], [1])[0]] for engine in (exact, copied))
    assert found == pytest.approx(expected, abs=0.03)
    copied.close()


def test_the_template_frames_turns_as_we_render_them():
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A \"fee\"?"}]
    chatml = jinja2.Environment().from_string(chat_template(CHATML))
    assert chatml.render(messages=turns, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nA \"fee\"?<|im_end|>\n<|im_start|>assistant\n")
    gemma = jinja2.Environment().from_string(chat_template(GEMMA))
    assert gemma.render(messages=[turns[1], {"role": "assistant", "content": "No."}]) == (
        "<bos><start_of_turn>user\nA \"fee\"?<end_of_turn>\n<start_of_turn>model\nNo.<end_of_turn>\n")


@pytest.mark.parametrize("changed, text", [
    ({"model_type": "gpt_neox"}, "the architecture is 'gpt_neox'; GGUF files are written for llama, gemma3_text, qwen2, qwen3,"),
    ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "this llama has rope_type 'yarn', which the GGUF writer does not know"),
    ({"attention_bias": True, "mlp_bias": True}, "this llama has attention_bias, mlp_bias, which the GGUF writer does not know"),
], ids=["architecture", "rope", "bias"])
def test_an_architecture_that_cannot_be_written_is_refused(tiny, tmp_path, changed, text):
    other = shutil.copytree(tiny, tmp_path / "other")
    change_json(other / "config.json", **changed)
    refused(other, tmp_path, text)
    assert not (tmp_path / "copy.gguf").exists()


def test_a_weight_that_no_llama_has_is_refused_by_its_name(tiny, tmp_path):
    other = shutil.copytree(tiny, tmp_path / "other")
    extra = {"model.layers.0.self_attn.q_norm.weight": np.ones(16, np.float32)}
    save_file(load_file(other / "model.safetensors") | extra, other / "model.safetensors")
    refused(other, tmp_path, r"the weight 'model\.layers\.0\.self_attn\.q_norm\.weight' is not one of a llama")


def test_a_tokenizer_that_cannot_be_written_is_refused(tiny, tmp_path):
    other = shutil.copytree(tiny, tmp_path / "other")
    described = json.loads((tiny / "tokenizer.json").read_text("utf-8"))
    change_json(other / "tokenizer.json", normalizer={"type": "NFC"})
    refused(other, tmp_path, "the tokenizer is BPE with the normalizer {'type': 'NFC'}; GGUF files are written for byte-level BPE without")
    change_json(other / "tokenizer.json", normalizer=None, model=described["model"] | {"type": "WordPiece"})
    refused(other, tmp_path, "the tokenizer is WordPiece")
    change_json(other / "tokenizer.json", model=described["model"], pre_tokenizer={"type": "Whitespace"})
    refused(other, tmp_path, "the way in which this tokenizer cuts text is not known to llama.cpp")
