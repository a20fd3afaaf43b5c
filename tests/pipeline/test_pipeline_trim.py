"""A recipe that trims the vocabulary before the training: what each later stage makes of it, and how it is compared with the whole base."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_contracts import SENTENCES
from small_flow import RECIPE
from tiny_model import make_tiny_model
from training_stage import make_dataset, make_example, small_examples

from tutelage.core.engine import Engine
from tutelage.core.errors import TutelageError
from tutelage.core.events import Events, Recorder
from tutelage.core.files import size_of
from tutelage.core.records import Example
from tutelage.core.store import Artifact, Making, Store
from tutelage.engine.bases import folder_sha256
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.gguf_file import read_head
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import VOCABULARY_MARK, Vocabulary
from tutelage.model.parity import Evidence
from tutelage.pipeline.candidates import candidates
from tutelage.pipeline.judge_models import Named, bring
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.stages import STAGES, Site, make_model, make_training, stage_settings
from tutelage.scores.make import make as make_scores
from tutelage.scores.results import Report

CHANGES = ("training.threads=1", "training.trim=vocabulary", "training.trim_tokens=0", "model.minimum_agreement=0.5", "model.measure=off",
           "scores.memory=off", "scores.drafts=1")


def held_out_rows() -> list[Example]:
    """Sentences that no training row resembles."""
    facts = {"a": "Northwind Press", "b": "Harbour Mills", "goods": "roasted coffee", "place": "Riverton", "days": "ten"}
    texts = [sentence.format(**facts) for sentences in SENTENCES.values() for sentence in sentences]
    return [make_example(f"held{number:02d}", "Write a clause.", text, "held_out") for number, text in enumerate(texts)]


class Chain:
    """The stages of one recipe from a dataset on, each made by the pipeline's own function when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        recipe = folder / "trim.yaml"
        recipe.write_text(RECIPE.replace("base: base", f"base: {make_tiny_model(folder / 'base')}"), "utf-8")
        self.site = Site(load_recipe(recipe, changes=CHANGES), folder / "work")
        self.told = Recorder()
        self.made = {"dataset": make_dataset(self.site.work, [*small_examples(), *held_out_rows()])}
        self._make("training", make_training)
        self._make("model", make_model)

    def _make(self, name: str, make: Callable[[Making, Site], None]) -> Artifact:
        stage, store = next(stage for stage in STAGES if stage.name == name), Store(self.site.work)
        with store.making(name, "made", version=1, recipe="trim", settings=stage_settings(self.site, stage), inputs={},
                          parents={parent: self.made[parent] for parent in stage.takes}, events=Events(self.told)) as making:
            make(making, self.site)
        found = store.look_up(name, "made")
        assert found is not None
        self.made[name] = found
        return found

    def scores(self) -> Artifact:
        """The scores of what was made."""
        return self._make("scores", score_here)


def score_here(making: Making, site: Site) -> None:
    """As the pipeline scores, but with engines in this process: to start PyTorch three times more takes seconds."""
    found = candidates(making, site)
    assert [one.size_bytes for one in found[:2]] == [size_of(site.base_folder()), size_of(making.parents["model"].folder / "merged")]
    (copy,) = making.parents["model"].folder.glob("model-*.gguf")
    opened: dict[str, Callable[[], Engine]] = {
        "base": lambda: TorchEngine(site.base_folder(), name="base", threads=1),
        "tuned": lambda: TorchEngine(making.parents["model"].folder / "merged", name="tuned", threads=1),
        "copy": lambda: GgufEngine(copy, name=found[2].name, context_length=site.recipe.endpoint.context_length, parallel=2)}
    make_scores(making, candidates=[replace(one, open=opened[one.role]) for one in found])


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("trim"))


def test_the_model_is_merged_into_the_trimmed_base_and_its_copy_has_those_tokens(chain: Chain) -> None:
    training, model = chain.made["training"], chain.made["model"]
    trimmed, merged = training.folder / "trimmed", model.folder / "merged"
    size = Vocabulary(trimmed).size
    assert Vocabulary(merged).size == size == training.manifest.facts["vocabulary"] < training.manifest.facts["vocabulary_before"]
    marks = [json.loads((place / "config.json").read_text("utf-8"))[VOCABULARY_MARK] for place in (trimmed, merged)]
    assert marks[0] == marks[1]
    (copy,) = model.folder.glob("model-*.gguf")
    assert len(read_head(copy).lists["tokenizer.ggml.tokens"]) == size
    kept = Evidence.model_validate_json(model.file("parity.json").read_text("utf-8")).kept
    assert kept.ids_identical == kept.prompts == 12
    assert "model.trim_offered" not in {event.key for event in chain.told.events}


def test_the_scores_compare_with_the_whole_base_in_bits_per_byte(chain: Chain) -> None:
    report = Report.model_validate_json(chain.scores().file("report.json").read_text("utf-8"))
    compared = {(one.candidate, one.versus) for one in report.comparisons if one.metric == "bits_per_byte"}
    assert ("tuned", "base") in compared
    assert len(compared) == 3
    assert "scores.limit.other_tokens" in {limit.key for limit in report.not_measured}
    assert not {score.metric for score in report.scores} & {"perplexity", "draft_tokens"}
    assert Vocabulary(chain.site.base_folder()).size == chain.made["training"].manifest.facts["vocabulary_before"]


def test_the_learned_part_is_judged_on_its_own_base(chain: Chain, tmp_path: Path) -> None:
    adapter = chain.made["training"].folder / "adapter"
    model = bring(Named(str(adapter)), "copy", cache=tmp_path)
    assert model.identity == f"{adapter} on trimmed"
    assert model.candidate.size_bytes == size_of(adapter) + size_of(adapter.parent / "trimmed")


def test_the_whole_base_in_the_place_of_the_trimmed_one_is_refused(chain: Chain, tmp_path: Path) -> None:
    training = chain.made["training"]
    changed = Artifact(shutil.copytree(training.folder, tmp_path / "training"), training.manifest)
    making = Making(settings=chain.site.recipe.model, parents={"dataset": chain.made["dataset"], "training": changed}, folder=tmp_path,
                    scratch=tmp_path, work=tmp_path, events=Events())
    shutil.rmtree(changed.folder / "trimmed")
    shutil.copytree(chain.site.base_folder(), changed.folder / "trimmed")
    trained, whole = (folder_sha256(place / "trimmed")[:12] for place in (training.folder, changed.folder))
    with pytest.raises(TutelageError, match=rf"the adapter was trained on the base {trained}, but the base in .*trimmed is {whole}"):
        make_model(making, chain.site)
