"""What is told of a stage before it starts."""

from pathlib import Path

import pytest

from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.stages import Site, rough_model_seconds

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(("changes", "seconds"), [
    ((), 90), (("model.target.megabytes=90",), 180), (("model.target.megabytes=90", "model.trim=vocabulary"), 360),
    (("model.drop_layers=4", "model.heal_steps=50"), 390),
    (("model.drop_layers=4", "model.drop_channels=0.5", "model.drop_heads=3", "model.heal_steps=50"), 690),
    (("model.target.megabytes=90", "model.sparsity=0.5", "model.heal_steps=0"), 360)])
def test_the_time_told_for_the_model_counts_the_copies_that_a_search_tries_and_the_healing(tmp_path, changes, seconds):
    assert rough_model_seconds(Site(load_recipe(RECIPES / "demo.yaml", changes=changes), tmp_path)) == seconds
