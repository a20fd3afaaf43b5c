"""What a recipe may set the model to learn: for each task how rows are made, how the model is loaded, and what the loss is.

A new task is an entry of TASKS and a choice of `training.task`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

import torch
from transformers import PreTrainedModel

from tutelage.core.chat import ChatFormat, end_id
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.bodies import Body, PaddedBody, choose_body, head_weight
from tutelage.training.class_rows import ClassScores
from tutelage.training.objectives import Objective
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.packed import PackedBody
from tutelage.training.preflight import Ready, check_rows, prepare
from tutelage.training.preview import PreviewRow, preview
from tutelage.training.rows import R, TrainingRow, render_row, render_text, text_pieces
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks_classes import class_objective, finish_classes, load_judge, prepare_classes, preview_classes
from tutelage.training.tasks_distillation import distil_objective, finish_lessons, load_student, prepare_lessons, preview_lessons
from tutelage.training.tasks_preference import (
    dpo_objective,
    kto_objective,
    orpo_objective,
    prepare_judged,
    prepare_pairs,
    preview_judged,
    preview_pairs,
)


class MakesObjective(Protocol[R]):
    """Makes the objective of a model that a method was attached to, or that is a base."""

    def __call__(self, model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[R], base_folder: Path, scratch: Path,
                 plain: bool) -> Objective[R]:
        """The objective. `base_folder` is what the model was loaded from. `scratch` outlives a kill and is gone after the training; what is
        computed once is kept there.

        It is asked for before the first step, while the model still answers as its base does, and for the proof once more.
        With `plain` it uses the model's own layers, whatever faster way there is.
        """
        ...


class Finishes(Protocol[R]):
    """Makes what else the task gives."""

    def __call__(self, making: Making, settings: TrainingSettings, ready: Ready[R], *, base_folder: Path,
                 adapter: Path) -> ClassScores | None:
        """Write it into the artifact. `adapter` is the folder of what was learned. Gives the scores of a classifier on held-out rows."""
        ...


@dataclass(frozen=True)
class Task(Generic[R]):
    """How a task is learned.

    `prepare` gives checked rows and records the fate of each example; `load` gives the base model in fp32, ready to answer;
    `preview` shows rows as the model reads them; `finish` is called after the proof, where there is more to make.
    """

    prepare: Callable[[Making, TrainingSettings, Sequence[Example], ChatFormat, Vocabulary], Ready[R]]
    load: Callable[[Path, TrainingSettings, Ready[R]], PreTrainedModel]
    objective: MakesObjective[R]
    preview: Callable[[Sequence[R], Vocabulary], list[PreviewRow]]
    finish: Finishes[R] | None = None


def prepare_replies(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                    vocabulary: Vocabulary) -> Ready[TrainingRow]:
    """Rows of prompts and replies; the replies and the tokens that end them are learned."""
    end = end_id(chat_format, vocabulary)
    return prepare(making, settings, examples, tasks=("clause", "instruction", "classification"),
                   render=lambda example: render_row(example, chat_format, vocabulary),
                   check=lambda rows: check_rows(rows, end=end, specials=vocabulary.specials))


def prepare_texts(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                  vocabulary: Vocabulary) -> Ready[TrainingRow]:
    """Rows of plain text, all of it learned."""
    return prepare(making, settings, examples, tasks=("pretraining", "clause"),
                   render=lambda example: render_text(example, chat_format, vocabulary),
                   check=lambda rows: check_rows(rows, end=None, specials=vocabulary.specials),
                   pieces=lambda example, limit: text_pieces(example, chat_format, vocabulary, limit=limit))


def load_decoder(folder: Path, settings: TrainingSettings, ready: Ready[Any]) -> PreTrainedModel:
    """The causal language model of the folder in fp32."""
    return load_causal(folder)


def language_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[TrainingRow], base_folder: Path, scratch: Path,
                       plain: bool) -> LanguageObjective:
    """Next-token loss on the learned tokens."""
    body: Body = PaddedBody(model) if plain else choose_body(model)
    are_seen_again = settings.maximum_steps * settings.batch_rows > len(ready.train)
    if settings.prefix_cache and are_seen_again and isinstance(body, PackedBody):
        body.keep_prefix((*ready.train, *ready.validation), scratch / "prefix", tokens=settings.micro_batch_tokens)
    return LanguageObjective(body, head_weight(model))


TASKS: dict[str, Task[Any]] = {
    "sft": Task(prepare_replies, load_decoder, language_objective, preview),
    "pretraining": Task(prepare_texts, load_decoder, language_objective, preview),
    "classification": Task(prepare_classes, load_judge, class_objective, preview_classes, finish_classes),
    "dpo": Task(prepare_pairs, load_decoder, dpo_objective, preview_pairs),
    "orpo": Task(prepare_pairs, load_decoder, orpo_objective, preview_pairs),
    "kto": Task(prepare_judged, load_decoder, kto_objective, preview_judged),
    "distillation": Task(prepare_lessons, load_student, distil_objective, preview_lessons, finish_lessons),
}
