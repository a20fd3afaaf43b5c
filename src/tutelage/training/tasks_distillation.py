"""The task of distillation: a student of fewer layers, made of its teacher's own, learns what the teacher says; texts or classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tutelage.core.chat import NO_CHAT, ChatFormat, end_id
from tutelage.core.errors import InputError
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.fewer_layers import count_layers, keep_layers, kept_layers, write_student
from tutelage.engine.influence import block_influence, choose_layers, layer_types
from tutelage.engine.kinds import is_classifier, read_config
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.batches import by_length, cut_padded, micro_batches
from tutelage.training.bodies import PaddedBody, bare, choose_body, head_weight
from tutelage.training.class_rows import ClassRow, ClassScores
from tutelage.training.methods import METHODS
from tutelage.training.objectives.classification import class_logits
from tutelage.training.objectives.distillation import ClassDistillation, TextDistillation
from tutelage.training.objectives.distillation_loss import Taught, rows_at_once, taught_by
from tutelage.training.preflight import Ready, check_rows, prepare
from tutelage.training.preview import PreviewRow, preview
from tutelage.training.rows import TrainingRow, render_row
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks_classes import (
    PLAIN_METHODS,
    ClassReady,
    keep_classifier,
    load_judge,
    open_judge,
    prepare_classes,
    preview_classes,
)
from tutelage.training.teacher import Say, TeacherCache

ANSWERS = "teacher"  # the folder in the scratch folder with what the teacher said
INFLUENCE_ROWS = 8  # training rows, the first by id, that tell the influence of layers


def prepare_lessons(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                    vocabulary: Vocabulary) -> Ready[Any]:
    """Rows of texts and their classes if the base is a classifier, else of prompts and replies."""
    if chat_format == NO_CHAT:
        return prepare_classes(making, settings, examples, chat_format, vocabulary)
    if settings.method not in PLAIN_METHODS:
        raise InputError(f"training.method: is {settings.method}; a student is kept as a whole model, which is possible for "
                         f"{', '.join(PLAIN_METHODS)}. Choose one of these.")
    end = end_id(chat_format, vocabulary)
    return prepare(making, settings, examples, tasks=("clause", "instruction", "classification"),
                   render=lambda example: render_row(example, chat_format, vocabulary),
                   check=lambda rows: check_rows(rows, end=end, specials=vocabulary.specials))


def load_student(folder: Path, settings: TrainingSettings, ready: Ready[Any]) -> PreTrainedModel:
    """The base with only some of its layers. Raises InputError if it is no classifier of these classes, or has too few layers."""
    model = _load_teacher(folder, settings, ready)
    return keep_layers(model, student_layers(model, settings, ready))


def student_layers(teacher: PreTrainedModel, settings: TrainingSettings, ready: Ready[Any]) -> tuple[int, ...]:
    """Which layers of the teacher the student is made of: the same for the same teacher and rows. Raises InputError for too many."""
    layers = count_layers(teacher)
    wanted = settings.student_layers or max(1, layers // 2)
    even = kept_layers(layers, wanted)
    if settings.student_from == "even":
        return even
    rows = sorted(ready.train, key=lambda row: row.id)[:INFLUENCE_ROWS]
    return choose_layers(block_influence(teacher, [row.ids for row in rows]), layer_types(teacher), drop=layers - wanted)


def distil_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[Any], base_folder: Path, scratch: Path,
                     plain: bool) -> TextDistillation | ClassDistillation:
    """Divergence from the teacher, whose answers are computed once, and cross-entropy, mixed."""
    rows, folder = [*ready.train, *ready.validation], scratch / ANSWERS
    if isinstance(rows[0], ClassRow):
        config = bare(model).config
        cache = TeacherCache(folder, outcomes=config.num_labels)
        cache.fill(rows, [1] * len(rows), lambda: _class_teacher(base_folder, settings, model))
        return ClassDistillation(model, cache, padding=config.pad_token_id, temperature=settings.temperature, share=settings.teacher_share)
    weight = head_weight(model)
    cache = TeacherCache(folder, outcomes=len(weight))
    cache.fill(rows, [row.trained for row in rows], lambda: _text_teacher(base_folder, settings, weight.device))
    return TextDistillation(PaddedBody(model) if plain else choose_body(model), weight, cache, temperature=settings.temperature,
                            share=settings.teacher_share)


def preview_lessons(rows: Sequence[Any], vocabulary: Vocabulary) -> list[PreviewRow]:
    """The first rows, of texts or of classes."""
    return preview_classes(rows, vocabulary) if isinstance(rows[0], ClassRow) else preview(rows, vocabulary)


def finish_lessons(making: Making, settings: TrainingSettings, ready: Ready[Any], *, base_folder: Path,
                   adapter: Path) -> ClassScores | None:
    """Say in student.json which layers the student has; of a classifier write the whole model to classifier/, and measure it."""
    teacher = _load_teacher(base_folder, settings, ready)
    layers = student_layers(teacher, settings, ready)
    write_student(adapter, layers)
    if not isinstance(ready, ClassReady):
        return None
    model = METHODS[settings.method].load(keep_layers(teacher, layers), adapter).model
    return keep_classifier(making, settings, ready, model, source=base_folder)


def _load_teacher(folder: Path, settings: TrainingSettings, ready: Ready[Any]) -> PreTrainedModel:
    if not isinstance(ready, ClassReady):
        return load_causal(folder)
    model = load_judge(folder, settings, ready)
    told = read_config(folder)
    known = tuple(name for _, name in sorted((int(place), name) for place, name in told.get("id2label", {}).items()))
    if not is_classifier(told) or known != ready.labels:
        some = ", ".join(ready.labels[:5]) + (", ..." if len(ready.labels) > 5 else "")
        raise InputError(f"training.base: is no classifier of the classes {some}; only such a one can teach them. Train one with "
                         "training.task: classification on the same dataset, and give the folder classifier/ of that training.")
    return model


def _text_teacher(folder: Path, settings: TrainingSettings, device: torch.device) -> Say[TrainingRow]:
    teacher = torch.nn.Module.to(load_causal(folder), device)
    body, weight = PaddedBody(teacher), head_weight(teacher).detach()

    @torch.no_grad()
    def say(rows: Sequence[TrainingRow]) -> Taught:
        found: dict[str, Taught] = {}
        for batch in micro_batches(by_length(rows), tokens=settings.micro_batch_tokens):
            hidden = body.hidden(batch)
            step = rows_at_once(len(weight))
            taught = Taught.joined([taught_by(hidden[start : start + step] @ weight.T, k=settings.teacher_top_k,
                                              temperature=settings.temperature) for start in range(0, len(hidden), step)])
            start = 0
            for row in batch.rows:
                found[row.id] = taught.part(start, start + row.trained)
                start += row.trained
        return Taught.joined([found[row.id] for row in rows])
    return say


def _class_teacher(folder: Path, settings: TrainingSettings, student: torch.nn.Module) -> Say[ClassRow]:
    config = bare(student).config
    labels = [config.id2label[place] for place in range(config.num_labels)]
    teacher = torch.nn.Module.to(open_judge(folder, labels, seed=settings.seed), bare(student).device)

    @torch.no_grad()
    def say(rows: Sequence[ClassRow]) -> Taught:
        groups = cut_padded(rows, tokens=settings.micro_batch_tokens)
        logits = torch.cat([class_logits(teacher, group, padding=config.pad_token_id) for group in groups])
        return taught_by(logits, k=config.num_labels, temperature=settings.temperature)
    return say
