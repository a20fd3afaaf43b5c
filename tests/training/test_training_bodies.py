"""The packed path, the padded path and plain PEFT with cross-entropy give one loss and one gradient."""

from typing import get_args

import pytest
import torch
from both_paths import FAMILIES, LAYERS, family_rows, gradients, learn, make_families, plain
from tiny_gemma import WINDOW

from tutelage.core.errors import InputError
from tutelage.engine.torch_base import load_causal
from tutelage.training.adapters import trainable
from tutelage.training.batches import micro_batches
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.methods import METHODS
from tutelage.training.packed import PackedBody
from tutelage.training.settings import TrainingSettings

# transformers makes rotations and norms in fp32 whatever the weights are: about 1e-7 of a value, hence not closer in fp64
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-5}


@pytest.fixture(scope="module")
def folders(base, tmp_path_factory):
    return make_families(base, tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="module")
def rows_of(folders):
    found = {family: family_rows(folders, family) for family in FAMILIES}
    assert all(min(len(row.inputs) for row in rows) > WINDOW for rows in found.values())
    assert all(micro_batches(rows[:8], tokens=10_000)[0].shared > WINDOW for rows in found.values())
    return found


def adapted(base, dtype, **changed):
    """The tiny model with an adapter whose weights are all random: B = 0 would hide mistakes in the gradient of A."""
    torch.manual_seed(5)
    model = METHODS["lora"].attach(load_causal(base).to(dtype), TrainingSettings(rank=4, **changed))
    for weight in trainable(model).values():
        torch.nn.init.normal_(weight, std=0.1)
    return model


@pytest.mark.parametrize(("dtype", "kind", "tokens"), [
    (torch.float64, PackedBody, 1), (torch.float64, PackedBody, 300), (torch.float64, PackedBody, 10_000),
    (torch.float32, PackedBody, 10_000), (torch.float64, PaddedBody, 300)])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_equal_plain_peft_whatever_the_micro_batch(folders, rows_of, family, dtype, kind, tokens):
    model, rows = adapted(folders[family], dtype), rows_of[family]
    expected_loss = plain(model, rows[:8])
    expected = gradients(model)
    loss = learn(kind(model), head_weight(model), rows[:8], tokens)
    found = gradients(model)
    assert len(found) == LAYERS[family] * 7 * 2  # A and B of seven linear layers in each block
    assert loss == pytest.approx(expected_loss, rel=TOLERANCE[dtype])
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= TOLERANCE[dtype] * gradient.norm(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_packed_path_takes_over_changed_weights_at_refresh(folders, rows_of, family):
    model, rows = adapted(folders[family], torch.float64), rows_of[family]
    body, weight = PackedBody(model), head_weight(model)
    before = learn(body, weight, rows[:4], 1000)
    model.zero_grad()
    with torch.no_grad():
        for value in trainable(model).values():
            value.mul_(1.5)
    after = learn(body, weight, rows[:4], 1000)
    model.zero_grad()
    assert abs(after - before) > 1e-3
    assert after == pytest.approx(plain(model, rows[:4]), rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_in_one_go_equal_rows_one_by_one_in_fp64(folders, rows_of, family):
    model, rows = adapted(folders[family], torch.float64), rows_of[family]
    body, weight = PackedBody(model), head_weight(model)
    whole = learn(body, weight, rows[:8], 10_000)
    expected = gradients(model)
    assert learn(body, weight, rows[:8], 1) == pytest.approx(whole, rel=1e-9)
    for name, gradient in gradients(model).items():
        assert (expected[name] - gradient).norm() <= 1e-9 * gradient.norm(), name


def test_methods_are_the_choices_of_the_settings():
    assert set(METHODS) == set(get_args(TrainingSettings.model_fields["method"].annotation))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_switched_off_gives_the_base_bit_for_bit(folders, rows_of, family):
    base, ids = folders[family], torch.tensor([rows_of[family][0].ids])
    alone = load_causal(base)(input_ids=ids).logits
    model = adapted(base, torch.float32)
    assert choose_body(model).name == "packed"  # its stacking of the weights must leave them as they are
    assert not torch.equal(model(input_ids=ids).logits, alone)
    with model.disable_adapter():
        assert torch.equal(model(input_ids=ids).logits, alone)


def test_only_the_adapter_is_trainable(base):
    model = adapted(base, torch.float32)
    assert all("lora_" in name for name in trainable(model))
    assert not head_weight(model).requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_a_dropout_takes_the_padded_path(folders, family):
    assert choose_body(adapted(folders[family], torch.float32, dropout=0.1)).name == "padded"


@pytest.mark.parametrize(("name", "value"), [("attn_logit_softcapping", 50.0), ("use_bidirectional_attention", True),
                                             ("hidden_activation", "silu"), ("attention_dropout", 0.1)])
def test_a_gemma_of_another_make_takes_the_padded_path(folders, name, value):
    model = adapted(folders["gemma3"], torch.float32)
    setattr(model.get_base_model().config, name, value)
    assert choose_body(model).name == "padded"


def test_a_capped_output_layer_is_refused(base):
    model = adapted(base, torch.float32)
    model.get_base_model().config.final_logit_softcapping = 30.0
    with pytest.raises(InputError, match="the output layer of 'llama' models has a bias or a cap"):
        head_weight(model)
