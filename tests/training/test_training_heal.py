"""Healing after lost layers, as the model stage asks for it: what is learned from, and by which settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_stage import make_dataset, make_example, small_examples

from tutelage.core.events import Events, Recorder
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Making
from tutelage.engine.fewer_layers import keep_layers
from tutelage.engine.torch_base import load_causal
from tutelage.training.heal import Healing, heal
from tutelage.training.settings import TrainingSettings


def cut(base: Path, folder: Path) -> Path:
    """The base with its first layer alone."""
    keep_layers(load_causal(base), (0,)).save_pretrained(folder)
    for name in ("tokenizer.json", "chat.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


def healed(base: Path, work: Path, examples: list[Example], *listeners: Recorder, steps: int = 4, **changed: object) -> Healing:
    recipe = TrainingSettings.model_validate({"base": "tiny", "threads": 1, "batch_rows": 2, "micro_batch_tokens": 512} | changed)
    (work / "scratch").mkdir(parents=True)
    making = Making(settings=Settings(), parents={"dataset": make_dataset(work, examples)}, folder=work, scratch=work / "scratch",
                    work=work, events=Events(*listeners))
    return heal(making, recipe=recipe, teacher=base, student=cut(base, work / "cut"), folder=work / "healed", steps=steps,
                keep_zeros=False)


def test_only_as_many_rows_are_read_as_the_steps_can_see(base: Path, tmp_path: Path) -> None:
    assert healed(base, tmp_path, small_examples(), steps=3).rows == 6


def test_the_inner_weights_are_learned_and_the_embedding_stays(base: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    done = healed(base, tmp_path, small_examples(), recorder, steps=8)
    assert done.steps == 8
    assert done.loss_after < done.loss_before
    before, after = load_causal(tmp_path / "cut"), load_causal(tmp_path / "healed")
    assert torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    moved = [name for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True) if not torch.equal(one, other)]
    assert moved == [name for name, _ in before.named_parameters() if "embed" not in name]
    assert {event.stage for event in recorder.events} == {"model"}
    assert sum(event.kind == "step" and event.facts["validation_loss"] is not None for event in recorder.events) == 5


def test_plain_texts_heal_the_model_of_a_recipe_that_learns_plain_texts(base: Path, tmp_path: Path) -> None:
    texts = [make_example(row.id, "", row.text, row.part).model_copy(update={"messages": row.messages[-1:], "task": "pretraining"})
             for row in small_examples()]
    done = healed(base, tmp_path, texts, steps=8, task="pretraining")
    assert done.loss_after < done.loss_before


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_recipes_own_method_does_not_matter(base: Path, tmp_path: Path, method: str) -> None:
    found = healed(base, tmp_path, small_examples(), steps=2, method=method)
    assert found.loss_after < found.loss_before
