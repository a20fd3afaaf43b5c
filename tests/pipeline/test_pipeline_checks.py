"""Rules over two stages, and the base model."""

import pytest
from tiny_families import make_tiny

from tutelage.core.errors import InputError, RecipeError
from tutelage.pipeline.checks import check
from tutelage.pipeline.conduct import make
from tutelage.pipeline.ends import why_it_ends
from tutelage.pipeline.gains import what_gains_nothing
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


def test_memory_in_full_needs_planted_test_texts(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: no-such-model}\nscores:\n  memory: full\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    assert str(caught.value).splitlines()[0] == (
        "r.yaml:5: scores.memory: is full, but the dataset plants no test texts, so what is remembered of them cannot be measured. "
        "Set dataset.canaries: on, or scores.memory: quick.")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path, changes=["dataset.canaries=on"]))
    assert "scores.memory" not in str(caught.value)


def test_a_search_for_a_copy_needs_something_to_be_measured(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: no-such-model}\n"
                    "model:\n  measure: off\n  target: {megabytes: 90}\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    assert str(caught.value).splitlines()[0] == (
        "r.yaml:6: model.target: is to be searched, but model.measure is off, so no copy can be judged. Set model.measure: quick or full, "
        "or leave the target out.")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path, changes=["model.measure=quick"]))
    assert "model.target" not in str(caught.value)


def test_a_vocabulary_is_trimmed_once(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: no-such-model, trim: vocabulary}\nmodel:\n  trim: vocabulary\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    assert str(caught.value).splitlines()[0] == (
        "r.yaml:5: model.trim: is vocabulary, but training.trim trims the vocabulary before the training, by the same rows. Leave one of "
        "the two out.")
    for change in ("model.trim=none", "training.trim=none"):
        with pytest.raises(RecipeError) as caught:
            check(load_recipe(path, changes=[change]))
        assert "model.trim" not in str(caught.value)


@pytest.mark.parametrize("task", ["dpo", "orpo", "kto"])
def test_a_model_of_preferences_that_loses_layers_cannot_be_healed(tmp_path, task):
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\ndocuments: {{sources: [a]}}\ntraining: {{base: no-such-model, task: {task}}}\n"
                    "model:\n  drop_layers: 2\n  heal_steps: 9\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    assert str(caught.value).splitlines()[0] == (
        f"r.yaml:6: model.heal_steps: is 9, but the rows of the task {task} are preferences, from which a student cannot learn what its "
        "teacher says. Set it to 0, or leave model.drop_layers out.")
    for change in ("model.heal_steps=0", "model.drop_layers=0", "training.task=sft"):
        with pytest.raises(RecipeError) as caught:
            check(load_recipe(path, changes=[change]))
        assert "model.heal_steps" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"Set it to 0, or leave model\.drop_channels and model\.drop_heads and model\.sparsity out\."):
        check(load_recipe(path, changes=["model.drop_layers=0", "model.drop_channels=0.5", "model.drop_heads=1", "model.sparsity=2_of_4"]))


@pytest.mark.parametrize("sparsity", ["2_of_4", "0.5"])
def test_whoever_asks_for_zeros_is_told_by_line_that_nothing_is_gained_on_a_processor(tmp_path, sparsity):
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\ndocuments: {{sources: [a]}}\ntraining: {{}}\nmodel:\n  sparsity: {sparsity}\n")
    loaded = load_recipe(path)
    told = what_gains_nothing(loaded, "en")
    assert told.startswith(f"r.yaml:5: model.sparsity: is {sparsity}: on a processor a copy with such zeros is as large and as slow ")
    assert "不会变小，也不会变快" in what_gains_nothing(loaded, "zh")
    assert what_gains_nothing(load_recipe(path, changes=["model.sparsity=0"]), "en") is None


def test_a_sparsity_that_is_neither_a_share_nor_a_pattern_is_refused_by_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {}\nmodel:\n  sparsity: 2:4\n")  # 124 to YAML, as 2 min 4 s
    with pytest.raises(RecipeError, match=r"r\.yaml:5: model\.sparsity: .*2_of_4"):
        load_recipe(path)


def test_a_shared_model_cannot_be_trained_on_a_client_only_source(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments:\n  sources:\n    - open\n    - {path: closed, permission: \"client:acme\"}\n"
                    "    - {path: old, permission: \"until:2001-01-01\"}\ntraining: {base: no-such-model}\n")
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path))
    assert str(caught.value).splitlines()[:2] == [
        "r.yaml:5: documents.sources.1: closed may not be used: it is for client acme only, and the audience is everyone. Leave it out, or "
        "make a model of its own for those who may: set `audience`.",
        "r.yaml:6: documents.sources.2: old may not be used: its permission ended on 2001-01-01. Leave it out, or make a model of its own "
        "for those who may: set `audience`."]
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(path, changes=["audience=client:acme"]))
    assert "sources.1" not in str(caught.value)


def test_an_encoder_asked_to_draft_is_refused_by_line_and_offered_as_a_classifier(tmp_path):
    make_tiny("bert", tmp_path / "legal-bert")
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\ndocuments: {{sources: [a]}}\ntraining:\n  base: {tmp_path / 'legal-bert'}\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:4: training\.base: base model 'legal-bert': is an encoder \(bert\): .*with "
                                          r"training\.task: classification") as caught:
        check(load_recipe(path))
    assert caught.value.exit_code == 2


def test_a_classifier_is_refused_at_once_where_stages_are_asked_for_that_cannot_use_it(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {task: classification}\n")
    with pytest.raises(InputError, match=r"training\.task: is classification: .*Add --until training; the whole classifier is then in"):
        make(load_recipe(path), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_base_that_cannot_be_exported_is_told_by_line_before_the_training_and_refused_for_later_stages(tmp_path):
    make_tiny("gpt2", tmp_path / "gpt2")
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\ndocuments: {{sources: [a]}}\ntraining:\n  base: {tmp_path / 'gpt2'}\n")
    loaded = load_recipe(path)
    check(loaded)
    why = why_it_ends(loaded, "en")
    assert why == ("r.yaml:4: training.base: is a gpt2 model: it is trained, but no GGUF file can be written of this family and shape, so "
                   "no copy to serve can be made. Add --until training, or choose another base.")
    assert "加上 --until training" in why_it_ends(loaded, "zh")
    with pytest.raises(InputError) as caught:
        make(loaded, tmp_path / "work")
    assert (str(caught.value), caught.value.exit_code) == (why, 2)
    assert not (tmp_path / "work").exists()
    with pytest.raises(InputError, match="'a' matches no file"):  # as far as the training it may go: only the documents are missing
        make(loaded, tmp_path / "work", until="training")


def test_bottleneck_adapters_end_with_the_training_and_what_is_served_does_not(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(f"name: r\ndocuments: {{sources: [a]}}\ntraining: {{base: {make_tiny('llama', tmp_path / 'llama')}}}\n")
    assert why_it_ends(load_recipe(path), "en") is None
    assert why_it_ends(load_recipe(path, changes=["training.method=adapter"]), "en").startswith("r.yaml:3: training.method: is adapter: ")


def test_a_model_of_a_hub_is_not_looked_for_when_a_recipe_is_checked(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: \"hf:nobody/nothing\"}\n")
    check(load_recipe(path))


def test_a_permission_of_another_shape_is_told_by_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments:\n  sources:\n    - {path: a, permission: acme}\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:4: .*permission 'acme': 'acme' is not understood"):
        load_recipe(path)
