"""How large copies would be, reckoned beforehand, beside how large they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_stage import HEAL
from tiny_families import make_tiny
from tiny_onnx import make_onnx

from tutelage.core.chat import CHATML
from tutelage.core.files import size_of
from tutelage.engine.bases import find_base
from tutelage.model.export_gguf import export_gguf
from tutelage.model.make import reshapings
from tutelage.model.mixture import SEARCH
from tutelage.model.reckoning import GGUF_TOKEN_BYTES, GRAPH_BYTES, ONNX_TOKEN_BYTES, Shapes, base_shapes, reckon
from tutelage.model.settings import ModelSettings

TARGET = {"megabytes": 90}


def settings(**changed: object) -> ModelSettings:
    return ModelSettings.model_validate({"target": TARGET} | changed)


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma3_text"])
def test_the_weights_of_each_copy_are_reckoned_to_the_byte(family, tmp_path):
    folder = make_tiny(family, tmp_path / "model")
    shapes = base_shapes(find_base(str(folder)))
    assert shapes is not None
    reckoned = {one.name: one.megabytes * 1e6 - GGUF_TOKEN_BYTES * shapes.vocabulary for one in reckon(shapes, settings())}
    assert list(reckoned) == list(SEARCH)
    heads = []
    for size in SEARCH:
        export_gguf(folder, tmp_path / f"{size}.gguf", quantisation=size, name="it", chat_format=CHATML)
        heads.append((tmp_path / f"{size}.gguf").stat().st_size - reckoned[size])
    assert max(heads) - min(heads) < 2_000  # what stands before the weights is the same; each tensor is aligned to 32 bytes
    assert min(heads) > 0
    of_file = base_shapes(find_base(str(tmp_path / "f16.gguf")))
    assert of_file is not None
    assert (dict(of_file.weights), of_file.heads, of_file.groups) == (dict(shapes.weights), shapes.heads, shapes.groups)


def test_onnx_copies_are_reckoned_beside_graph_and_tokenizer(tmp_path):
    folder = make_tiny("llama", tmp_path / "model")
    shapes = base_shapes(find_base(str(folder)))
    assert shapes is not None
    reckoned = {one.name: one.megabytes * 1e6 for one in reckon(shapes, settings(onnx="int4"))[len(SEARCH):]}
    assert list(reckoned) == ["onnx-int4", "onnx-int8_blocks", "onnx-int8", "onnx-fp32"]
    for kind in ("int8_blocks", "fp32"):
        weights = reckoned[f"onnx-{kind}"] - GRAPH_BYTES - ONNX_TOKEN_BYTES * shapes.vocabulary
        written = sum(path.stat().st_size for path in make_onnx(folder, kind).glob("model.onnx*"))
        assert weights < written < weights + 200_000  # the graph, and pages to which large tensors are aligned
    assert size_of(make_onnx(folder, "fp32")) > reckoned["onnx-fp32"] - GRAPH_BYTES - ONNX_TOKEN_BYTES * shapes.vocabulary


def test_every_step_that_changes_the_shape_is_reckoned_in_the_order_in_which_it_is_taken():
    base = Shapes({"token_embd.weight": (1000, 64), "output_norm.weight": (64,), **{
        f"blk.{layer}.{name}.weight": shape for layer in range(4) for name, shape in (
            ("attn_q", (64, 64)), ("attn_k", (32, 64)), ("attn_output", (64, 64)), ("ffn_up", (256, 64)), ("ffn_down", (64, 256)))}}, 4, 2)
    found = {one.name: one.megabytes for one in reckon(base, settings(trim="vocabulary", trim_tokens=500, drop_layers=1, drop_heads=2,
                                                                      drop_channels=0.5, sparsity=0.5))}
    names = [step.name for step in reshapings(HEAL)]
    assert [name for name in found if name.startswith("f16")] == ["f16", *(f"f16-{'+'.join(names[:count])}" for count in (1, 2, 3, 4))]
    layer = 64 * 64 + 32 * 64 + 64 * 64 + 2 * 256 * 64
    assert found["f16"] * 1e6 == 1000 * (64 * 2 + GGUF_TOKEN_BYTES) + 64 * 4 + 4 * layer * 2
    assert found["f16-trim"] * 1e6 == pytest.approx(500 * (64 * 2 + GGUF_TOKEN_BYTES) + 64 * 4 + 4 * layer * 2)
    assert found["f16-trim+drop_layers"] * 1e6 == pytest.approx(500 * (64 * 2 + GGUF_TOKEN_BYTES) + 64 * 4 + 3 * layer * 2)
    narrow = 32 * 64 + 16 * 64 + 64 * 32 + 2 * 128 * 64  # two heads are one of the two groups
    assert found["f16-trim+drop_layers+narrow"] * 1e6 == pytest.approx(500 * (64 * 2 + GGUF_TOKEN_BYTES) + 64 * 4 + 3 * narrow * 2)
    assert found["f16-trim+drop_layers+narrow+sparsity"] == found["f16-trim+drop_layers+narrow"]


def test_a_base_whose_files_tell_no_shapes_is_not_reckoned(tmp_path):
    folder = make_tiny("gpt2", tmp_path / "model")
    assert base_shapes(find_base(str(folder))) is None
    assert Path(folder).is_dir()
