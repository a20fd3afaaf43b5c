"""Naming texts: encoders and decoders learn it, it is measured on held-out rows, and the result is a model that anyone can load."""

import json
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
import transformers
from class_rows import class_example, class_examples
from tiny_families import make_tiny
from training_stage import make_dataset, make_example, run_training

from tutelage.core.errors import InputError
from tutelage.core.events import Recorder
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import trainable
from tutelage.training.batches import cut_padded
from tutelage.training.class_rows import ClassRow, classified_text, render_class, score_classes
from tutelage.training.fitting import Lost
from tutelage.training.methods import METHODS
from tutelage.training.objectives.classification import ClassObjective
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks_classes import ClassReady, load_judge

LABELS = ("payment", "secrecy", "venue")
LEARN = {"task": "classification", "maximum_steps": 24, "validate_every": 8, "checkpoint_every": 30, "batch_rows": 6,
         "micro_batch_tokens": 800, "learning_rate": 2e-3, "maximum_tokens": 100, "method": "full"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny model of each family that is tried, as the pipeline hands it over."""
    root = tmp_path_factory.mktemp("families")
    return {family: as_folder(find_base(str(make_tiny(family, root / family))), root / "cache")
            for family in ("bert", "roberta", "llama", "gpt2")}


def summary_of(artifact):
    return json.loads(artifact.file("training.json").read_text())


def rows_of(folder, **counts):
    vocabulary = Vocabulary(folder)
    return [render_class(example, LABELS, vocabulary) for example in class_examples(**counts)]


def ready_of(rows):
    return ClassReady(tuple(rows), tuple(rows), Lost(), labels=LABELS, held_out=())


@pytest.mark.parametrize("family", ["bert", "roberta", "llama", "gpt2"])
def test_a_classifier_is_learned_and_measured_on_held_out_rows(tmp_path, folders, family):
    made = run_training(tmp_path, folders[family], make_dataset(tmp_path, class_examples()), **LEARN)
    summary = summary_of(made)
    assert summary["unit"] == "row"
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["best_bits_per_byte"] is None
    assert summary["classes"]["rows"] == 6
    assert summary["classes"]["accuracy"] > 0.8  # 5 or 6 of 6; by chance 2
    assert summary["proof"]["tuned_loss"] < summary["proof"]["base_loss"]


READ_BACK = """
import json, sys, torch, transformers
from tokenizers import Tokenizer
folder, texts = sys.argv[1], json.loads(sys.argv[2])
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
total = 0.0
for text, label in texts:
    logits = model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits[0]
    total -= float(logits.log_softmax(0)[model.config.label2id[label]].detach())
print(total / len(texts))
"""


def test_a_fresh_process_reads_the_classifier_without_tutelage_and_has_the_proven_loss(tmp_path, folders):
    rows = class_examples()
    made = run_training(tmp_path, folders["bert"], make_dataset(tmp_path, rows), **{**LEARN, "method": "lora", "rank": 4})
    texts = [[classified_text(row), row.label] for row in rows[:10]]
    words = [sys.executable, "-c", READ_BACK, str(made.folder / "classifier"), json.dumps(texts)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    proof = summary_of(made)["proof"]
    assert float(done.stdout) == pytest.approx(proof["tuned_loss"], rel=1e-4), done.stderr
    assert proof["tuned_loss"] < 0.9 * proof["base_loss"]


def test_lora_on_the_last_layer_learns_it_with_the_new_head(tmp_path, folders):
    made = run_training(tmp_path, folders["bert"], make_dataset(tmp_path, class_examples()),
                        **{**LEARN, "method": "lora", "rank": 4, "layers": 1, "learning_rate": 1e-2})
    assert summary_of(made)["classes"]["accuracy"] > 0.8
    base = transformers.AutoModelForMaskedLM.from_pretrained(folders["bert"]).state_dict()
    tuned = transformers.AutoModelForSequenceClassification.from_pretrained(made.folder / "classifier").state_dict()
    changed = {name for name, weight in tuned.items() if name in base and not torch.equal(weight, base[name])}
    assert changed
    assert all(".encoder.layer.1." in name for name in changed)


def test_last_layers_trains_these_and_the_head_only(folders):
    settings = TrainingSettings(task="classification", method="last_layers", last_layers=1)
    model = METHODS["last_layers"].attach(load_judge(folders["bert"], settings, ready_of(rows_of(folders["bert"]))), settings)
    names = set(trainable(model))
    assert {"classifier.weight", "classifier.bias"} < names
    assert all(name.startswith(("classifier.", "bert.encoder.layer.1.")) for name in names)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_loss_is_that_of_one_row_at_a_time_whatever_the_padding(folders, family):
    torch.manual_seed(1)
    rows = rows_of(folders[family], train=12)
    rows[0] = ClassRow(id="short", ids=rows[0].ids[:5], label=0, name="payment")
    model = load_judge(folders[family], TrainingSettings(), ready_of(rows)).double()
    objective = ClassObjective(model, padding=model.config.pad_token_id)
    logits = torch.cat([model(input_ids=torch.tensor([row.ids])).logits for row in rows])
    right = F.cross_entropy(logits, torch.tensor([row.label for row in rows]), reduction="sum")
    right.backward()
    expected = {name: weight.grad.clone() for name, weight in trainable(model).items() if weight.grad is not None}
    for tokens in (1, 10_000):
        model.zero_grad()
        total = 0.0
        for group in objective.micro_batches(rows, tokens=tokens):
            loss = objective.loss(group)
            loss.backward()
            total += float(loss.detach())
        assert total == pytest.approx(float(right.detach()), rel=1e-6)
        for name, gradient in expected.items():
            assert (dict(model.named_parameters())[name].grad - gradient).norm() <= 1e-5 * gradient.norm() + 1e-9, name
    measured = objective.measure(rows, tokens=100)
    assert measured.loss == pytest.approx(float(right.detach()) / len(rows), rel=1e-6)
    assert measured.score == float((logits.argmax(1) == torch.tensor([row.label for row in rows])).double().mean())


def test_groups_hold_at_most_their_tokens_with_padding():
    rows = [ClassRow(id=str(length), ids=(1,) * length, label=0, name="a") for length in (4, 5, 5, 30)]
    assert [len(group) for group in cut_padded(rows, tokens=15)] == [3, 1]
    assert [len(group) for group in cut_padded(rows, tokens=14)] == [2, 1, 1]


def test_an_encoder_reads_the_text_between_its_marks_and_nothing_else(folders):
    row = render_class(class_example("a", "The Supplier shall pay.", "payment"), LABELS, Vocabulary(folders["bert"]))
    vocabulary = Vocabulary(folders["bert"])
    assert row.ids == (vocabulary.special("[CLS]"), *vocabulary.tokenize("The Supplier shall pay."), vocabulary.special("[SEP]"))


def test_scores_of_classes_by_hand():
    """Right are 3 of 5. Class 0: 1 found, 2 wanted, 1 both: F1 2/3; class 1: 3, 2, 2: 4/5; class 2: 1, 1, 0: 0. Half are of no class."""
    scores = score_classes([0, 1, 1, 1, 2], [0, 0, 1, 1, 2 + 1])
    assert scores.accuracy == 3 / 5
    assert scores.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 0 + 0) / 4)
    assert scores.classes == 3
    assert scores.commonest == 2 / 5
    assert scores.low < scores.accuracy < scores.high


def test_a_class_without_a_training_row_is_left_out_with_its_reason(tmp_path, folders):
    rows = [*class_examples(), class_example("odd1", "Strange.", "rare", "validation"), class_example("odd2", "Odd.", "rare", "held_out")]
    made = run_training(tmp_path, folders["bert"], make_dataset(tmp_path, rows), **{**LEARN, "maximum_steps": 1})
    dropped = [fate for fate in made.history() if fate.what == "dropped"]
    assert [(fate.row, fate.reason, fate.detail) for fate in dropped] == [
        ("odd1", "class without a training row", "rare"), ("odd2", "class without a training row", "rare")]
    assert summary_of(made)["classes"]["rows"] == 6


def test_one_class_alone_is_refused(tmp_path, folders):
    rows = [class_example("a", "Pay.", "payment"), class_example("b", "Pay more.", "payment", "validation")]
    with pytest.raises(InputError, match=r"the training rows have 1 class \(payment\); a classifier needs at least 2"):
        run_training(tmp_path, folders["bert"], make_dataset(tmp_path, rows), **LEARN)


def test_rows_without_classes_are_refused(tmp_path, folders):
    rows = [make_example("a", "Q", "A."), make_example("b", "Q", "B.", "validation")]
    with pytest.raises(InputError, match=r"2 rows of the task clause; this training\.task learns from classification rows only"):
        run_training(tmp_path, folders["bert"], make_dataset(tmp_path, rows), **LEARN)


@pytest.mark.parametrize("method", ["adapter", "qlora"])
def test_a_method_whose_result_is_no_plain_model_is_refused(tmp_path, folders, method):
    with pytest.raises(InputError, match=rf"training\.method: is {method}; a classifier and a student are kept as whole models"):
        run_training(tmp_path, folders["bert"], make_dataset(tmp_path, class_examples()), **{**LEARN, "method": method})


def test_rows_longer_than_the_base_can_read_are_refused_with_its_limit(tmp_path, folders):
    """The tiny RoBERTa has 512 places, counted from behind its padding token, which is 0: 511 are left."""
    rows = [*class_examples(), class_example("long", "pay " * 600, "payment")]
    with pytest.raises(InputError, match=r"maximum_tokens: is 5000, and the longest row has \d+ tokens; this base reads at most 511\. Set"):
        run_training(tmp_path, folders["roberta"], make_dataset(tmp_path, rows), **{**LEARN, "maximum_tokens": 5000})


def test_the_preview_shows_the_text_and_its_class(tmp_path, folders):
    recorder = Recorder()
    made = run_training(tmp_path, folders["bert"], make_dataset(tmp_path, class_examples()), recorder, **{**LEARN, "maximum_steps": 1})
    assert "training.lengths_read" in [event.key for event in recorder.events]  # and no share of learned tokens
    first = json.loads(made.file("batch.jsonl").read_text().splitlines()[0])
    assert [piece["trained"] for piece in first["pieces"]] == [False, True]
    assert first["pieces"][0]["text"].startswith("[CLS]")
    assert first["pieces"][1]["text"] == "payment"
