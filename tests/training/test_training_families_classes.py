"""Encoders, and T5, learn to name texts: loss and gradients are those of transformers' own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from class_rows import class_examples
from families import assert_alike, attached, every_family, gradients
from training_stage import make_dataset, run_training

from tutelage.core.errors import RecipeError
from tutelage.engine.torch_base import load_classifier
from tutelage.engine.vocabulary import Vocabulary
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe
from tutelage.training.class_rows import render_class
from tutelage.training.objectives.classification import ClassObjective

READERS = ("bert", "roberta", "t5")
LABELS = ("payment", "secrecy", "venue")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_family(tmp_path_factory.mktemp("families"))


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("family", READERS)
def test_loss_and_gradients_of_a_classifier_are_those_of_transformers(folders: dict[str, Path], family: str, method: str) -> None:
    vocabulary = Vocabulary(folders[family])
    rows = [render_class(example, LABELS, vocabulary) for example in class_examples()[:4]]
    torch.manual_seed(1)
    model = attached(load_classifier(folders[family], LABELS).double(), method=method)
    objective = ClassObjective(model, padding=0)
    loss = objective.loss(rows)
    loss.backward()
    found, total = gradients(model), 0.0
    for row in rows:
        one = model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.label])).loss
        one.backward()
        total += float(one.detach())
    assert float(loss.detach()) == pytest.approx(total, rel=1e-9)
    assert_alike(found, gradients(model), floor=1e-8)


def test_a_model_of_two_halves_learns_to_name_texts(folders: dict[str, Path], tmp_path: Path) -> None:
    learn = {"task": "classification", "method": "full", "maximum_steps": 10, "validate_every": 10, "learning_rate": 2e-3}
    made = run_training(tmp_path, folders["t5"], make_dataset(tmp_path, class_examples()), maximum_tokens=100, **learn)
    summary = json.loads(made.file("training.json").read_text("utf-8"))
    assert summary["best_loss"] < summary["base_loss"]


def test_a_recipe_may_name_an_encoder_where_it_classifies(folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    said = f"name: r\ndocuments: {{sources: [a]}}\ntraining: {{base: {folders['bert']}, task: classification}}\n"
    path.write_text(said, encoding="utf-8")
    check(load_recipe(path))
    with pytest.raises(RecipeError, match="is an encoder"):
        check(load_recipe(path, changes=["training.task=sft"]))
