"""Which layers matter most: influence against transformers' own hidden states, and the best choice against all choices there are."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from tiny_families import make_tiny

from tutelage.engine.fewer_layers import layers_of
from tutelage.engine.influence import block_influence, choose_layers, layer_types
from tutelage.engine.torch_base import load_causal, load_classifier

IDS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5)


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "gpt2"])
def test_the_influence_of_a_layer_is_one_minus_the_cosine_of_what_enters_and_leaves_it(tmp_path: Path, family: str) -> None:
    """Against what transformers itself gives as hidden states; the last of these are normed, so the first layer is compared."""
    model = load_causal(make_tiny(family, tmp_path))
    tokens = [IDS, (7, 8, 9)]
    expected = 0.0
    for row in tokens:
        with torch.no_grad():
            states = model(input_ids=torch.tensor([row]), output_hidden_states=True).hidden_states
        expected += sum(1 - float(torch.nn.functional.cosine_similarity(one, other, dim=0))
                        for one, other in zip(states[0][0], states[1][0], strict=True))
    assert block_influence(model, tokens)[0] == pytest.approx(expected / 14, abs=1e-6)


@pytest.mark.parametrize("drop", [1, 2, 5, 6, 7])
def test_of_alternating_kinds_the_best_choice_that_keeps_the_pattern_is_taken(drop: int) -> None:
    """Against all choices there are."""
    types = (["sliding"] * 2 + ["full"]) * 3
    influence = [float(value) for value in torch.rand(9, generator=torch.Generator().manual_seed(drop))]
    wanted = types[:9 - drop]
    allowed = [chosen for chosen in itertools.combinations(range(9), 9 - drop) if [types[number] for number in chosen] == wanted]
    assert allowed
    assert choose_layers(influence, types, drop=drop) == max(allowed, key=lambda chosen: sum(influence[number] for number in chosen))


def test_the_layers_of_least_influence_go_where_all_are_alike() -> None:
    assert choose_layers([0.9, 0.1, 0.5, 0.2, 0.8], ["full_attention"] * 5, drop=2) == (0, 2, 4)


def test_an_encoder_that_classifies_is_measured_as_well(tmp_path: Path) -> None:
    model = load_classifier(make_tiny("bert", tmp_path), ["a", "b"])
    with torch.no_grad():
        states = model(input_ids=torch.tensor([IDS]), output_hidden_states=True).hidden_states
    expected = [1 - float(torch.nn.functional.cosine_similarity(states[number][0], states[number + 1][0]).mean()) for number in range(2)]
    assert block_influence(model, [IDS]) == pytest.approx(expected, abs=1e-6)
    assert layer_types(model) == ("full_attention", "full_attention")
    assert len(layers_of(model)) == 2
