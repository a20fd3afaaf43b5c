"""A real encoder learns to name texts by its last two layers and teaches a student of half of them; a real decoder teaches too."""

import json

import pytest
from class_rows import class_examples
from training_stage import make_dataset, run_training, small_examples

from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.model.merge import merge

pytestmark = pytest.mark.real
LEARN = {"task": "classification", "layers": 2, "batch_rows": 12, "maximum_steps": 20, "validate_every": 10, "checkpoint_every": 30,
         "micro_batch_tokens": 4096, "maximum_tokens": 512, "threads": 2}


def summary_of(artifact):
    return json.loads(artifact.file("training.json").read_text())


def test_minilm_names_texts_and_teaches_a_student_of_three_layers(tmp_path):
    encoder = as_folder(find_base("all-minilm-l6-v2"), tmp_path / "bases")
    dataset = make_dataset(tmp_path, class_examples())
    made = run_training(tmp_path, encoder, dataset, **LEARN)
    summary = summary_of(made)
    assert summary["proof"]["tuned_loss"] < 0.5 * summary["proof"]["base_loss"]
    assert summary["classes"]["accuracy"] > 0.8
    folder = as_folder(find_base(str(made.folder / "classifier")), tmp_path / "bases")
    changed = {name: value for name, value in LEARN.items() if name != "layers"}
    student = run_training(tmp_path, folder, dataset, **{**changed, "task": "distillation", "method": "full", "learning_rate": 1e-4})
    config = json.loads((student.folder / "classifier" / "config.json").read_text())
    assert config["num_hidden_layers"] == 3
    assert summary_of(student)["best_loss"] < summary_of(student)["base_loss"]
    assert summary_of(student)["classes"]["accuracy"] > 0.8


def test_smollm2_teaches_a_student_of_15_layers_that_becomes_a_whole_model(tmp_path, smollm):
    made = run_training(tmp_path, smollm, make_dataset(tmp_path, small_examples()), task="distillation", method="lora", maximum_steps=2,
                        validate_every=2, rank=8, threads=2)
    summary = summary_of(made)
    assert summary["best_loss"] < summary["base_loss"]
    merge(smollm, made.folder / "adapter", tmp_path / "merged", [[1, 200, 300, 400]])
    assert load_causal(tmp_path / "merged").config.num_hidden_layers == 15
