"""Weights set to 0: which ones, that healing leaves them 0, that a worse model gives way, and that nobody is told it gains anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model_stage import HEAL, run_model
from shrinking import given, heal_badly, rows

from tutelage.core.errors import InputError
from tutelage.core.events import Recorder
from tutelage.core.language import text
from tutelage.engine.fewer_layers import layers_of
from tutelage.engine.torch_base import load_causal
from tutelage.model.parity import Evidence
from tutelage.model.sparsity import kept_weights, set_zeros


def matrices(folder: Path) -> list[torch.Tensor]:
    """All matrices of all layers."""
    return [module.weight.detach() for layer in layers_of(load_causal(folder)) for module in layer.modules()
            if isinstance(module, torch.nn.Linear)]


def test_of_each_row_the_weights_of_the_smallest_product_with_what_enters_go() -> None:
    """By hand: |W| sqrt(E[x^2]) of the first row is 4, 3, 4, 2, of the second 1, 9, 2, 4."""
    weight, squares = torch.tensor([[4.0, -1.0, 2.0, 0.5], [1.0, 3.0, -1.0, 1.0]]), np.array([1.0, 9.0, 4.0, 16.0])
    assert kept_weights(weight, squares, 0.5, name="it").tolist() == [[True, False, True, False], [False, True, False, True]]
    assert kept_weights(weight, squares, 0.25, name="it").tolist() == [[True, True, True, False], [False, True, True, True]]
    assert kept_weights(weight, squares, "2_of_4", name="it").tolist() == [[True, False, True, False], [False, True, False, True]]


def test_two_of_every_four_neighbours_stay_whatever_the_other_fours_have() -> None:
    weight = torch.tensor([[9.0, 8.0, 7.0, 6.0, 1.0, 2.0, 3.0, 4.0]])
    assert kept_weights(weight, np.ones(8), "2_of_4", name="it").tolist() == [[True, True, False, False, False, False, True, True]]
    assert kept_weights(weight, np.ones(8), 0.5, name="it").tolist() == [[True, True, True, True, False, False, False, False]]


def test_rows_that_have_no_fours_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"model\.sparsity: is 2_of_4, but the rows of 'm\.weight' have 6 numbers, no multiple of 4\. "
                                         r"Give a share such as 0\.5\."):
        kept_weights(torch.ones(2, 6), np.ones(6), "2_of_4", name="m.weight")


@pytest.mark.parametrize(("sparsity", "share"), [("2_of_4", 0.5), (0.25, 0.25)])
def test_healing_trains_the_other_weights_and_leaves_the_zeros(sparsity: object, share: float, tiny: Path, tmp_path: Path) -> None:
    for steps in (0, 8):
        start = given(tiny, tmp_path / f"work{steps}", rows(), sparsity=sparsity, heal_steps=steps)
        facts = set_zeros(HEAL, start, tmp_path / f"sparse{steps}")
        assert facts["zeros"] == pytest.approx(share)
    assert float(facts["loss_after"]) < float(facts["loss_before"])
    before, after = matrices(tmp_path / "sparse0"), matrices(tmp_path / "sparse8")
    assert len(before) == 14
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one == 0, other == 0)
        assert not torch.equal(one, other)
        assert float((one == 0).float().mean()) == pytest.approx(share)


def test_the_stage_says_that_nothing_is_gained_and_the_copy_is_as_large_as_before(tiny: Path, trained: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    whole = run_model(tmp_path / "whole", tiny, trained, rows(), minimum_agreement=0.0)
    made = run_model(tmp_path / "work", tiny, trained, rows(), recorder, sparsity="2_of_4", heal_steps=2, drop_margin=9.0,
                     minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept, step.facts["pattern"], step.facts["zeros"]) == ("sparsity", True, "2_of_4", 0.5)
    (told,) = [text(event.key, "en", **event.facts) for event in recorder.events if event.key == "model.zeros_set"]
    assert told.startswith("50.0 % of the weights inside the layers are 0 now, those that matter least on 12 training rows; on a processor "
                           "the copy is neither smaller nor faster")
    copies = [artifact.file("model-q8_0.gguf").read_bytes() for artifact in (whole, made)]
    assert len(copies[0]) == len(copies[1])
    assert copies[0] != copies[1]


def test_a_model_that_lost_too_much_by_its_zeros_is_undone(tiny: Path, trained: Path, tmp_path: Path) -> None:
    made = run_model(tmp_path, tiny, trained, rows(), heal=heal_badly, sparsity=0.5, minimum_agreement=0.0)
    (step,) = Evidence.model_validate_json(made.file("parity.json").read_text("utf-8")).reshaped
    assert (step.step, step.kept) == ("sparsity", False)
    assert not (made.folder / "sparse").exists()
