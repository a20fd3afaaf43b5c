"""Recipes: all mistakes at once, by line, with a hint."""

from pathlib import Path

import pytest

from tutelage.core.errors import RecipeError
from tutelage.pipeline.recipe import Recipe, load_recipe, write_resolved

GOOD = """name: small
documents:
  sources: [contracts]
training:
  base: smollm2-135m-instruct
  learning_rate: 2e-4
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "r.yaml"
    path.write_text(text, "utf-8")
    return path


def mistakes(folder: Path, text: str, changes: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(folder, text), changes=changes)
    return str(caught.value).splitlines()


def test_a_good_recipe_is_read_and_2e_4_is_a_number(tmp_path):
    loaded = load_recipe(write(tmp_path, GOOD))
    assert loaded.recipe.training.learning_rate == 0.0002
    assert loaded.root == tmp_path


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path):
    found = mistakes(tmp_path, "name: bad\ndocuments:\n  sources: [a]\ntraining:\n  learning_rat: 0.1\n  rank: 0\nscors:\n  drafts: 1\n")
    assert sorted(found) == [
        "r.yaml:5: training.learning_rat: no such setting. Did you mean `learning_rate`?",
        "r.yaml:6: training.rank: input should be greater than or equal to 1 (got 0)",
        "r.yaml:7: scors: no such setting. Did you mean `scores`?"]


def test_mistakes_come_in_the_order_of_the_files_lines_and_those_of_the_command_line_first(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("scores:\n  held_outs: 3\ntraining:\n  rank: many\n  rank: 3\n  epoch: 2\ndocuments:\n  near: 1\n", "utf-8")
    with pytest.raises(RecipeError) as error:
        load_recipe(path, changes=["model.sizes=3"])
    told = str(error.value).splitlines()
    assert told[0].startswith("--set model.sizes: no such setting.")
    lines = [int(line.split(":")[1]) for line in told[1:]]
    assert lines == sorted(lines)
    assert {2, 5, 6, 8} <= set(lines)


def test_a_missing_group_is_told(tmp_path):
    assert mistakes(tmp_path, "name: bad\ntraining: {}\n") == ["r.yaml:1: documents: missing; it has no default."]


def test_a_repeated_key_is_told_instead_of_winning_silently(tmp_path):
    found = mistakes(tmp_path, GOOD + "  rank: 8\n  rank: 4\n")
    assert found == ["r.yaml:8: training.rank: stands twice; the first is on line 7. Remove one."]


def test_an_on_key_stays_a_word(tmp_path):
    assert mistakes(tmp_path, GOOD + "on: push\n")[0].startswith("r.yaml:7: on: no such setting. Known: name, language")


def test_on_and_off_are_words_where_words_are_asked_and_truth_values_where_these_are(tmp_path):
    text = GOOD + "dataset: {canaries: on, label_errors: off}\nscores: {memory: off}\ndrafting: {library_from_dataset: no}\n"
    recipe = load_recipe(write(tmp_path, text)).recipe
    assert (recipe.dataset.canaries, recipe.dataset.label_errors, recipe.scores.memory) == ("on", "off", "off")
    assert recipe.drafting.library_from_dataset is False


def test_broken_yaml_names_line_and_column(tmp_path):
    assert mistakes(tmp_path, "name: a\ntraining: [1, 2\n")[0].startswith("r.yaml:3:1: not valid YAML: ")


def test_a_recipe_that_is_a_list_is_refused(tmp_path):
    assert mistakes(tmp_path, "- a\n- b\n") == ["r.yaml:1: holds list; a recipe is a list of `key: value` lines. See docs/recipe.md."]


def test_a_missing_file_names_the_next_step(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.yaml: there is no such recipe file\. Write one, or start from recipes/demo\.yaml"):
        load_recipe(tmp_path / "none.yaml")


def test_a_recipe_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes("name: 演示\n".encode("gb18030"))
    with pytest.raises(RecipeError, match="byte 6 is not UTF-8"):
        load_recipe(path)


def test_changes_win_over_the_file_and_their_mistakes_name_the_option(tmp_path):
    path = write(tmp_path, GOOD)
    assert load_recipe(path, changes=["training.rank=8", "training.learning_rate=1e-3"]).recipe.training.rank == 8
    with pytest.raises(RecipeError, match=r"^--set training\.rank: input should be greater than or equal to 1 \(got 0\)$"):
        load_recipe(path, changes=["training.rank=0"])
    with pytest.raises(RecipeError, match=r"--set training: must be key=value, such as --set training\.rank=8"):
        load_recipe(path, changes=["training"])
    with pytest.raises(RecipeError, match=r"--set name\.x=1: name is 'small', not a group of settings"):
        load_recipe(path, changes=["name.x=1"])


def test_the_resolved_recipe_says_everything_and_reads_back_equal(tmp_path):
    recipe = load_recipe(write(tmp_path, GOOD), changes=["drafting.opening.keywords=违约金"]).recipe
    text = write_resolved(recipe)
    assert "width of the low-rank additions." in text
    assert load_recipe(write(tmp_path, text)).recipe == recipe


def test_every_setting_is_described():
    groups, seen = [Recipe], 0
    while groups:
        group = groups.pop()
        for name, info in group.model_fields.items():
            assert info.description, f"{group.__name__}.{name}"
            seen += 1
            if isinstance(info.annotation, type) and hasattr(info.annotation, "model_fields"):
                groups.append(info.annotation)
    assert seen > 60


def test_every_shipped_recipe_loads():
    recipes = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
    assert len(recipes) >= 3
    for path in recipes:
        assert load_recipe(path).recipe.name == path.stem
