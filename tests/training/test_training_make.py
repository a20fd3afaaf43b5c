"""The stage: it learns, proves it, and ends with the same bits whatever interrupts it."""

import json
import signal
import subprocess
import sys
from typing import get_args

import pytest
import torch
import training_stage
from peft import PeftModel
from training_stage import make_dataset, make_example, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.errors import Paused, TutelageError
from tutelage.core.events import Recorder
from tutelage.core.files import file_sha256
from tutelage.core.store import Store
from tutelage.engine.bases import folder_sha256
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.bodies import PaddedBody, head_weight
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import TASKS

WEIGHTS = "adapter/adapter_model.safetensors"
CLOCKED = ("seconds", "tokens_per_second", "memory_mb", "gpu_memory_mb")  # no two runs agree on these


def curve(artifact) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in artifact.file("curve.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in CLOCKED} for row in rows]


def test_the_loss_falls_and_the_proof_says_so(calm):
    summary = json.loads(calm.file("training.json").read_text())
    assert summary["steps"] == 6
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]
    assert summary["proof"]["rows"] == 10
    assert summary["proof"]["update_norm"] > 0
    assert summary["path"] == "packed"
    assert [row["step"] for row in curve(calm)] == list(range(7))


def test_every_step_is_told_with_its_figures_and_the_curve_keeps_them(tmp_path, base):
    recorder = Recorder()
    made = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), recorder, maximum_steps=2)
    told = [event.facts for event in recorder.events if event.kind == "step"]
    kept = [json.loads(line) for line in made.file("curve.jsonl").read_text().splitlines()]
    assert [facts["done"] for facts in told] == [0, 1, 2]
    for name in ("loss", "validation_loss", "bits_per_byte", "learning_rate", "gradient_norm", "tokens_per_second", "memory_mb"):
        assert [facts[name] for facts in told] == [row[name] for row in kept], name
    assert told[1]["seconds_left"] >= 0
    assert all(facts["gradient_norm"] > 0 and facts["tokens_per_second"] > 0 for facts in told[1:])
    # Python with torch takes more than 100 MB; this machine has less than 10 TB.
    assert all(100 < facts["memory_mb"] < 1e7 for facts in told)
    assert all((facts["gpu_memory_mb"] is None) != torch.cuda.is_available() for facts in told)


def test_every_row_has_its_fate_and_held_out_rows_are_not_looked_at(tmp_path, base):
    rows = [*small_examples(), make_example("secret", "Write.", "Never seen.", "held_out")]
    made = run_training(tmp_path, base, make_dataset(tmp_path, rows), maximum_steps=1)
    assert made.manifest.counts["in"] == made.manifest.counts["kept"] == 18
    assert "secret" not in {fate.row for fate in made.history()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, base, calm):
    again = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()))
    other = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), seed=1)
    assert again.file(WEIGHTS).read_bytes() == calm.file(WEIGHTS).read_bytes()
    assert curve(again) == curve(calm)
    assert other.file(WEIGHTS).read_bytes() != calm.file(WEIGHTS).read_bytes()


def test_the_adapter_names_its_base_as_the_recipe_does(calm, base):
    config = calm.file("adapter/adapter_config.json").read_text()
    assert json.loads(config)["base_model_name_or_path"] == "tiny"
    assert str(base) not in config


@pytest.mark.parametrize(("step", "every", "saved"), [(1, 1, 1), (3, 5, 2)])  # the measurement after step 2 saves as well
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(tmp_path, base, calm, step, every, saved):
    words = [sys.executable, training_stage.__file__, str(tmp_path), str(base), str(step), "SIGKILL", f"checkpoint_every={every}"]
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert Store(tmp_path).all("training") == []
    recorder = Recorder()
    resumed = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), recorder, checkpoint_every=every)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [saved]
    assert resumed.file(WEIGHTS).read_bytes() == calm.file(WEIGHTS).read_bytes()
    assert curve(resumed) == curve(calm)


def test_sigterm_pauses_and_the_next_run_ends_with_the_same_bits(tmp_path, base, calm):
    dataset = make_dataset(tmp_path, small_examples())
    with pytest.raises(Paused, match=r"training: stopped by SIGTERM after step 2 of 6; the state is saved"):
        run_training(tmp_path, base, dataset, training_stage.signal_at(2, signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    resumed = run_training(tmp_path, base, dataset)
    assert resumed.file(WEIGHTS).read_bytes() == calm.file(WEIGHTS).read_bytes()


def test_early_stopping_keeps_the_best_adapter(tmp_path, base):
    dataset = make_dataset(tmp_path, small_examples())
    made = run_training(tmp_path, base, dataset, patience=2, minimum_gain=50.0, maximum_steps=30)
    summary = json.loads(made.file("training.json").read_text())
    assert summary["stopped_early"]
    assert summary["steps"] < 30
    measured = {row["step"]: row["validation_loss"] for row in curve(made) if row["validation_loss"] is not None}
    assert summary["best_loss"] == min(measured.values()) == measured[summary["best_step"]]


def test_the_adapter_on_the_disk_is_the_best_one_measured_without_dropout(tmp_path, base):
    """The validation replies are Chinese: learning English ones helps at first and hurts later, so the best step is not the last."""
    examples = [example for example in small_examples() if example.part == "train"]
    examples += [make_example("zh1", "Write.", "期限为三年。", "validation"), make_example("zh2", "Write.", "三十日内付款。", "validation")]
    made = run_training(tmp_path, base, make_dataset(tmp_path, examples), maximum_steps=20, learning_rate=1e-2, dropout=0.3)
    summary = json.loads(made.file("training.json").read_text())
    assert 0 < summary["best_step"] < summary["steps"]
    model = PeftModel.from_pretrained(load_causal(base), str(made.folder / "adapter")).eval()
    vocabulary = Vocabulary(base)
    found = [render_row(example, CHATML, vocabulary) for example in examples if example.part == "validation"]
    measured = LanguageObjective(PaddedBody(model), head_weight(model)).measure(found, tokens=500)
    assert measured.loss == pytest.approx(summary["best_loss"], rel=1e-5)


def test_a_paused_run_with_dropout_goes_on_with_the_same_random_numbers(tmp_path, base):
    dataset = make_dataset(tmp_path, small_examples())
    whole = run_training(tmp_path, base, dataset, dropout=0.2)
    other = make_dataset(tmp_path / "other", small_examples())
    with pytest.raises(Paused):
        run_training(tmp_path / "other", base, other, training_stage.signal_at(3, signal.SIGTERM), dropout=0.2)
    resumed = run_training(tmp_path / "other", base, other, dropout=0.2)
    assert resumed.file(WEIGHTS).read_bytes() == whole.file(WEIGHTS).read_bytes()


def test_a_rate_outside_the_sane_range_is_warned_of_with_its_source(tmp_path, base):
    recorder = Recorder()
    run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), recorder, learning_rate=5e-3, maximum_steps=2)
    warned = [event for event in recorder.events if event.key == "training.rate_outside"]
    assert warned[0].facts["source"] == "about ten times the 1e-5 to 1e-4 of full tuning: arXiv 2602.06204"


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_way_out(tmp_path, base):
    with pytest.raises(TutelageError, match=r"the loss of step 2 is nan; it must be a finite number.*lower training\.learning"):
        run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), learning_rate=1e30, schedule="constant")


def test_a_tune_that_did_not_take_is_no_artifact(tmp_path, base):
    with pytest.raises(TutelageError, match=r"the tune did not take: on 10 training rows the loss is .* with the adapter"):
        run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), learning_rate=1e-30)
    assert Store(tmp_path).all("training") == []


def test_continued_pretraining_learns_every_token_of_plain_texts(tmp_path, base):
    rows = [row.model_copy(update={"task": "pretraining", "messages": row.messages[-1:]}) for row in small_examples()]
    made = run_training(tmp_path, base, make_dataset(tmp_path, rows), task="pretraining")
    summary = json.loads(made.file("training.json").read_text())
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["train"]["tokens"] - summary["train"]["trained"] == summary["train"]["rows"]  # the first token of each is read only
    first = json.loads(made.file("batch.jsonl").read_text().splitlines()[0])
    assert "".join(piece["text"] for piece in first["pieces"]) == next(row.text for row in rows if row.id == first["id"])


def test_tasks_are_the_choices_of_the_settings():
    assert set(TASKS) == set(get_args(TrainingSettings.model_fields["task"].annotation))


def test_the_manifest_names_base_tokenizer_chat_format_and_data(calm, base):
    facts, summary = calm.manifest.facts, json.loads(calm.file("training.json").read_text())
    assert facts["base_sha256"] == summary["base_sha256"] == folder_sha256(base)
    assert facts["tokenizer_sha256"] == summary["tokenizer_sha256"] == file_sha256(base / "tokenizer.json")
    assert facts["chat_format_hash"] == summary["chat_format_hash"] == CHATML.hash
    assert facts["weights_sha256"] == file_sha256(calm.file(WEIGHTS))
    assert calm.manifest.parents == {"dataset": summary["dataset"]}


def test_the_preview_tells_learned_tokens_from_others(calm):
    first = json.loads(calm.file("batch.jsonl").read_text().splitlines()[0])
    learned = "".join(piece["text"] for piece in first["pieces"] if piece["trained"])
    example = next(row for row in small_examples() if row.id == first["id"])
    assert learned == example.text + "<|im_end|>"
    assert first["trained"] < first["tokens"]


