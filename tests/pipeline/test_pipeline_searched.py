"""What a search would try, told of a recipe before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_flow import write_flow

from tutelage.pipeline.recipe import Loaded, load_recipe
from tutelage.pipeline.searched import foresee_search, searched
from tutelage.pipeline.stages import Site, rough_model_seconds


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flow(tmp_path_factory.mktemp("flow"))


def loaded(recipe: Path, *changes: str) -> Loaded:
    return load_recipe(recipe, changes=changes)


def test_a_limit_of_bytes_says_of_each_copy_whether_it_would_keep_to_it(recipe, tmp_path):
    found = foresee_search(loaded(recipe, "model.target.megabytes=0.15"), tmp_path)
    assert [one.name for one in found] == ["q4_k_m", "q5_k_m", "q8_0", "f16"]
    assert [one.keeps_to_target for one in found] == [True, True, True, False]
    assert [one.megabytes for one in found] == sorted(one.megabytes for one in found)


def test_where_speed_is_asked_for_only_the_try_can_tell(recipe, tmp_path):
    found = foresee_search(loaded(recipe, "model.target.tokens_per_second=5"), tmp_path)
    assert {one.keeps_to_target for one in found} == {None}
    english, chinese = searched(found, "en"), searched(found, "zh")
    assert english[0] == ("the search of the model stage tries 4 copies, about 3 min when each is measured; sizes as reckoned from the "
                          "base:")
    assert english[1] == "  q4_k_m       about 0 MB"
    assert chinese[0].startswith("模型阶段的搜索将试 4 个副本")
    assert len(chinese) == len(english) == 5


def test_a_vocabulary_that_is_trimmed_before_the_training_counts_once(recipe, tmp_path):
    small = ("training.trim=vocabulary", "training.trim_tokens=100")
    whole = foresee_search(loaded(recipe, "model.target.megabytes=1"), tmp_path)
    found = foresee_search(loaded(recipe, *small, "model.target.megabytes=1", "model.trim=vocabulary"), tmp_path)
    assert [one.name for one in found] == [one.name for one in whole]
    assert all(one.megabytes < other.megabytes for one, other in zip(found, whole, strict=True))


def test_nothing_is_told_where_nothing_is_searched(recipe, tmp_path):
    assert foresee_search(loaded(recipe), tmp_path) == []
    assert searched([], "en") == []


def test_the_minutes_of_the_stage_count_every_copy_that_is_tried(recipe, tmp_path):
    for changes, copies in ((("model.target.megabytes=1",), 4), (("model.target.megabytes=1", "model.onnx=int4"), 8),
                            (("model.target.megabytes=1", "model.onnx=int4", "model.trim=vocabulary"), 12)):
        assert rough_model_seconds(Site(loaded(recipe, *changes), tmp_path)) == 45 * copies
