"""One gradient whatever the batch is cut into; the same end whatever interrupts it; what is watched decides."""

import json
import signal
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
import training_stage
from training_stage import make_dataset, run_training, small_examples
from transformers import AutoModelForCausalLM, GPT2Config

from tutelage.core.errors import InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.store import Store
from tutelage.engine.torch_base import load_causal
from tutelage.training.adapters import trainable
from tutelage.training.batches import by_length
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.objectives import Measured
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.packed import PackedBody
from tutelage.training.settings import TrainingSettings

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
WEIGHTS = {"lora": "adapter/adapter_model.safetensors", "full": "adapter/change.safetensors", "adapter": "adapter/change.safetensors"}


def adapted(base, dtype):
    """The tiny Llama with LoRA whose weights are all random."""
    torch.manual_seed(5)
    model = METHODS["lora"].attach(load_causal(base).to(dtype), TrainingSettings(rank=4))
    for weight in trainable(model).values():
        torch.nn.init.normal_(weight, std=0.1)
    return model


def gpt2(dtype):
    """A GPT-2 whose embedding is its output layer too; all of it is trained. Nothing in it is rounded to fp32 on the way."""
    torch.manual_seed(6)
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=600, n_positions=512)
    model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    return METHODS["full"].attach(model, TrainingSettings(method="full"))


def cut(objective, model, rows, size):
    """Loss a learned token and gradients of the rows, so many at a time."""
    ordered, units, total = by_length(rows), objective.count(rows), 0.0
    objective.refresh()
    for start in range(0, len(ordered), size):
        loss = objective.loss(ordered[start : start + size]) / units
        loss.backward()
        total += float(loss.detach())
    return total, take_gradients(model)


def take_gradients(model):
    found = {name: weight.grad.clone() for name, weight in trainable(model).items()}
    model.zero_grad()
    return found


def same(found, expected, dtype):
    assert found[0] == pytest.approx(expected[0], rel=TOLERANCE[dtype])
    assert set(found[1]) == set(expected[1])
    for name, gradient in expected[1].items():
        assert (found[1][name] - gradient).norm() <= TOLERANCE[dtype] * gradient.norm(), name


def by_hand(model, rows):
    """The reference for a Llama with LoRA: each row alone, every step written out in the numbers' own precision, full logits."""
    core = model.get_base_model().model
    config, units, total = core.config, sum(row.trained for row in rows), 0.0
    heads, groups, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim

    def norm(x, weight):
        return x * (x.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt() * weight

    def turned(x, angles):
        left, right = x.chunk(2, -1)
        return x * torch.cat((angles.cos(), angles.cos()), -1) + torch.cat((-right, left), -1) * torch.cat((angles.sin(), angles.sin()), -1)

    for row in rows:
        x = core.embed_tokens.weight[torch.tensor(row.ids)]
        places = torch.arange(len(row.ids), dtype=x.dtype)[:, None]
        angles = places * 10000.0 ** (-torch.arange(0, size, 2, dtype=x.dtype) / size)
        hides = torch.full((len(row.ids), len(row.ids)), -torch.inf, dtype=x.dtype).triu(1)
        for layer in core.layers:
            attention, gated = layer.self_attn, layer.mlp
            y = norm(x, layer.input_layernorm.weight)
            queries, keys, values = (part(y).view(len(y), -1, size).transpose(0, 1)
                                     for part in (attention.q_proj, attention.k_proj, attention.v_proj))
            keys, values = (part.repeat_interleave(heads // groups, 0) for part in (turned(keys, angles), values))
            scores = (turned(queries, angles) @ keys.transpose(1, 2) * size**-0.5 + hides).softmax(-1)
            x = x + attention.o_proj((scores @ values).transpose(0, 1).reshape(len(y), -1))
            y = norm(x, layer.post_attention_layernorm.weight)
            x = x + gated.down_proj(F.silu(gated.gate_proj(y)) * gated.up_proj(y))
        logits = norm(x, core.norm.weight) @ core.embed_tokens.weight.T
        learned = torch.tensor(row.supervised[1:])
        loss = F.cross_entropy(logits[:-1][learned], torch.tensor(row.ids[1:])[learned], reduction="sum") / units
        loss.backward()
        total += float(loss.detach())
    return total, take_gradients(model)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_batch_of_8_is_2_of_4_is_8_of_1_is_packed_is_unpacked(base, rows, dtype):
    model = adapted(base, dtype)
    expected = by_hand(model, rows[:8])
    packed = LanguageObjective(PackedBody(model), head_weight(model))
    for size in (8, 4, 1):  # 1: no row has company, so that nothing is packed and no beginning is shared
        same(cut(packed, model, rows[:8], size), expected, dtype)
    assert len(expected[1]) == 2 * 7 * 2


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_full_tuning_has_the_gradient_of_plain_transformers_also_where_embedding_and_output_layer_are_one(rows, dtype):
    model = gpt2(dtype)
    units = sum(row.trained for row in rows[:8])
    total = 0.0
    for row in rows[:8]:
        logits = model(input_ids=torch.tensor([row.ids])).logits[0, :-1]
        learned = torch.tensor(row.supervised[1:])
        loss = F.cross_entropy(logits[learned], torch.tensor(row.ids[1:])[learned], reduction="sum") / units
        loss.backward()
        total += float(loss.detach())
    expected = total, take_gradients(model)
    assert expected[1]["transformer.wte.weight"].norm() > 0
    assert "lm_head.weight" not in expected[1]
    objective = LanguageObjective(PaddedBody(model), head_weight(model))
    for size in (8, 4, 1):
        same(cut(objective, model, rows[:8], size), expected, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_loop_learns_the_same_whatever_the_micro_batch(base, rows, tmp_path, dtype):
    ends = []
    for tokens in (1, 300, 10_000):
        model = adapted(base, dtype)
        settings = TrainingSettings(rank=4, batch_rows=8, maximum_steps=2, validate_every=2, micro_batch_tokens=tokens, warmup_steps=0)
        objective = LanguageObjective(choose_body(model), head_weight(model))
        ends.append(Loop(model=model, objective=objective, train=rows[:12], validation=rows[12:], settings=settings,
                         scratch=tmp_path / str(tokens), events=Events()).run())
    for end in ends[1:]:
        assert [row.step for row in end.curve] == [0, 1, 2]
        for name in ("loss", "gradient_norm", "validation_loss"):
            found, expected = ([getattr(row, name) for row in one.curve if getattr(row, name) is not None] for one in (end, ends[0]))
            assert len(found) == 2
            assert found == pytest.approx(expected, rel=TOLERANCE[dtype]), name


@pytest.mark.parametrize(("method", "step", "early"), [("full", 1, False), ("full", 3, True), ("lora", 3, True), ("adapter", 4, False)])
def test_a_run_killed_at_a_step_ends_with_the_same_bits_also_when_it_stops_early(tmp_path, base, method, step, early):
    changed = {"method": method} | ({"patience": 2, "minimum_gain": 50.0} if early else {})
    calm = run_training(tmp_path / "calm", base, make_dataset(tmp_path / "calm", small_examples()), **changed)
    words = [sys.executable, training_stage.__file__, str(tmp_path), str(base), str(step), "SIGKILL",
             *(f"{key}={json.dumps(value)}" for key, value in changed.items())]
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert Store(tmp_path).all("training") == []
    recorder = Recorder()
    resumed = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), recorder, **changed)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [step]
    assert resumed.file(WEIGHTS[method]).read_bytes() == calm.file(WEIGHTS[method]).read_bytes()
    assert json.loads(resumed.file("training.json").read_text())["steps"] == (4 if early else 6)


class Judged(LanguageObjective):
    """A language objective that says how many rows are right, as told beforehand."""

    def __init__(self, model, scores):
        super().__init__(choose_body(model), head_weight(model))
        self._scores = list(scores)

    def measure(self, rows, *, tokens):
        found = super().measure(rows, tokens=tokens)
        return Measured(loss=found.loss, bits_per_byte=None, score=self._scores.pop(0) if self._scores else None)


def judged_run(base, rows, scratch, scores, *listeners, **changed):
    model = METHODS["lora"].attach(load_causal(base), TrainingSettings(rank=4))
    settings = TrainingSettings(rank=4, maximum_steps=9, validate_every=1, watch="score", **changed)
    return Loop(model=model, objective=Judged(model, scores), train=rows[:8], validation=rows[8:10], settings=settings, scratch=scratch,
                events=Events(*listeners)).run()


def test_the_share_that_is_right_can_decide_in_place_of_the_loss(base, rows, tmp_path):
    recorder = Recorder()
    state = judged_run(base, rows, tmp_path, [0.5, 0.7, 0.9, 0.9, 0.8, 0.6], recorder, patience=3)
    assert (state.best_step, state.step) == (2, 5)
    told = [event for event in recorder.events if event.key == "training.stopped_early_score"]
    assert [(event.facts["best_step"], event.facts["score"]) for event in told] == [(2, 90.0)]


def test_a_score_to_watch_that_the_task_does_not_give_is_refused(base, rows, tmp_path):
    with pytest.raises(InputError, match=r"training\.watch: is score, but the task sft gives none\. Use loss"):
        judged_run(base, rows, tmp_path, [])
