"""Copies of 4 and 5 bits: llama.cpp's own mixtures, importance measured on training rows, and numbers that are not finite refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize
from model_stage import held_out_row, run_model, token_rows
from safetensors.numpy import load_file, save_file

from tutelage.core.chat import CHATML, render
from tutelage.core.errors import InputError
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_quantise import quantise
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_gguf import export_gguf
from tutelage.model.importance import measure_importance
from tutelage.model.mixture import format_of
from tutelage.model.parity import Evidence


def weight(rows: int = 64, columns: int = 256) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((rows, columns)).astype(np.float32)


def test_llama_cpp_and_gguf_pack_8_bits_into_the_same_bytes():
    assert (quantise(weight(), Kind.Q8_0, name="w") == quantize(weight(), Kind.Q8_0)).all()


@pytest.mark.parametrize("kind, most", [(Kind.Q4_K, 0.09), (Kind.Q5_K, 0.045), (Kind.Q6_K, 0.025), (Kind.Q5_0, 0.06), (Kind.Q5_1, 0.05)])
def test_what_another_reader_unpacks_is_near_the_weight(kind, most):
    unpacked = dequantize(quantise(weight(), kind, name="w"), kind)
    error = np.sqrt(np.mean((unpacked - weight()) ** 2))  # the weight's own spread is 1
    assert 0.005 < error < most


def test_columns_that_matter_more_are_rounded_less():
    importance = np.ones(256, np.float32)
    importance[::8] = 1000.0
    plain, weighed = (dequantize(quantise(weight(), Kind.Q4_K, name="w", importance=one), Kind.Q4_K) for one in (None, importance))
    before, after = (np.mean((found - weight())[:, ::8] ** 2) for found in (plain, weighed))
    assert after < 0.7 * before


@pytest.mark.parametrize("kind, number, told", [
    (Kind.Q4_K, np.nan, "the weight 'w' has 1 of 16,384 numbers that are not finite; a copy of it would answer nonsense"),
    (Kind.F16, np.inf, "the weight 'w' has 1 of 16,384 numbers that are not finite"),
    (Kind.F16, 1e6, "the weight 'w' has numbers beyond 65,504, which 16 bits cannot hold.*Set model.quantisation to q8_0"),
    (Kind.Q4_K, 1e30, "the weight 'w' cannot be kept as Q4_K: its numbers are not finite afterwards.*Set model.quantisation to f16"),
], ids=["nan", "infinite", "too large for 16 bits", "too large for a scale"])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_numbers_that_are_not_finite_are_refused_by_name(kind, number, told):
    broken = weight()
    broken[3, 5] = number
    with pytest.raises(InputError, match=told):
        quantise(broken, kind, name="w")


def test_importance_of_another_width_is_refused():
    with pytest.raises(InputError, match=r"the importance of 'w' has the shape \(8,\); expected \(256,\), one number a column"):
        quantise(weight(), Kind.Q4_K, name="w", importance=np.ones(8, np.float32))


def test_the_mixture_is_llama_cpps_own():
    # By hand from llama.cpp's rule for 8 layers: finer in layers 0, 3, 6 (every third after the first eighth) and 7.
    found = [format_of(f"blk.{layer}.ffn_down.weight", (64, 512), "q4_k_m", 8) for layer in range(8)]
    assert [layer for layer, kind in enumerate(found) if kind == Kind.Q6_K] == [0, 3, 6, 7]
    assert set(found) == {Kind.Q4_K, Kind.Q6_K}
    assert format_of("blk.1.attn_q.weight", (64, 512), "q5_k_m", 8) == Kind.Q5_K
    assert format_of("token_embd.weight", (64, 512), "q4_k_m", 8) == Kind.Q6_K
    assert format_of("blk.0.attn_norm.weight", (64,), "q4_k_m", 8) == Kind.F32


@pytest.mark.parametrize("columns, expected", [(576, [Kind.Q5_0, Kind.Q5_1, Kind.Q8_0]), (40, [Kind.F16] * 3)])
def test_a_row_that_does_not_divide_gets_the_format_that_stands_in(columns, expected):
    found = [format_of("blk.1.attn_q.weight", (64, columns), "q4_k_m", 8), format_of("blk.1.attn_q.weight", (64, columns), "q5_k_m", 8),
             format_of("blk.1.attn_q.weight", (64, columns), "q8_0", 8)]
    assert found == expected


def test_importance_is_the_mean_square_of_what_enters_a_matrix(merged, examples):
    rows = token_rows(merged, examples[:3])
    found = measure_importance(merged, rows)
    assert len(found) == 2 * 7  # seven matrices in each of two layers
    # By hand for the first layer: the embedding of each token, divided by its root mean square (that norm's weights are 1).
    table = load_file(merged / "model.safetensors")["model.embed_tokens.weight"].astype(np.float64)
    entered = table[[token for row in rows for token in row]]
    entered /= np.sqrt((entered ** 2).mean(1, keepdims=True) + 1e-5)
    assert found["model.layers.0.self_attn.q_proj.weight"] == pytest.approx((entered ** 2).mean(0), rel=1e-4)
    assert measure_importance(merged, []) == {}


@pytest.mark.parametrize("quantisation", ["q4_k_m", "q5_k_m"])
def test_llama_cpp_scores_the_copy_near_the_model(quantisation, merged, examples, tmp_path):
    path = tmp_path / "copy.gguf"
    rows = token_rows(merged, examples[:5])
    export_gguf(merged, path, quantisation=quantisation, name="copy", chat_format=CHATML, importance=measure_importance(merged, rows))
    exact, engine = TorchEngine(merged, name="exact", threads=1), GgufEngine(path, name="copy", context_length=256)
    assert [render(example.prompt, CHATML, engine, reply=True).ids for example in examples[:5]] == rows
    expected, found = (np.array([score.logprob for row in one.score(rows, [1] * 5) for score in row]) for one in (exact, engine))
    engine.close()
    assert np.abs(found - expected).mean() < 0.2


def test_the_stage_goes_up_in_size_until_a_copy_agrees(tiny, trained, examples, tmp_path):
    learned = [held_out_row(number).model_copy(update={"id": f"train{number}", "part": "train"}) for number in range(70, 80)]
    artifact = run_model(tmp_path, tiny, trained, [*examples, *learned], quantisation="q4_k_m", minimum_agreement=0.98, importance_rows=4)
    evidence = Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8"))
    assert [one.quantisation for one in (*evidence.refused, evidence.kept)] == ["q4_k_m", "q5_k_m", "q8_0", "f16"]
    assert artifact.manifest.facts["importance_rows"] == 4
    assert sorted(path.name for path in artifact.folder.glob("*.gguf")) == ["model-f16.gguf"]


def test_a_4_bit_copy_that_agrees_enough_is_kept(tiny, trained, examples, tmp_path):
    artifact = run_model(tmp_path, tiny, trained, examples, quantisation="q4_k_m", minimum_agreement=0.5)
    assert artifact.manifest.facts["quantisation"] == "q4_k_m"
    assert artifact.manifest.facts["importance_rows"] == 0  # nothing was learned from here, so all columns count alike
    fields = gguf.GGUFReader(artifact.file("model-q4_k_m.gguf")).fields
    assert fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q4_K_M


def test_a_model_that_is_not_finite_leaves_no_copy(merged, tmp_path: Path):
    broken = shutil.copytree(merged, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] = np.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"the weight 'model\.layers\.1\.mlp\.up_proj\.weight' has 1 of 8,192 numbers"):
        export_gguf(broken, tmp_path / "copy.gguf", quantisation="q4_k_m", name="x", chat_format=CHATML)
    assert not (tmp_path / "copy.gguf").exists()
