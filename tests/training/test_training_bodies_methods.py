"""The packed path trains whatever a method leaves trainable: whole weights, last layers, additions to some layers."""

import pytest
import torch
from both_paths import family_rows, gradients, learn, make_families, plain

from tutelage.engine.torch_base import load_causal
from tutelage.training.adapters import trainable
from tutelage.training.bodies import choose_body, head_weight
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings

LORA = {"method": "lora", "rank": 4}
CHANGES = {
    "all weights": {"method": "full"}, "all but the embedding": {"method": "frozen_embeddings"},
    "the last layer": {"method": "last_layers", "last_layers": 1}, "additions to the last layer": LORA | {"layers": 1},
    "additions to two kinds of linear layers": LORA | {"targets": ("k_proj", "up_proj")},
    "additions scaled for high ranks": LORA | {"rslora": True, "alpha": 4}}


@pytest.fixture(scope="module")
def folders(base, tmp_path_factory):
    return make_families(base, tmp_path_factory.mktemp("families"))


def changed(folder, **settings):
    """The tiny model in fp64 with what the method trains, additions with random weights."""
    torch.manual_seed(5)
    chosen = TrainingSettings(**settings)
    model = METHODS[chosen.method].attach(load_causal(folder).double(), chosen)
    for name, weight in trainable(model).items():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("family", ["gemma3", "qwen2"])  # the one has norms everywhere and windows, the other biases
def test_loss_and_gradients_equal_plain_pytorch_for_each_method(folders, family, change):
    model, rows = changed(folders[family], **CHANGES[change]), family_rows(folders, family)[:6]
    expected_loss = plain(model, rows)
    expected = gradients(model)
    body = choose_body(model)
    assert body.name == "packed"
    assert learn(body, head_weight(model), rows, 300) == pytest.approx(expected_loss, rel=1e-5)
    found = gradients(model)
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_a_step_of_the_optimiser_is_seen_when_whole_weights_are_trained(folders):
    model, rows = changed(folders["llama"], method="full"), family_rows(folders, "llama")[:4]
    body = choose_body(model)
    optimiser = torch.optim.AdamW(trainable(model).values(), lr=1e-2)
    before = learn(body, head_weight(model), rows, 1000)
    optimiser.step()
    optimiser.zero_grad()
    after = learn(body, head_weight(model), rows, 1000)
    assert after < before - 0.01
    assert after == pytest.approx(plain(model, rows), rel=1e-5)


@pytest.mark.parametrize("settings", [{"method": "adapter"}, LORA | {"dora": True}, LORA | {"dropout": 0.1}])
def test_what_the_packed_path_does_not_compute_takes_the_padded_path(folders, settings):
    assert choose_body(changed(folders["llama"], **settings)).name == "padded"


def test_numbers_in_few_bits_take_the_padded_path(folders):
    model = changed(folders["llama"], **LORA)
    layer = model.get_base_model().model.layers[0].mlp.down_proj.base_layer
    layer.weight = torch.nn.Parameter(layer.weight.to(torch.int8), requires_grad=False)
    assert choose_body(model).name == "padded"


def test_a_learned_weight_that_the_packed_path_does_not_know_takes_the_padded_path(folders):
    model = changed(folders["llama"], **LORA)
    assert choose_body(model).name == "packed"
    model.register_parameter("strange", torch.nn.Parameter(torch.ones(1)))
    assert choose_body(model).name == "padded"
