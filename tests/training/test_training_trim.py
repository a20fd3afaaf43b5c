"""Training on a trimmed vocabulary: which rows choose the tokens, what is kept of it, and that nothing else takes what was learned."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from class_rows import class_examples
from preference_rows import judged, pairs
from training_stage import make_dataset, make_example, run_training, scratch_of, settings_of, signal_at, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError, Paused
from tutelage.core.events import Events, Recorder
from tutelage.core.language import text
from tutelage.core.records import Example
from tutelage.core.store import Artifact, Making
from tutelage.engine.bases import folder_sha256
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.pipeline.skills import trim_base
from tutelage.training.make import foresee
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import TASKS
from tutelage.training.trim import find_start

WEIGHTS = "adapter/adapter_model.safetensors"
ASKED = {"trim": "vocabulary", "trim_tokens": 0}
CHINESE = "甲方应当在收到发票后三十日内付款。"


class CountedTrims:
    """Trims as the model room does, and notes each folder that it wrote."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def __call__(self, base: Path, folder: Path, counted: Collection[int], *, least: int) -> None:
        self.written.append(folder)
        trim_base(base, folder, counted, least=least)


def plain_texts() -> list[Example]:
    return [row.model_copy(update={"task": "pretraining", "messages": row.messages[-1:]}) for row in small_examples()]


def summary_of(artifact: Artifact) -> dict:
    return json.loads(artifact.file("training.json").read_text("utf-8"))


def making_for(work: Path, rows: Sequence[Example], settings: TrainingSettings) -> Making:
    dataset = make_dataset(work, rows)
    return Making(settings=settings, parents={"dataset": dataset}, folder=work / "unused", work=work, events=Events(),
                  scratch=scratch_of(work, settings, dataset))


@pytest.fixture(scope="module")
def told() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def trimmed(base: Path, told: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The calm training, but on a trimmed vocabulary."""
    work = tmp_path_factory.mktemp("trimmed")
    return run_training(work, base, make_dataset(work, small_examples()), told, **ASKED)


def test_the_training_runs_on_the_tokens_of_its_rows_and_keeps_its_base(trimmed: Artifact, calm: Artifact, base: Path) -> None:
    summary, whole = summary_of(trimmed), summary_of(calm)
    own = trimmed.folder / "trimmed"
    sizes = summary["trimmed"]
    assert (sizes["rows"], sizes["vocabulary_before"], sizes["vocabulary"]) == (12, Vocabulary(base).size, Vocabulary(own).size)
    assert sizes["vocabulary"] < 0.9 * sizes["vocabulary_before"]
    assert summary["base_sha256"] == trimmed.manifest.facts["base_sha256"] == folder_sha256(own) != folder_sha256(base)
    assert summary["train"] == whole["train"]  # the same tokens as before
    assert summary["tokens"] == whole["tokens"]
    assert whole["trimmed"] is None
    assert not (calm.folder / "trimmed").exists()
    assert summary["path"] == "packed"
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
    assert trimmed.manifest.facts["vocabulary"] == sizes["vocabulary"]
    kept = {f"trimmed/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json", "chat.json")}
    assert kept <= trimmed.manifest.files.keys()
    assert list(trimmed.folder.parent.glob(".*")) == []  # nothing is left of the scratch folder


def test_what_trimming_costs_the_validation_rows_is_told(trimmed: Artifact, told: Recorder, base: Path) -> None:
    sizes = summary_of(trimmed)["trimmed"]
    (warning,) = [event for event in told.events if event.key == "training.trimmed"]
    more = 100 * (sizes["validation_tokens"] / sizes["validation_tokens_before"] - 1)
    assert sizes["validation_rows"] == 6
    assert warning.facts["more"] == round(more, 2) >= 0
    assert text(warning.key, "en", **warning.facts).startswith(
        f"vocabulary trimmed from {Vocabulary(base).size} to {sizes['vocabulary']} tokens before the training, by the tokens of 12 "
        "training rows; 6 validation rows take ")
    assert "训练前已按 12 条训练样本用到的词元" in text(warning.key, "zh", **warning.facts)
    for language, said in (("en", "The base on this page is the trimmed one"), ("zh", "本页所说的基础模型是裁剪后的模型")):
        assert said in trimmed.file(f"report.{language}.html").read_text("utf-8")


@pytest.mark.parametrize("shown", ["held_out", "validation", "canary", "train"])
def test_only_training_rows_choose_tokens_and_planted_test_texts_do_not(tmp_path: Path, base: Path, shown: str) -> None:
    part = "train" if shown == "canary" else shown
    row = make_example("other", "Write.", CHINESE, part).model_copy(update={"origin": "canary" if shown == "canary" else "document"})
    rows, settings = [*small_examples(), row], settings_of(**ASKED)
    start = find_start(making_for(tmp_path, rows, settings), settings, rows, base=base, trim=trim_base)
    before, after = (len(Vocabulary(folder).tokenize(CHINESE)) for folder in (base, start.folder))
    assert (after == before) == (shown == "train")
    assert after >= before


@pytest.mark.parametrize(("task", "rows"), [
    ("sft", small_examples()), ("distillation", small_examples()), ("pretraining", plain_texts()), ("dpo", pairs()), ("orpo", pairs()),
    ("kto", judged()), ("classification", class_examples())])
def test_training_rows_of_every_task_keep_their_tokens(tmp_path: Path, base: Path, task: str, rows: list[Example]) -> None:
    settings = settings_of(**ASKED, task=task, method="last_layers")
    making = making_for(tmp_path, rows, settings)
    start = find_start(making, settings, rows, base=base, trim=trim_base)
    assert start.whole is not None
    vocabulary = Vocabulary(start.folder)
    ready = TASKS[task].prepare(making, settings, rows, CHATML, vocabulary)
    assert len(ready.train) >= 10
    whole = Vocabulary(base)
    assert [[whole.bytes_of(token) for token in row.ids] for row in start.whole.train] == [
        [vocabulary.bytes_of(token) for token in row.ids] for row in ready.train]
    assert vocabulary.size < whole.size


def test_texts_in_pieces_are_compared_as_wholes(tmp_path: Path, base: Path) -> None:
    """Each validation text has twice the tokens when it is spelled byte by byte, so it becomes more pieces."""
    rows = [*plain_texts(), make_example("a/b", "", CHINESE, "validation").model_copy(update={"task": "pretraining"})]
    rows[-1] = rows[-1].model_copy(update={"messages": rows[-1].messages[-1:]})
    settings = settings_of(**ASKED, task="pretraining", too_long="split", maximum_tokens=16)
    making = making_for(tmp_path, rows, settings)
    start = find_start(making, settings, rows, base=base, trim=trim_base)
    assert start.whole is not None
    vocabulary = Vocabulary(start.folder)
    ready = TASKS["pretraining"].prepare(making, settings, rows, CHATML, vocabulary)
    found = start.told(ready, vocabulary)
    assert found is not None
    assert len(ready.validation) > len(start.whole.validation)
    assert found.validation_rows == 7
    assert found.validation_tokens_before == sum(len(row.ids) for row in start.whole.validation)
    assert found.validation_tokens == sum(len(row.ids) for row in ready.validation)
    assert found.more > 0


@pytest.mark.parametrize("method", ["full", "frozen_embeddings", "last_layers", "adapter"])
def test_every_method_trains_on_a_trimmed_base(tmp_path: Path, base: Path, method: str) -> None:
    dataset = make_dataset(tmp_path, small_examples())
    own = {"last_layers": 1} if method == "last_layers" else {}
    made = run_training(tmp_path, base, dataset, **ASKED, **own, method=method, maximum_steps=2, learning_rate=None)
    summary = summary_of(made)
    change = json.loads(made.file("adapter/change.json").read_text("utf-8"))
    assert (change["base"], change["base_sha256"]) == ("trimmed", folder_sha256(made.folder / "trimmed"))
    assert summary["trimmed"]["vocabulary"] == Vocabulary(made.folder / "trimmed").size
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]


def test_a_paused_training_finds_its_trimmed_base_and_ends_with_the_same_bits(tmp_path: Path, base: Path, trimmed: Artifact) -> None:
    dataset, trims = make_dataset(tmp_path, small_examples()), CountedTrims()
    with pytest.raises(Paused):
        run_training(tmp_path, base, dataset, signal_at(2, signal.SIGTERM), trim_with=trims, **ASKED)
    resumed = run_training(tmp_path, base, dataset, trim_with=trims, **ASKED)
    assert len(trims.written) == 1
    assert resumed.file(WEIGHTS).read_bytes() == trimmed.file(WEIGHTS).read_bytes()
    assert folder_sha256(resumed.folder / "trimmed") == folder_sha256(trimmed.folder / "trimmed")


def test_a_trimmed_base_that_was_lost_is_made_again_byte_for_byte(tmp_path: Path, base: Path, trimmed: Artifact) -> None:
    dataset, trims = make_dataset(tmp_path, small_examples()), CountedTrims()
    with pytest.raises(Paused):
        run_training(tmp_path, base, dataset, signal_at(3, signal.SIGTERM), trim_with=trims, **ASKED)
    shutil.rmtree(trims.written[0])
    recorder = Recorder()
    resumed = run_training(tmp_path, base, dataset, recorder, trim_with=trims, **ASKED)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [3]
    assert len(trims.written) == 2
    assert resumed.file(WEIGHTS).read_bytes() == trimmed.file(WEIGHTS).read_bytes()


def test_a_plan_trims_once_and_the_training_takes_over_base_and_promise(tmp_path: Path, base: Path) -> None:
    dataset, trims, settings = make_dataset(tmp_path, small_examples()), CountedTrims(), settings_of(**ASKED)
    making = Making(settings=settings, parents={"dataset": dataset}, folder=tmp_path / "unused", work=tmp_path, events=Events(),
                    scratch=scratch_of(tmp_path, settings, dataset))
    foreseen = foresee(making, base_folder=lambda: base, trim=trims)
    summary = summary_of(run_training(tmp_path, base, dataset, trim_with=trims, **ASKED))
    assert len(trims.written) == 1
    assert foreseen.promise is not None
    assert summary["promise"] == foreseen.promise.model_dump(mode="json")


def test_what_was_learned_names_its_base_and_is_refused_on_another(trimmed: Artifact, base: Path, tmp_path: Path) -> None:
    adapter, own = trimmed.folder / "adapter", trimmed.folder / "trimmed"
    named = json.loads((adapter / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    assert (adapter.parent / named).samefile(own)
    TorchEngine(own, name="tuned", adapter=adapter, threads=1).close()
    with pytest.raises(InputError, match=(r"this adapter was trained on a trimmed vocabulary with the hash [0-9a-f]{12}; the model has a "
                                          r"whole one\. Load it on the folder trimmed/ beside it in its training\.")):
        TorchEngine(base, name="whole", adapter=adapter, threads=1)
    trim_base(base, tmp_path / "other", Vocabulary(base).tokenize("pay"), least=0)
    with pytest.raises(InputError, match=r"the model has another one, [0-9a-f]{12}\. Load it"):
        TorchEngine(tmp_path / "other", name="other", adapter=adapter, threads=1)


def test_a_number_of_tokens_without_trimming_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trim_tokens is 5, but trim is 'none', which does not read it\. Set trim: vocabulary, or leave"):
        TrainingSettings(trim_tokens=5)
