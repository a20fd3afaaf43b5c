"""ONNX copies of every family: the same model in 32 bits, the rounded weights in fewer, and nothing half-written on a fault."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_families import make_tiny
from tiny_onnx import make_onnx

from tutelage.core.chat import CHATML
from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Sampling
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_onnx import export_onnx
from tutelage.model.onnx_numbers import round_rows
from tutelage.model.onnx_trace import SUPPORTED, check_traceable, trace

ASKED = ("The Supplier pays within thirty days.", "保密期限为三年。" * 4, "x")
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


def tiny_of(models: Path, family: str) -> Path:
    return models / family if (models / family).is_dir() else make_tiny(family, models / family)


def test_every_family_that_is_exported_is_tested_here():
    assert FAMILIES == SUPPORTED


@pytest.mark.parametrize("family", FAMILIES)
def test_a_copy_in_32_bits_gives_the_logits_vectors_and_answers_of_pytorch(models, family):
    folder = tiny_of(models, family)
    exact, copy = TorchEngine(folder, name="it", threads=1), OnnxEngine(make_onnx(folder, "fp32"), name="it", threads=1)
    prompts = [exact.tokenize(text) for text in ASKED]
    assert [copy.tokenize(text) for text in ASKED] == prompts
    row = prompts[1] * 3
    assert len(row) > 64  # longer than Gemma's window of 16
    expected, found = (np.stack(list(engine.foretell(row, 1))) for engine in (exact, copy))
    assert found == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))  # fp32 sums in another order
    assert copy.embed(ASKED) == pytest.approx(exact.embed(ASKED), abs=1e-5)
    assert copy.generate(prompts, Sampling(max_tokens=20), end_ids=()) == exact.generate(prompts, Sampling(max_tokens=20), end_ids=())


@pytest.mark.parametrize("kind, bits", [("int8", 8), ("int8_blocks", 8), ("int4", 4)])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_a_rounded_copy_answers_as_pytorch_with_the_rounded_weights(models, tmp_path, family, kind, bits):
    folder = tiny_of(models, family)
    rounded = shutil.copytree(folder, tmp_path / "rounded")
    weights = load_file(folder / "model.safetensors")
    for name, weight in weights.items():
        if weight.ndim == 2:
            rows = round_rows(weight.numpy(), bits=8 if "embed" in name else bits, block=weight.shape[1] if kind == "int8" else 32)
            weights[name] = torch.from_numpy(rows.restored())
    save_file(weights, rounded / "model.safetensors", metadata={"format": "pt"})
    exact, copy = TorchEngine(rounded, name="it", threads=1), OnnxEngine(make_onnx(folder, kind), name="it", threads=1)
    row = exact.tokenize(ASKED[1])
    expected, found = (np.stack(list(engine.foretell(row, 1))) for engine in (exact, copy))
    spread = expected.std()
    assert np.sqrt(np.square(found - expected).mean()) < 0.25 * spread  # what is left is the rounding of activations to 8 bits
    whole = np.stack(list(TorchEngine(folder, name="it", threads=1).foretell(row, 1)))
    if bits == 4:
        assert np.sqrt(np.square(found - whole).mean()) > np.sqrt(np.square(found - expected).mean())


def test_rounding_errs_by_half_a_step_at_most_and_keeps_zeros():
    weight = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    weight[3] = 0
    eight = round_rows(weight, bits=8, block=32)
    steps = np.repeat(np.abs(weight.reshape(8, 2, 32)).max(2) / 127, 32, axis=1)
    assert (np.abs(eight.restored() - weight) <= 0.5001 * steps).all()
    four = round_rows(weight, bits=4, block=32)
    assert not four.restored()[3].any()
    # By hand: the largest of the block, -4, becomes number 0 (-8 x 0.5); 1 becomes 10, packed behind 0 of the first.
    by_hand = round_rows(np.array([[-4.0, 1.0] + [0.0] * 30], np.float32), bits=4, block=32)
    assert by_hand.scales[0, 0] == pytest.approx(0.5)
    assert by_hand.packed()[0, 0, 0] == 0 + 10 * 16
    assert by_hand.restored()[0, :3].tolist() == [-4.0, 1.0, 0.0]


def test_an_embedding_that_is_shared_with_the_output_layer_is_stored_once(models):
    folder = tiny_of(models, "llama")
    width = json.loads((folder / "config.json").read_text("utf-8"))["hidden_size"]
    shared = json.loads((folder / "config.json").read_text("utf-8"))["vocab_size"] * width * 4
    whole = sum(weight.nbytes for weight in load_file(folder / "model.safetensors").values())
    written = sum(path.stat().st_size for path in make_onnx(folder, "fp32").glob("model.onnx*"))
    assert whole < written < whole + shared


def test_a_weight_that_is_not_finite_is_named_and_nothing_is_left(models, tmp_path):
    folder = shutil.copytree(tiny_of(models, "llama"), tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.up_proj\.weight: holds numbers that are not finite"):
        export_onnx(folder, tmp_path / "copy", kind="int8", chat_format=CHATML)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken"]


def test_rows_that_cannot_be_cut_into_blocks_are_refused_by_name_and_the_copy_before_stands(models, tmp_path):
    folder = shutil.copytree(tiny_of(models, "llama"), tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    weights = load_file(folder / "model.safetensors")
    for name in list(weights):
        if "mlp" in name:
            weights[name] = weights[name][:, :90].contiguous() if "down" in name else weights[name][:90].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 90}))
    export_onnx(folder, tmp_path / "copy", kind="int8", chat_format=CHATML)
    before = (tmp_path / "copy" / "onnx.json").read_bytes()
    with pytest.raises(InputError, match=r"down_proj\.weight: its rows have 90 numbers; int4 cuts rows into blocks of 32"):
        export_onnx(folder, tmp_path / "copy", kind="int4", chat_format=CHATML)
    assert (tmp_path / "copy" / "onnx.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "odd"]


def test_a_copy_that_cannot_be_written_says_so(models, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the copy cannot be written"):
        export_onnx(tiny_of(models, "llama"), tmp_path / "file" / "copy", kind="fp32", chat_format=CHATML)


def test_other_architectures_and_positions_that_follow_the_text_are_refused_by_name(models, tmp_path):
    with pytest.raises(InputError, match="the architecture is 'gpt2'; ONNX copies are made of llama, mistral, qwen2, qwen3, gemma3_text"):
        export_onnx(make_tiny("gpt2", models / "gpt2"), tmp_path / "copy", kind="fp32", chat_format=CHATML)
    scaled = SimpleNamespace(model_type="llama", rope_parameters={"rope_type": "dynamic"})
    with pytest.raises(InputError, match="rotary positions are of type 'dynamic', which changes with the length of the text"):
        check_traceable(scaled, "here")


class Unwritable(torch.nn.Module):
    """A decoder with an operator that ONNX lacks."""

    def get_decoder(self):
        return self

    def get_output_embeddings(self):
        return torch.nn.Linear(4, 4)

    def forward(self, input_ids, past_key_values, **_):
        past_key_values.update(past_key_values.past[0], past_key_values.past[1], 0)
        states = torch.linalg.eigvals(input_ids[..., None, None].float() * torch.eye(4)).real
        return SimpleNamespace(last_hidden_state=states)


def test_an_operator_that_onnx_lacks_is_named():
    config = SimpleNamespace(num_hidden_layers=1, num_key_value_heads=1, hidden_size=4, num_attention_heads=1, to_dict=lambda: {})
    model = Unwritable()
    model.config = config
    with pytest.raises(InputError, match=r"here: PyTorch cannot write this model as ONNX .*eigvals"):
        trace(model, place="here")


def test_without_the_package_the_extra_is_named(models, tmp_path):
    gone = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "onnx"}
    sys.modules["onnx"] = None  # as if it were not installed
    try:
        with pytest.raises(ExtraMissing, match=r"package onnx, which is not installed. .* `pip install \"tutelage\[onnx\]\"`"):
            export_onnx(tiny_of(models, "llama"), tmp_path / "copy", kind="fp32", chat_format=CHATML)
    finally:
        sys.modules.pop("onnx")
        sys.modules.update(gone)
