"""Rules over two stages, and the base model."""

import pytest

from tutelage.core.errors import RecipeError
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe


def test_rules_over_two_stages_are_told_at_once_by_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: no-such-model}\ndataset:\n  held_out: 20\n"
                    "scores:\n  held_out: 50\n"
                    "drafting:\n  max_tokens: 600\nendpoint:\n  context_length: 512\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    lines = str(caught.value).splitlines()
    assert lines[0] == "r.yaml:7: scores.held_out: is 50, but the dataset holds out 20 rows only. Lower it or raise dataset.held_out."
    assert lines[1].startswith("r.yaml:9: drafting.max_tokens: is 600; a draft and its prompt must fit endpoint.context_length (512).")
    assert lines[2].startswith("r.yaml:3: training.base: ")
    assert "no-such-model" in lines[2]
