"""The ONNX copy that the model stage keeps beside the one that is served, and what it does with one that is worse."""

from __future__ import annotations

import json

import pytest
from model_stage import remains, run_model

from tutelage.core.copies import Copies
from tutelage.core.errors import GateClosed
from tutelage.core.events import Event
from tutelage.core.files import size_of
from tutelage.core.language import text
from tutelage.engine.onnx_engine import OnnxEngine


def test_a_copy_in_32_bits_is_made_beside_the_one_that_is_served_with_its_evidence(tmp_path, tiny, trained, examples):
    made = run_model(tmp_path, tiny, trained, examples[:12], onnx="fp32", measure="quick")
    parity = json.loads((made.folder / "onnx-parity.json").read_text("utf-8"))
    assert parity["kept"]
    assert parity["ids_identical"] == parity["argmax_equal"] == parity["prompts"] == 12
    assert parity["logit_difference"] < 1e-4
    assert abs(parity["rounding"]["difference"]) < 1e-4
    assert parity["fidelity"]["top_1_share"] == 1.0
    served, beside = Copies.model_validate_json(made.file("evidence.json").read_text("utf-8")).copies
    assert (served.name, beside.name, served.kept, beside.kept) == ("q8_0", "onnx-fp32", True, True)
    assert beside.size_bytes == size_of(made.folder / "onnx-fp32") > served.size_bytes
    assert beside.reason == "model.copy.onnx_open"  # all rows are of one document
    for language, said in (("en", "kept beside the served copy: 12 rows cannot tell"), ("zh", "保留在上线副本旁：12 条数据不足以判断")):
        assert said in text(beside.reason, language, **beside.facts)
    assert beside.fidelity
    assert beside.fidelity.kl_nats < 1e-6
    assert beside.speed
    assert min(beside.speed.load_seconds, beside.speed.peak_rss_mb, beside.speed.first_token_ms, beside.speed.tokens_per_second) > 0
    assert (beside.speed.streams, beside.speed.new_tokens) == (8, 16)
    engine = OnnxEngine(made.folder / "onnx-fp32", name="it")
    assert engine.context_length == 2048
    engine.close()
    assert (made.folder / "model-q8_0.gguf").is_file()


def test_a_worse_copy_is_removed_with_a_warning_and_the_other_stands(tmp_path, tiny, trained, examples):
    told: list[Event] = []
    made = run_model(tmp_path, tiny, trained, examples, told.append, onnx="int4", minimum_agreement=0.98, quantisation="f16")
    assert not (made.folder / "onnx-int4").exists()
    assert not json.loads((made.folder / "onnx-parity.json").read_text("utf-8"))["kept"]
    assert (made.folder / "model-f16.gguf").is_file()
    assert [event.key for event in told if event.key.startswith("model.onnx")] == ["model.onnx_refused"]


def test_what_a_refused_copy_costs_stands_in_the_evidence(tmp_path, tiny, trained, examples):
    made = run_model(tmp_path, tiny, trained, examples[:20], onnx="int4", measure="quick", minimum_agreement=0.98, quantisation="f16")
    served, refused = Copies.model_validate_json(made.file("evidence.json").read_text("utf-8")).copies
    assert (served.kept, refused.name, refused.kept, refused.speed) == (True, "onnx-int4", False, None)
    assert refused.reason in ("model.copy.disagrees", "model.copy.costs")
    assert text(refused.reason, "en", **refused.facts).startswith("refused: it ")
    assert refused.fidelity
    assert refused.fidelity.kl_nats > 1e-3
    assert refused.size_bytes > 0


def test_without_fallback_a_worse_copy_ends_the_stage_and_nothing_is_kept(tmp_path, tiny, trained, examples):
    with pytest.raises(GateClosed, match=r"the ONNX copy int4 is not the trained model: token ids agree on 60 of 60 .* Nothing was kept"):
        run_model(tmp_path, tiny, trained, examples, onnx="int4", minimum_agreement=0.98, quantisation="f16", fallback=False)
    assert not remains(tmp_path)
