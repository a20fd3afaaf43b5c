"""The packed path computes what plain transformers and PEFT compute."""

import torch
from training_stage import small_examples

from tutelage.core.chat import CHATML
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import trainable
from tutelage.training.batches import MicroBatch
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.losses import head_loss
from tutelage.training.methods import METHODS
from tutelage.training.packed_llama import PackedLlama
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings


def adapted(base, *, dropout: float = 0.0):
    torch.manual_seed(1)
    model = METHODS["lora"](load_causal(base), TrainingSettings(base="tiny", rank=4, dropout=dropout))
    with torch.no_grad():
        for name, weight in trainable(model).items():
            if "lora_B" in name:
                weight.copy_(torch.randn_like(weight) * 0.05)
    return model


def rows(base, count):
    vocabulary = Vocabulary(base)
    return tuple(render_row(example, CHATML, vocabulary) for example in small_examples(count))


def test_methods_are_the_settings_choices():
    assert list(METHODS) == list(TrainingSettings.model_json_schema()["properties"]["method"].get("enum", ["lora"]))


def test_packed_and_padded_give_equal_losses_and_gradients(base):
    model = adapted(base).double()
    batch = MicroBatch(rows(base, 5))
    results = []
    for body in (PackedLlama(model), PaddedBody(model)):
        body.refresh()
        model.zero_grad()
        loss = head_loss(body.hidden(batch), head_weight(model), batch.targets)
        loss.backward()
        results.append((loss.detach(), [weight.grad.clone() for weight in trainable(model).values()]))
    (packed, packed_gradients), (padded, padded_gradients) = results
    # transformers makes rotations and norms in fp32 whatever the weights are: about 1e-7 of a value, hence not closer
    assert torch.allclose(packed, padded, rtol=1e-6, atol=0)
    for ours, theirs in zip(packed_gradients, padded_gradients, strict=True):
        assert (ours - theirs).norm() <= 1e-5 * theirs.norm()


def test_one_batch_equals_the_sum_of_its_parts(base):
    model = adapted(base).double()
    body, weight = PackedLlama(model), None
    body.refresh()
    weight = head_weight(model)
    chosen = rows(base, 6)
    with torch.no_grad():
        whole = head_loss(body.hidden(MicroBatch(chosen)), weight, MicroBatch(chosen).targets)
        parts = sum(head_loss(body.hidden(MicroBatch((one,))), weight, MicroBatch((one,)).targets) for one in chosen)
    assert torch.allclose(whole, parts, rtol=1e-10)


def test_only_the_adapter_learns(base):
    model = adapted(base)
    assert trainable(model)
    assert all("lora_" in name for name in trainable(model))


def test_a_dropout_takes_the_padded_path(base):
    assert choose_body(adapted(base)).name == "packed"
    assert choose_body(adapted(base, dropout=0.1)).name == "padded"
