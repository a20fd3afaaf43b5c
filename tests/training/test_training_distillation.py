"""Distillation end to end: a student of half the layers comes nearer to its teacher, goes on after a pause, and reaches the model stage."""

import json
import shutil
import signal

import pytest
import torch
import torch.nn.functional as F
import transformers
from class_rows import class_examples
from tiny_families import make_tiny
from training_stage import make_dataset, run_training, signal_at, small_examples

from tutelage.core.chat import CHATML, NO_CHAT
from tutelage.core.errors import InputError, Paused
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.engine.bases import find_base
from tutelage.engine.fewer_layers import Student, as_trained, keep_layers, layers_of
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.merge import merge
from tutelage.training.adapters import trainable
from tutelage.training.class_rows import classified_text
from tutelage.training.fitting import Lost
from tutelage.training.preflight import Ready
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks_distillation import distil_objective, student_layers

LEARN = {"task": "distillation", "method": "full", "maximum_steps": 8, "validate_every": 8, "learning_rate": 1e-3}
WEIGHTS = "adapter/change.safetensors"


def summary_of(artifact):
    return json.loads(artifact.file("training.json").read_text())


def layers_in(artifact):
    return Student.model_validate_json(artifact.file("adapter/student.json").read_text()).layers


def without_work(model, number):
    """The same model with a layer that adds exactly 0 to what passes through it."""
    layer = layers_of(model)[number]
    with torch.no_grad():
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    return model


def distance(model, teacher, row):
    """Mean divergence of the model from the teacher over the learned positions of a row."""
    with torch.no_grad():
        said, right = (F.log_softmax(one(input_ids=torch.tensor([row.inputs])).logits[0, list(row.predicting)], 1)
                       for one in (model, teacher))
    return float(F.kl_div(said, right, reduction="batchmean", log_target=True))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_student_comes_nearer_to_its_teacher_and_is_merged_into_a_model_of_fewer_layers(tmp_path, base, method):
    examples = small_examples()
    changed = {**LEARN, "teacher_share": 1.0, "maximum_steps": 16} | ({"method": "lora", "learning_rate": 5e-3} if method == "lora" else {})
    made = run_training(tmp_path, base, make_dataset(tmp_path, examples), **changed)
    summary = summary_of(made)
    assert summary["unit"] == "token"
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["classes"] is None
    row = render_row(examples[0], CHATML, Vocabulary(base))
    merged = tmp_path / "merged"
    assert merge(base, made.folder / "adapter", merged, [row.ids[:20]]) < 1e-4
    student = load_causal(merged)
    assert student.config.num_hidden_layers == 1
    cut = keep_layers(load_causal(base), layers_in(made))
    teacher = load_causal(base)
    assert distance(student, teacher, row) < 0.8 * distance(cut, teacher, row)
    assert as_trained(load_causal(base), made.folder / "adapter").config.num_hidden_layers == 1


@pytest.mark.parametrize(("student_from", "idle", "kept"), [("influence", 0, (1,)), ("influence", 1, (0,)), ("even", 0, (0,))])
def test_a_student_begins_as_the_layers_that_change_most_or_as_evenly_spread_ones(tmp_path, base, student_from, idle, kept):
    teacher = shutil.copytree(base, tmp_path / "base")
    without_work(load_causal(base), idle).save_pretrained(teacher)
    made = run_training(tmp_path, teacher, make_dataset(tmp_path, small_examples()), student_from=student_from, **LEARN)
    assert layers_in(made) == kept
    assert as_trained(load_causal(teacher), made.folder / "adapter").config.num_hidden_layers == 1


def test_a_student_of_a_gemma_keeps_the_pattern_that_llama_cpp_knows(tmp_path):
    model = load_causal(make_tiny("gemma3_text", tmp_path / "gemma"))
    ready = Ready(tuple(render_row(example, CHATML, Vocabulary(tmp_path / "gemma")) for example in small_examples()[:3]), (), Lost())
    for student_from, windows in (("influence", 3), ("even", 2)):  # the last of its six layers sees all tokens
        settings = TrainingSettings(task="distillation", method="full", student_from=student_from)
        student = keep_layers(load_causal(tmp_path / "gemma"), student_layers(model, settings, ready))
        assert student.config.layer_types.count("sliding_attention") == windows


def test_loss_and_gradients_are_those_of_teacher_and_student_side_by_side(tmp_path, base, vocabulary):
    """Top k of all outcomes: the plain divergence, from models that know nothing of caches or chunks."""
    rows = [render_row(example, CHATML, vocabulary) for example in small_examples()[:6]]
    size = len(load_causal(base).get_output_embeddings().weight)
    settings = TrainingSettings(task="distillation", method="full", temperature=3.0, teacher_share=0.6, teacher_top_k=size)
    student, teacher = keep_layers(load_causal(base), (1,)), load_causal(base)
    objective = distil_objective(student, settings, ready=Ready(tuple(rows[:4]), tuple(rows[4:]), Lost()), base_folder=base,
                                 scratch=tmp_path, plain=False)
    total = 0.0
    for row in rows[:4]:
        ids, learned = torch.tensor([row.ids]), torch.tensor(row.supervised[1:])
        said = student(input_ids=ids).logits[0, :-1][learned]
        with torch.no_grad():
            right = teacher(input_ids=ids).logits[0, :-1][learned]
        soft = F.kl_div(F.log_softmax(said / 3, 1), F.log_softmax(right / 3, 1), reduction="sum", log_target=True)
        total = total + 0.6 * 9 * soft + 0.4 * F.cross_entropy(said, torch.tensor(row.targets), reduction="sum")
    total.backward()
    expected = {name: weight.grad.clone() for name, weight in trainable(student).items()}
    for tokens in (1, 10_000):
        student.zero_grad()
        found = 0.0
        for group in objective.micro_batches(rows[:4], tokens=tokens):
            loss = objective.loss(group)
            loss.backward()
            found += float(loss.detach())
        assert found == pytest.approx(float(total.detach()), rel=2e-3)  # the teacher's answers have 16 bits
        for name, weight in trainable(student).items():
            assert (weight.grad - expected[name]).norm() <= 5e-3 * expected[name].norm(), name
    measured = objective.measure(rows[:4], tokens=300)
    assert measured.loss * objective.count(rows[:4]) == pytest.approx(float(total.detach()), rel=2e-3)


def test_a_paused_distillation_asks_its_teacher_nothing_again_and_ends_with_the_same_bits(tmp_path, base):
    """A file of answers that was made again would be another file."""
    changed = {**LEARN, "maximum_steps": 4}
    whole = run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), **changed)
    work = tmp_path / "other"
    dataset = make_dataset(work, small_examples())
    with pytest.raises(Paused):
        run_training(work, base, dataset, signal_at(2, signal.SIGTERM), **changed)
    answers, = work.glob("training/.*.scratch/teacher/*.safetensors")
    seen = {answers.stat().st_ino}
    resumed = run_training(work, base, dataset, lambda event: seen.add(answers.stat().st_ino) if event.kind == "step" else None, **changed)
    assert len(seen) == 1
    assert resumed.file(WEIGHTS).read_bytes() == whole.file(WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny BERT of two layers, as the pipeline hands it over."""
    root = tmp_path_factory.mktemp("encoder")
    return as_folder(find_base(str(make_tiny("bert", root / "bert"))), root / "cache")


CLASSES = {"task": "classification", "method": "full", "maximum_steps": 24, "validate_every": 8, "checkpoint_every": 30, "batch_rows": 6,
           "micro_batch_tokens": 800, "learning_rate": 2e-3, "maximum_tokens": 100}


def test_a_classifier_teaches_a_student_of_half_its_layers(tmp_path, encoder):
    rows = class_examples()
    dataset = make_dataset(tmp_path, rows)
    teacher = run_training(tmp_path, encoder, dataset, **CLASSES)
    folder = as_folder(find_base(str(teacher.folder / "classifier")), tmp_path / "cache")
    made = run_training(tmp_path, folder, dataset, **{**CLASSES, "task": "distillation", "maximum_steps": 16})
    summary = summary_of(made)
    assert summary["unit"] == "row"
    assert summary["best_loss"] < summary["base_loss"]
    assert summary["classes"]["accuracy"] > 0.8
    student = transformers.AutoModelForSequenceClassification.from_pretrained(made.folder / "classifier")
    assert student.config.num_hidden_layers == 1
    assert set(student.config.label2id) == {"payment", "secrecy", "venue"}
    assert classified_text(rows[0]) == rows[0].messages[1].content


def test_a_decoder_that_became_a_classifier_teaches_a_student_too(tmp_path, base):
    dataset = make_dataset(tmp_path, class_examples())
    teacher = run_training(tmp_path, base, dataset, **CLASSES)
    found = find_base(str(teacher.folder / "classifier"))
    assert (found.kind, found.chat_format) == ("decoder", NO_CHAT)
    folder = as_folder(found, tmp_path / "cache")
    made = run_training(tmp_path, folder, dataset, **{**CLASSES, "task": "distillation", "maximum_steps": 16})
    summary = summary_of(made)
    assert summary["classes"]["accuracy"] > 0.8
    student = transformers.AutoModelForSequenceClassification.from_pretrained(made.folder / "classifier")
    assert (student.config.num_hidden_layers, type(student).__name__) == (1, "LlamaForSequenceClassification")


def test_an_encoder_that_is_no_classifier_of_these_classes_cannot_teach(tmp_path, encoder):
    with pytest.raises(InputError, match=r"training\.base: is no classifier of the classes payment, secrecy, venue; only such a one can"):
        run_training(tmp_path, encoder, make_dataset(tmp_path, class_examples()), **{**CLASSES, "task": "distillation"})


def test_a_student_deeper_than_its_teacher_is_refused_before_the_first_step(tmp_path, base):
    with pytest.raises(InputError, match=r"training\.student_layers: is 3, but the base, which is the teacher, has 2 layers"):
        run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), **{**LEARN, "student_layers": 3})
    assert Store(tmp_path).all("training") == []


def test_a_method_whose_result_is_no_plain_model_is_refused(tmp_path, base):
    with pytest.raises(InputError, match=r"training\.method: is adapter; a student is kept as a whole model, which is possible for full, "):
        run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), **{**LEARN, "method": "adapter"})


@pytest.mark.parametrize(("task", "changed", "named"), [
    ("sft", {"beta": 0.5}, "beta is 0.5, but the task sft does not read it; dpo and kto do"),
    ("dpo", {"odds_weight": 0.5}, "odds_weight is 0.5, but the task dpo does not read it; orpo does"),
    ("sft", {"student_layers": 3}, "student_layers is 3, but the task sft does not read it; distillation does"),
    ("sft", {"student_from": "even"}, "student_from is 'even', but the task sft does not read it; distillation does")])
def test_a_setting_that_the_task_does_not_read_is_refused(task, changed, named):
    with pytest.raises(ValueError, match=named):
        TrainingSettings(task=task, **changed)
    assert isinstance(TrainingSettings(task="distillation", student_layers=3), Settings)
