"""Narrower layers: which channels and heads go, what is left, how it is healed, and that every kind of copy is made of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from model_stage import HEAL, remains, run_model
from shrinking import PROBE, given, heal_badly, logits, rows
from tiny_families import make_tiny
from tiny_model import TEXTS
from tiny_onnx import make_onnx
from training_stage import signal_at

from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed, InputError, Paused
from tutelage.core.events import Event, Recorder
from tutelage.core.language import text
from tutelage.engine.bases import find_base
from tutelage.engine.families import FAMILIES
from tutelage.engine.fewer_layers import layers_of
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.gguf_file import read_head
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_gguf import check_supported, export_gguf
from tutelage.model.held_out import measure_loss
from tutelage.model.importance import mean_squares
from tutelage.model.parity import Evidence
from tutelage.model.width import ALL_HEADS, Heads, Width, channels_left, choose_heads, heads_left, importance, narrow

KINDS = tuple(family.model_type for family in FAMILIES)
THIRD = 0.34  # of 96 or 128 channels in blocks of 32: one block


def with_idle_parts(family: str, place: Path) -> tuple[Path, list[int]]:
    """A tiny model in which every third channel and a group of two heads add exactly 0; and of each layer which group that is."""
    folder = as_folder(find_base(str(make_tiny(family, place / "base"))), place / "cache")
    model = load_causal(folder)
    idle = []
    with torch.no_grad():
        for number, layer in enumerate(layers_of(model)):
            group, size = number % 2, layer.self_attn.head_dim
            layer.mlp.down_proj.weight[:, number % 3::3] = 0
            layer.self_attn.o_proj.weight[:, group * 2 * size:(group + 1) * 2 * size] = 0
            idle.append(group)
    model.save_pretrained(folder)
    return folder, idle


def heads_gone(family: str) -> int:
    """A group of two, but none where llama.cpp has a fixed number."""
    return 0 if family in ALL_HEADS else 2


@pytest.fixture(scope="module", params=KINDS)
def narrowed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[int], Path]:
    """Of each family: a model with idle parts, the narrow one, the idle group of each layer, and the folder with width.json."""
    place = tmp_path_factory.mktemp(request.param)
    model, idle = with_idle_parts(request.param, place)
    drop = heads_gone(request.param)
    facts = narrow(HEAL, given(model, place / "work", rows(), drop_channels=THIRD, drop_heads=drop, heal_steps=0), place / "narrow")
    assert facts == {"channels_before": 96, "channels": 64, "heads_before": 4, "heads": 4 - drop, "groups_before": 2,
                     "groups": 2 - drop // 2}
    return model, place / "narrow", idle, place / "work"


def test_channels_and_heads_that_add_nothing_are_those_taken_out_and_the_model_stays_the_same(
        narrowed: tuple[Path, Path, list[int], Path]) -> None:
    model, folder, idle, work = narrowed
    before, after = logits(model), logits(folder)
    assert torch.allclose(before, after, atol=1e-5 * float(before.abs().max()))  # the same sums of fp32 without the zeros among them
    width = Width.model_validate_json((work / "width.json").read_text("utf-8"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kept = config["num_attention_heads"]
    assert kept == 4 - heads_gone(config["model_type"])
    assert width.heads_kept == tuple((0, 1, 2, 3) if kept == 4 else (2, 3) if group == 0 else (0, 1) for group in idle)
    assert (width.rows, max(width.lost_channels), max(width.lost_heads)) == (12, 0, 0)
    assert (config["intermediate_size"], config["num_key_value_heads"]) == (64, kept // 2)
    check_supported(config, folder)
    whole, cut = (sum(weight.numel() for weight in load_causal(one).parameters()) for one in (model, folder))
    assert cut < whole


def test_a_narrow_copy_for_llama_cpp_gives_each_token_the_probability_that_torch_gives(
        narrowed: tuple[Path, Path, list[int], Path], tmp_path: Path) -> None:
    folder = narrowed[1]
    export_gguf(folder, tmp_path / "copy.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    exact, copy = TorchEngine(folder, name="exact", threads=1), GgufEngine(tmp_path / "copy.gguf", name="copy", context_length=256)
    asked = [exact.tokenize(line) for line in TEXTS]
    expected, found = (np.array([score.logprob for row in engine.score(asked, [1] * len(asked)) for score in row])
                       for engine in (exact, copy))
    assert np.abs(found - expected).mean() < 0.005  # as for whole models, tests/engine/test_engine_gguf_families.py
    copy.close()
    back = as_folder(find_base(str(tmp_path / "copy.gguf")), tmp_path / "cache")
    assert torch.allclose(logits(back), logits(folder), atol=0.05)


def test_a_narrow_onnx_copy_gives_the_logits_of_torch(narrowed: tuple[Path, Path, list[int], Path]) -> None:
    folder = narrowed[1]
    exact, copy = TorchEngine(folder, name="it", threads=1), OnnxEngine(make_onnx(folder, "fp32"), name="it", threads=1)
    row = exact.tokenize(TEXTS[0])
    expected, found = (np.stack(list(engine.foretell(row, 1))) for engine in (exact, copy))
    assert found == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))


def test_the_importance_of_a_channel_is_the_squared_error_if_it_alone_goes(tiny: Path) -> None:
    """Against the layer's own output with and without the channel; a head counts as its columns, one by one."""
    model = load_causal(tiny)
    layer, outputs = layers_of(model)[0], []
    of_channels, of_heads = importance(model, mean_squares(model, [PROBE[0].tolist()]), heads=model.config.num_attention_heads)

    def without(matrix: torch.nn.Linear, column: int) -> float:
        handle = matrix.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        before = matrix.weight[:, column].clone()
        for values in (before, torch.zeros_like(before)):
            matrix.weight[:, column] = values
            model(input_ids=PROBE)
        matrix.weight[:, column] = before
        handle.remove()
        return float((outputs[-1] - outputs[-2]).double().square().sum(-1).mean())

    with torch.no_grad():
        assert of_channels[0, 5] == pytest.approx(without(layer.mlp.down_proj, 5), rel=1e-4)
        size = layer.self_attn.head_dim
        assert of_heads[0, 1] == pytest.approx(sum(without(layer.self_attn.o_proj, size + column) for column in range(size)), rel=1e-4)


@pytest.mark.parametrize(("channels", "share", "left"), [
    (1536, 0.0, 1536), (1536, 0.25, 1280), (1536, 1 / 3, 1024), (2048, 0.5, 1024), (96, THIRD, 64), (96, 0.66, 32), (90, 0.5, 45)])
def test_channels_go_in_blocks_of_the_formats_of_few_bits(channels: int, share: float, left: int) -> None:
    assert channels_left(channels, share) == left


def test_a_share_that_takes_no_block_or_every_one_is_refused_with_what_may_be_asked() -> None:
    with pytest.raises(InputError, match=r"model\.drop_channels: is 0\.05, which takes none of the 1536 channels a layer: they go in "
                                         r"blocks of 256\. Give 0\.17 to 0\.83, or 0\."):
        channels_left(1536, 0.05)
    with pytest.raises(InputError, match=r"is 0\.95, which takes all of the 1536 channels"):
        channels_left(1536, 0.95)
    with pytest.raises(InputError, match=r"is 0\.5, but the model has 32 channels a layer, one block of the copies' formats, which "):
        channels_left(32, 0.5)


def test_heads_go_by_whole_groups_or_evenly_from_each() -> None:
    values = np.array([9.0, 1.0, 2.0, 8.0, 3.0, 5.0])
    pairs, threes = Heads(6, 3), Heads(6, 2)
    assert choose_heads(values, pairs, pairs.without(2)) == [0, 1, 2, 3]  # sums of the groups: 10, 10, 8
    assert choose_heads(values, pairs, pairs.without(3)) == [0, 3, 5]  # one of each pair
    assert (pairs.without(3), pairs.without(2)) == (Heads(3, 3), Heads(4, 2))
    assert choose_heads(values, threes, threes.without(3)) == [3, 4, 5]  # sums: 12, 16
    assert choose_heads(values, threes, threes.without(2)) == [0, 2, 3, 5]


def test_heads_that_cannot_go_are_refused_with_those_that_can() -> None:
    smollm, gemma = Heads(9, 3), Heads(4, 1)
    assert heads_left(smollm, 3, width=576, kind="llama") == Heads(6, 2)
    with pytest.raises(InputError, match=r"model\.drop_heads: is 4, but the model has 9 heads a layer in 3 groups with keys and values of "
                                         r"their own, and every group must keep as many\. Give 3, 6, or 0\."):
        heads_left(smollm, 4, width=576, kind="llama")
    with pytest.raises(InputError, match=r"drop_heads: is 9, .* Give 3, 6, or 0\."):
        heads_left(smollm, 9, width=576, kind="llama")
    assert heads_left(gemma, 2, width=640, kind="gemma3_text") == Heads(2, 1)
    with pytest.raises(InputError, match=r"drop_heads: is 1, .* Give 2, 3, or 0\."):  # 640 is no multiple of 3
        heads_left(gemma, 1, width=640, kind="gemma3_text")
    assert heads_left(Heads(16, 8), 2, width=1024, kind="qwen3") == Heads(14, 7)
    with pytest.raises(InputError, match=r"model\.drop_heads: is 2, but llama\.cpp takes the heads of a qwen2 model, all together, for as "
                                         r"wide as the model, so none can go\. Set it to 0, or take out channels"):
        heads_left(Heads(14, 2), 2, width=896, kind="qwen2")
    with pytest.raises(InputError, match=r"None can go from this model: set it to 0\."):
        heads_left(Heads(1, 1), 1, width=63, kind="llama")


def test_a_healed_narrow_model_loses_less_than_an_unhealed_one(tiny: Path, tmp_path: Path) -> None:
    examples, loss = rows(), {}
    for steps in (0, 24):
        place = tmp_path / str(steps)
        facts = narrow(HEAL, given(tiny, place / "work", examples, drop_channels=THIRD, heal_steps=steps), place / "narrow")
        loss[steps] = measure_loss(place / "narrow", examples[-8:], CHATML).bits_per_byte
    assert (facts["heal_steps"], facts["heads"], facts["heads_before"]) == (24, 4, 4)
    assert loss[24] < loss[0]


def test_the_copy_is_made_of_the_narrow_model_and_the_evidence_tells_what_it_cost(tiny: Path, trained: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    made = run_model(tmp_path, tiny, trained, rows(), recorder, drop_channels=THIRD, drop_heads=2, heal_steps=4, drop_margin=9.0,
                     minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept, step.margin, step.facts["heal_steps"]) == ("narrow", True, 9.0, 4)
    assert step.bytes < step.bytes_before
    width = Width.model_validate_json(made.file("width.json").read_text("utf-8"))
    assert 0 < min(width.lost_channels) < max(width.lost_channels) < 0.5
    head = read_head(made.file("model-q8_0.gguf"))
    shape = [head.facts[f"llama.{name}"] for name in ("feed_forward_length", "attention.head_count", "attention.head_count_kv")]
    assert shape == [96, 2, 1]
    told = {event.key: text(event.key, "en", **event.facts) for event in recorder.events if event.kind == "note"}
    assert told["model.narrowed"] == ("each layer keeps the channels and heads that add most on 12 training rows: 96 of 128 channels, "
                                      "2 of 4 heads in 1 of 2 groups")


def test_a_refused_narrow_model_gives_way_to_the_whole_one_or_ends_the_stage(tiny: Path, trained: Path, tmp_path: Path) -> None:
    whole = run_model(tmp_path / "whole", tiny, trained, rows(), minimum_agreement=0.0)
    made = run_model(tmp_path / "work", tiny, trained, rows(), heal=heal_badly, drop_channels=THIRD, minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept, step.margin) == ("narrow", False, 0.05)
    assert not (made.folder / "narrow").exists()
    assert made.file("model-q8_0.gguf").read_bytes() == whole.file("model-q8_0.gguf").read_bytes()
    with pytest.raises(GateClosed, match=r"the step 'narrow' makes the model worse: bits per byte on 8 unseen answers go from"):
        run_model(tmp_path / "closed", tiny, trained, rows(), heal=heal_badly, drop_channels=THIRD, fallback=False)
    assert remains(tmp_path / "closed") == []


def test_all_steps_are_taken_in_turn_and_a_second_healing_that_was_stopped_ends_in_the_same_model(
        tiny: Path, trained: Path, tmp_path: Path) -> None:
    """Each step heals from the model before it: what an earlier teacher said of the rows must not be taken for the later one's."""
    changed = {"trim": "vocabulary", "trim_tokens": 0, "trim_margin": 9, "drop_layers": 1, "drop_channels": THIRD, "sparsity": "2_of_4",
               "heal_steps": 2, "drop_margin": 9.0, "minimum_agreement": 0.0}
    whole = run_model(tmp_path / "whole", tiny, trained, rows(), **changed)
    steps = Evidence.model_validate_json(whole.file("parity.json").read_text("utf-8")).reshaped
    assert [(step.step, step.kept) for step in steps] == [(name, True) for name in ("trim", "drop_layers", "narrow", "sparsity")]
    config = json.loads(whole.file("sparse/config.json").read_text("utf-8"))
    assert (config["num_hidden_layers"], config["intermediate_size"]) == (1, 96)
    seen, stop = [0], signal_at(1, signal.SIGTERM)

    def stop_second(event: Event) -> None:
        seen[0] += event.key == "model.healed"
        if seen[0] == 1 and "loss" in event.facts:
            stop(event)

    with pytest.raises(Paused, match="stopped by SIGTERM after step 1 of 2"):
        run_model(tmp_path / "work", tiny, trained, rows(), stop_second, **changed)
    resumed = run_model(tmp_path / "work", tiny, trained, rows(), **changed)
    for name in ("shallow", "narrow", "sparse"):
        assert resumed.file(f"{name}/model.safetensors").read_bytes() == whole.file(f"{name}/model.safetensors").read_bytes()
