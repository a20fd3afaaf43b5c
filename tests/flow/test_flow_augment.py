"""Augmentation from a recipe: an engine named there is found, asked and closed, and every answer has its fate."""

import json
import subprocess

from small_flow import command, write_flow

from tutelage.core.store import Store


def test_a_recipe_can_name_the_engine_that_paraphrases(tmp_path):
    recipe, work = write_flow(tmp_path), tmp_path / "work"
    words = command("make", str(recipe), "--until", "dataset", "--work", str(work), "--set", "dataset.augment.methods=[paraphrase, swap]",
                    "--set", f"dataset.augment.engine={tmp_path / 'base'}")
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0
    dataset = Store(work).latest("dataset")
    assert dataset is not None
    told = json.loads(dataset.file("report.json").read_text("utf-8"))["augmented"]
    assert {one["method"]: one["candidates"] > 0 for one in told}["paraphrase"]
    refused = [fate for fate in dataset.history() if fate.reason.startswith("augment: ")]
    assert sum(one["candidates"] - one["accepted"] for one in told) == len(refused) > 0
    assert dataset.manifest.inputs["writer"]


def test_an_engine_that_is_not_there_is_told_by_line_before_the_work(tmp_path):
    recipe = write_flow(tmp_path)
    asked = "dataset:\n  augment:\n    methods: [paraphrase]\n    engine: no-such\n"
    recipe.write_text(recipe.read_text("utf-8").replace("dataset:\n", asked))
    ended = subprocess.run(command("check", str(recipe)), capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "flow.yaml:7: dataset.augment.engine: base model 'no-such' is unknown" in ended.stderr
