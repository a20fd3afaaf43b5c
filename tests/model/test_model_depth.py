"""Dropped layers: which ones go, what is left, how it is healed, and that a refusal or a kill leaves the good model as it was."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import gguf
import pytest
import torch
from model_stage import HEAL, remains, run_model
from shrinking import given, heal_badly, logits, rows
from tiny_families import make_tiny
from training_stage import signal_at

from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed, InputError, Paused
from tutelage.core.events import Event, Recorder
from tutelage.core.language import text
from tutelage.engine.bases import find_base
from tutelage.engine.fewer_layers import layers_of
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.model.depth import Depth, drop_layers
from tutelage.model.export_gguf import check_supported
from tutelage.model.held_out import measure_loss
from tutelage.model.parity import Evidence


def with_an_idle_layer(family: str, place: Path, number: int) -> Path:
    """A tiny model whose layer of this number adds exactly 0 to what passes through it."""
    folder = as_folder(find_base(str(make_tiny(family, place / "base"))), place / "cache")
    model = load_causal(folder)
    layer = layers_of(model)[number]
    with torch.no_grad():
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("family", "idle"), [("llama", 0), ("llama", 1), ("qwen2", 0), ("qwen3", 1), ("mistral", 0), ("gemma3_text", 5)])
def test_a_layer_that_changes_nothing_is_the_one_dropped_and_the_model_stays_the_same(family: str, idle: int, tmp_path: Path) -> None:
    model = with_an_idle_layer(family, tmp_path, idle)
    before = load_causal(model)
    layers = len(layers_of(before))
    facts = drop_layers(HEAL, given(model, tmp_path / "work", rows(), drop_layers=1, heal_steps=0), tmp_path / "shallow")
    assert facts == {"layers_before": layers, "layers": layers - 1, "dropped": str(idle)}
    depth = Depth.model_validate_json((tmp_path / "work" / "depth.json").read_text("utf-8"))
    assert (depth.rows, depth.dropped, len(depth.kept)) == (12, (idle,), layers - 1)
    assert depth.influence[idle] < 1e-9 < min(value for number, value in enumerate(depth.influence) if number != idle)
    assert torch.equal(logits(tmp_path / "shallow"), logits(model))
    config = json.loads((tmp_path / "shallow" / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == layers - 1
    assert len(config.get("layer_types") or [0] * (layers - 1)) == layers - 1
    check_supported(config, tmp_path)


@pytest.mark.parametrize("drop", [2, 3])
def test_dropping_all_layers_is_refused_with_the_number_that_may_go(drop: int, tiny: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=(
            rf"model\.drop_layers: is {drop}, but the model has 2 layers, of which at least one must be left\. Give at most 1\.")):
        run_model(tmp_path, tiny, trained, rows(), drop_layers=drop)
    assert remains(tmp_path) == []


def test_a_healed_model_loses_less_than_an_unhealed_one(tiny: Path, tmp_path: Path) -> None:
    examples, loss = rows(), {}
    for steps in (0, 24):
        place = tmp_path / str(steps)
        start = given(tiny, place / "work", examples, drop_layers=1, heal_steps=steps)
        facts = drop_layers(HEAL, start, place / "shallow")
        loss[steps] = measure_loss(place / "shallow", examples[-8:], CHATML).bits_per_byte
        assert {path.name for path in (place / "work").iterdir()} == {"dataset", "depth.json", "scratch"}
    assert (facts["heal_steps"], facts["heal_rows"]) == (24, 12)
    assert float(facts["loss_after"]) < float(facts["loss_before"])
    assert loss[24] < loss[0]
    assert (place / "shallow" / "chat.json").read_bytes() == (tiny / "chat.json").read_bytes()


def test_the_copy_is_made_of_the_healed_model_and_the_evidence_tells_what_it_cost(tiny: Path, trained: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    made = run_model(tmp_path, tiny, trained, rows(), recorder, drop_layers=1, heal_steps=4, drop_margin=9.0, minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept, step.rows, step.margin) == ("drop_layers", True, 8, 9.0)
    assert step.bytes < step.bytes_before
    assert (step.facts["layers_before"], step.facts["layers"], step.facts["heal_steps"]) == (2, 1, 4)
    depth = Depth.model_validate_json(made.file("depth.json").read_text("utf-8"))
    assert sorted((*depth.kept, *depth.dropped)) == [0, 1]
    assert load_causal(made.folder / "merged").config.num_hidden_layers == 2
    blocks = {tensor.name.split(".")[1] for tensor in gguf.GGUFReader(made.file("model-q8_0.gguf")).tensors if "blk" in tensor.name}
    assert blocks == {"0"}
    steps = [event for event in recorder.events if event.kind == "step" and "loss" in event.facts]
    assert [event.facts["done"] for event in steps] == [0, 1, 2, 3, 4]
    assert {event.stage for event in recorder.events} == {"model"}
    told = {event.key: text(event.key, "en", **event.facts) for event in recorder.events if event.kind == "note"}
    assert told["model.layers_dropped"].startswith(f"layers {depth.dropped[0]} (of 2, counted from 0) change least of what passes through")
    assert told["model.healed"].startswith("what is left learned from the model before the step: 4 steps on 12 training rows; loss on")


def test_a_refused_model_of_fewer_layers_gives_way_to_the_whole_one_and_stays_in_the_evidence(tiny: Path, trained: Path,
                                                                                            tmp_path: Path) -> None:
    whole = run_model(tmp_path / "whole", tiny, trained, rows(), minimum_agreement=0.0)
    made = run_model(tmp_path / "work", tiny, trained, rows(), heal=heal_badly, drop_layers=1, minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept, step.facts["layers"]) == ("drop_layers", False, 1)
    assert step.highest_rise > step.margin == 0.05
    assert not (made.folder / "shallow").exists()
    assert "depth.json" in made.manifest.files
    assert made.file("model-q8_0.gguf").read_bytes() == whole.file("model-q8_0.gguf").read_bytes()
    assert made.file("merged/model.safetensors").read_bytes() == whole.file("merged/model.safetensors").read_bytes()


def test_without_fallback_a_refused_model_of_fewer_layers_ends_the_stage(tiny: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match=r"the step 'drop_layers' makes the model worse: bits per byte on 8 unseen answers go from"):
        run_model(tmp_path, tiny, trained, rows(), heal=heal_badly, drop_layers=1, fallback=False)
    assert remains(tmp_path) == []


def test_a_stopped_healing_leaves_nothing_half_written_and_goes_on_to_the_same_model(tiny: Path, trained: Path, tmp_path: Path) -> None:
    changed = {"drop_layers": 1, "heal_steps": 4, "drop_margin": 9.0, "minimum_agreement": 0.0}
    whole = run_model(tmp_path / "whole", tiny, trained, rows(), **changed)
    work, stop = tmp_path / "work", signal_at(3, signal.SIGTERM)

    def stop_healing(event: Event) -> None:
        if "loss" in event.facts:
            stop(event)

    with pytest.raises(Paused, match="stopped by SIGTERM after step 3 of 4"):
        run_model(work, tiny, trained, rows(), stop_healing, **changed)
    assert {path.name for path in (work / "model").iterdir()} == {".m1.scratch"}
    recorder = Recorder()
    resumed = run_model(work, tiny, trained, rows(), recorder, **changed)
    assert [event.facts["done"] for event in recorder.events if "loss" in event.facts] == [4]
    assert resumed.file("shallow/model.safetensors").read_bytes() == whole.file("shallow/model.safetensors").read_bytes()
    assert not list((work / "model").glob(".*"))


def test_a_healing_that_fails_leaves_nothing(tiny: Path, trained: Path, tmp_path: Path) -> None:
    """Without a validation row nothing tells which weights are the best."""
    examples = [row for row in rows() if row.part != "validation"]
    with pytest.raises(InputError, match="there is no validation row"):
        run_model(tmp_path, tiny, trained, examples, drop_layers=1)
    assert remains(tmp_path) == []
