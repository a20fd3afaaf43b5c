"""A GGUF file as a model folder: the weights that transformers reads from it, and a clear word on files that cannot be one."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_model import make_tiny_model
from transformers import AutoModelForCausalLM

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.engine.families import GEMMA3, LLAMA, pair_rotary, part_rotary
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_folder import write_folder
from tutelage.model.export_gguf import export_gguf


def written(source: Path, folder: Path) -> Path:
    folder.mkdir()
    write_folder(read_head(source), folder)
    return folder


@pytest.mark.parametrize("quantisation", ["f16", "q8_0"])
def test_the_weights_are_those_that_transformers_reads(tiny, tmp_path, quantisation):
    path = tmp_path / "tiny.gguf"
    export_gguf(tiny, path, quantisation=quantisation, name="tiny", chat_format=CHATML)
    found = load_file(written(path, tmp_path / "model") / "model.safetensors")
    expected = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype=torch.float32).state_dict()
    assert set(found) == set(expected) - {"lm_head.weight"}
    assert len(found) == 20  # 9 weights in each of 2 layers, embedding and last norm
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in found)


def test_an_output_layer_of_its_own_stays_one(tmp_path):
    source = make_tiny_model(tmp_path / "source")
    weights = load_file(source / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"][::-1].copy()
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    config = source / "config.json"
    config.write_text(config.read_text("utf-8").replace('"tie_word_embeddings": true', '"tie_word_embeddings": false'), "utf-8")
    export_gguf(source, tmp_path / "own.gguf", quantisation="f16", name="own", chat_format=CHATML)
    made = written(tmp_path / "own.gguf", tmp_path / "made")
    assert json.loads((made / "config.json").read_text("utf-8"))["tie_word_embeddings"] is False
    assert np.array_equal(load_file(made / "model.safetensors")["lm_head.weight"], weights["lm_head.weight"].astype(np.float16))


def test_rotary_rows_are_paired_and_parted_again():
    # One head of four rows: llama.cpp wants the pairs (0, 2) and (1, 3) side by side.
    rows = np.arange(4, dtype=np.float32)[:, None]
    assert pair_rotary(rows, 1)[:, 0].tolist() == [0, 2, 1, 3]
    two_heads = np.arange(24, dtype=np.float32).reshape(8, 3)
    assert np.array_equal(part_rotary(pair_rotary(two_heads, 2), 2), two_heads)


def test_names_go_both_ways_and_unknown_ones_are_none():
    pairs = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight",
             "model.layers.11.self_attn.o_proj.weight": "blk.11.attn_output.weight",
             "model.layers.0.post_attention_layernorm.weight": "blk.0.ffn_norm.weight"}
    for ours, theirs in pairs.items():
        assert (LLAMA.gguf_name(ours), LLAMA.folder_name(theirs)) == (theirs, ours)
    assert [LLAMA.gguf_name(name) for name in ("model.layers.0.self_attn.q_norm.weight", "model.norm.bias", "norm")] == [None] * 3
    assert [LLAMA.folder_name(name) for name in ("blk.0.attn_q_norm.weight", "rope_freqs.weight", "output.bias")] == [None] * 3
    # Where a Gemma 3 has a norm after the attention and one before the gate, a Llama has one norm for both.
    assert GEMMA3.gguf_name("model.layers.0.post_attention_layernorm.weight") == "blk.0.post_attention_norm.weight"
    assert GEMMA3.folder_name("blk.0.ffn_norm.weight") == "model.layers.0.pre_feedforward_layernorm.weight"
    assert GEMMA3.folder_name("blk.7.attn_q_norm.weight") == "model.layers.7.self_attn.q_norm.weight"


def test_norms_of_gemma_are_larger_by_one_in_llama_cpp_and_its_rotary_rows_keep_their_order():
    norm, rows = np.array([-0.25, 0.0, 3.0], np.float32), np.arange(4, dtype=np.float32)[:, None]
    assert GEMMA3.to_gguf("blk.0.attn_norm.weight", norm, heads=1, groups=1).tolist() == [0.75, 1.0, 4.0]
    assert GEMMA3.from_gguf("blk.0.attn_norm.weight", np.float32([0.75]), heads=1, groups=1).tolist() == [-0.25]
    assert GEMMA3.to_gguf("blk.0.attn_q.weight", rows, heads=1, groups=1)[:, 0].tolist() == [0, 1, 2, 3]
    assert LLAMA.to_gguf("blk.0.attn_norm.weight", norm, heads=1, groups=1).tolist() == norm.tolist()
    assert LLAMA.to_gguf("blk.0.attn_q.weight", rows, heads=1, groups=1)[:, 0].tolist() == [0, 2, 1, 3]
    assert LLAMA.to_gguf("blk.0.attn_v.weight", rows, heads=1, groups=1)[:, 0].tolist() == [0, 1, 2, 3]


def small_file(path: Path, architecture: str, *, pre: str = "smollm", scaling: str | None = None) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    if scaling:
        writer.add_string("llama.rope.scaling.type", scaling)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(("architecture", "pre", "scaling", "named"), [
    ("phi3", "smollm", None, "architecture 'phi3'"), ("llama", "tekken", None, "tokenizer 'gpt2' with 'tekken'"),
    ("llama", "smollm", "yarn", r"scaled rotary positions \('yarn'\)")])
def test_what_cannot_be_a_folder_is_named(tmp_path, architecture, pre, scaling, named):
    path = small_file(tmp_path / "other.gguf", architecture, pre=pre, scaling=scaling)
    with pytest.raises(InputError, match=f"other.gguf: has {named}; .*Give the model as a folder"):
        write_folder(read_head(path), tmp_path)


def test_a_head_without_its_numbers_is_named(tmp_path):
    with pytest.raises(InputError, match=r"has no llama\.attention\.head_count\. Make the file again"):
        write_folder(read_head(small_file(tmp_path / "bare.gguf", "llama")), tmp_path)


def test_a_head_that_announces_a_giant_text_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "giant.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62) + b"x" * 50)
    with pytest.raises(InputError, match=r"giant\.gguf: its head cannot be read"):
        read_head(path)
