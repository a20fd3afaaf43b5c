"""The ONNX engine alone: damaged folders, what it computes on, and rounding that no neighbour changes."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from tiny_onnx import make_onnx

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Sampling
from tutelage.engine.onnx_engine import CHUNK_TOKENS, OnnxEngine
from tutelage.engine.onnx_session import available_providers


@pytest.fixture
def copied(tiny, tmp_path):
    return shutil.copytree(make_onnx(tiny, "fp32"), tmp_path / "onnx-fp32")


def test_a_file_that_is_cut_short_or_gone_is_named(copied):
    graph = copied / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"model\.onnx: the file is cut short or changed; .* Copy the whole folder again"):
        OnnxEngine(copied, name="it")
    graph.unlink()
    with pytest.raises(InputError, match=r"model\.onnx: there is no such file, but onnx\.json names it"):
        OnnxEngine(copied, name="it")


def test_another_tokenizer_is_refused(copied):
    path = copied / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace("Split", "Split "), "utf-8")
    with path.open("a") as file:
        file.write(" ")
    with pytest.raises(InputError, match="the tokenizer is not the one that this copy was made with"):
        OnnxEngine(copied, name="it")


def test_a_folder_that_is_no_copy_and_a_description_of_another_kind_are_refused(tiny, copied):
    with pytest.raises(InputError, match=r"has no onnx\.json, so it is no ONNX copy of ours"):
        OnnxEngine(tiny, name="it")
    path = copied / "onnx.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"kind": "int2"}))
    with pytest.raises(InputError, match="it is no description of an ONNX copy"):
        OnnxEngine(copied, name="it")


def test_a_model_with_fewer_tokens_than_its_tokenizer_is_refused(copied):
    path = copied / "onnx.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"vocabulary": 10}))
    with pytest.raises(InputError, match="its tokenizer has 400 tokens, its model 10"):
        OnnxEngine(copied, name="it")


def test_a_graph_that_onnx_runtime_cannot_read_is_an_error_of_the_copy(copied):
    (copied / "model.onnx").write_bytes(b"no graph")
    path = copied / "onnx.json"
    description = json.loads(path.read_text("utf-8"))
    del description["files"]["model.onnx"]
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match=r"ONNX Runtime .* cannot load this copy"):
        OnnxEngine(copied, name="it")


def test_it_computes_on_the_first_of_tensorrt_cuda_and_processor_that_is_there(tiny):
    engine = OnnxEngine(make_onnx(tiny, "fp32"), name="it")
    assert engine.providers[0] == available_providers()[0]
    assert "CPUExecutionProvider" in engine.providers
    engine.close()


@pytest.mark.parametrize("kind", ["int8", "int8_blocks", "int4"])
def test_an_answer_of_a_rounded_copy_does_not_depend_on_its_neighbours(tiny, kind):
    engine = OnnxEngine(make_onnx(tiny, kind), name="it", threads=1)
    prompts = [engine.tokenize(text) for text in ("The Supplier pays.", "保密期限为三年。" * 5, "x")]
    together = engine.generate(prompts, Sampling(max_tokens=24), end_ids=())
    assert together == [engine.generate([prompt], Sampling(max_tokens=24), end_ids=())[0] for prompt in prompts]
    engine.close()


def test_scores_of_a_long_row_do_not_depend_on_where_it_is_cut(tiny):
    engine = OnnxEngine(make_onnx(tiny, "fp32"), name="it", threads=1)
    row = engine.tokenize("The Supplier pays each invoice within thirty days. " * 20)
    assert len(row) > 2 * CHUNK_TOKENS
    whole = [score.logprob for score in engine.score([row], [1])[0]]
    assert len(whole) == len(row) - 1
    for start in (CHUNK_TOKENS, CHUNK_TOKENS + 1, len(row)):
        assert [score.logprob for score in engine.score([row], [start])[0]] == pytest.approx(whole[start - 1:], abs=1e-5)
    told = [float(logits[token] - np.logaddexp.reduce(logits)) for token, logits in zip(row[1:], engine.foretell(row, 1), strict=True)]
    assert told == pytest.approx(whole, abs=1e-5)
    engine.close()


def test_a_token_outside_the_vocabulary_is_refused(tiny):
    engine = OnnxEngine(make_onnx(tiny, "fp32"), name="it", threads=1)
    with pytest.raises(InputError, match="token id 400 is outside the vocabulary of 400"):
        engine.generate([[1, 400]], Sampling(max_tokens=2), end_ids=())
    engine.close()


def test_without_onnx_runtime_the_extra_is_named(tiny):
    folder = make_onnx(tiny, "fp32")
    gone = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "onnxruntime"}
    sys.modules["onnxruntime"] = None  # as if it were not installed
    try:
        with pytest.raises(ExtraMissing, match=r"the package onnxruntime, which is not installed. Install it with `pip install"):
            OnnxEngine(folder, name="it")
    finally:
        sys.modules.pop("onnxruntime")
        sys.modules.update(gone)
