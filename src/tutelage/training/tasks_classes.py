"""The task of naming texts: a classifier is made of an encoder or a decoder, measured on held-out rows and kept as a whole model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from tutelage.core.chat import NO_CHAT, ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.history import Fate
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.torch_base import load_classifier
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.batches import cut_padded
from tutelage.training.bodies import bare
from tutelage.training.class_rows import ClassRow, ClassScores, labels_of, render_class, score_classes
from tutelage.training.fitting import Fitter
from tutelage.training.methods import METHODS
from tutelage.training.objectives.classification import ClassObjective, class_logits
from tutelage.training.preflight import Ready, check_beginnings, check_tasks, prepare
from tutelage.training.preview import SHOWN, Piece, PreviewRow
from tutelage.training.settings import TrainingSettings

CLASSIFIER = "classifier"  # the folder of the whole model
PLAIN_METHODS = ("full", "frozen_embeddings", "last_layers", "lora")  # what they learn can become the model's own weights
SHIFTED = ("roberta", "camembert", "xlm-roberta")  # places are counted from behind the padding token


@dataclass(frozen=True)
class ClassReady(Ready[ClassRow]):
    """Rows that passed, the sorted labels that `ClassRow.label` counts, and the rows to measure with at the end."""

    labels: tuple[str, ...]
    held_out: tuple[ClassRow, ...]


def prepare_classes(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                    vocabulary: Vocabulary) -> ClassReady:
    """Rows of texts and their classes, those of the training rows. Rows of another class are dropped.

    Raises InputError for a method whose result cannot become plain weights, and for fewer than two classes.
    """
    if settings.method not in PLAIN_METHODS:
        raise InputError(f"training.method: is {settings.method}; a classifier and a student are kept as whole models, which is possible "
                         f"for {', '.join(PLAIN_METHODS)}. Choose one of these.")
    check_tasks(examples, ("classification",))
    labels = labels_of(examples)
    strange = [example for example in examples if example.label not in labels]
    making.ledger.rows_in(example.id for example in strange)
    for example in strange:
        making.ledger.record(Fate(row=example.id, what="dropped", reason="class without a training row", name=example.heading,
                                  detail=example.label))
    known = [example for example in examples if example.label in labels]
    ready = prepare(making, settings, known, tasks=("classification",), render=lambda example: render_class(example, labels, vocabulary),
                    check=lambda rows: check_beginnings(rows, vocabulary.specials))
    fitter = Fitter(settings, lambda example: render_class(example, labels, vocabulary))
    held_out = [row for example in known if example.part == "held_out" for row in fitter.fit(example, fitter.render(example))]
    return ClassReady(ready.train, ready.validation, ready.lost, labels=labels, held_out=tuple(held_out))


def load_judge(folder: Path, settings: TrainingSettings, ready: Ready[ClassRow]) -> PreTrainedModel:
    """The model of the folder in fp32, with an output for each label. Raises InputError if rows are longer than it can read."""
    assert isinstance(ready, ClassReady)
    model = open_judge(folder, ready.labels, seed=settings.seed)
    longest = max(row.longest for row in (*ready.train, *ready.validation, *ready.held_out))
    places = model.config.to_dict().get("max_position_embeddings")
    most = places - model.config.pad_token_id - 1 if places and model.config.model_type in SHIFTED else places
    if most and longest > most:
        raise InputError(f"training.maximum_tokens: is {settings.maximum_tokens}, and the longest row has {longest} tokens; this base "
                         f"reads at most {most}. Set maximum_tokens to {most}: longer rows are then left out.")
    return model


def open_judge(folder: Path, labels: Sequence[str], *, seed: int) -> PreTrainedModel:
    """The model of the folder in fp32, with an output for each label and a padding token. `seed` fixes what is new in it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = load_classifier(folder, labels)
    if model.config.pad_token_id is None:  # decoders judge at the last token that is no padding
        ends = model.config.eos_token_id
        model.config.pad_token_id = (ends[0] if isinstance(ends, list) else ends) or 0
    return model


def class_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[ClassRow], base_folder: Path, scratch: Path,
                    plain: bool) -> ClassObjective:
    """Cross-entropy of the classes."""
    return ClassObjective(model, padding=bare(model).config.pad_token_id)


def preview_classes(rows: Sequence[ClassRow], vocabulary: Vocabulary) -> list[PreviewRow]:
    """The first rows: what is read, and the class that is learned."""
    names = {token: name for name, token in vocabulary.specials.items()}
    shown = []
    for row in rows[:SHOWN]:
        text = b"".join(names[token].encode() if token in names else vocabulary.bytes_of(token) for token in row.ids)
        shown.append(PreviewRow(id=row.id, tokens=len(row.ids), trained=0, pieces=(
            Piece(text=text.decode("utf-8", "replace"), trained=False), Piece(text=row.name, trained=True))))
    return shown


def finish_classes(making: Making, settings: TrainingSettings, ready: Ready[ClassRow], *, base_folder: Path,
                   adapter: Path) -> ClassScores | None:
    """Read the result back, measure it on the held-out rows, and write classifier/."""
    assert isinstance(ready, ClassReady)
    model = METHODS[settings.method].load(load_judge(base_folder, settings, ready), adapter).model
    return keep_classifier(making, settings, ready, model, source=base_folder)


def keep_classifier(making: Making, settings: TrainingSettings, ready: ClassReady, model: torch.nn.Module, *,
                    source: Path) -> ClassScores | None:
    """Measure on the held-out rows, tell it, and write the whole model to classifier/."""
    scores = measure_classes(model.eval(), ready, tokens=settings.micro_batch_tokens)
    write_classifier(model, making.folder / CLASSIFIER, source=source)
    if scores:
        making.events.note("training", "training.classes", accuracy=round(100 * scores.accuracy, 1), low=round(100 * scores.low, 1),
                           high=round(100 * scores.high, 1), rows=scores.rows, classes=len(ready.labels),
                           macro_f1=round(scores.macro_f1, 3), commonest=round(100 * scores.commonest, 1))
    return scores


@torch.no_grad()
def measure_classes(model: torch.nn.Module, ready: ClassReady, *, tokens: int) -> ClassScores | None:
    """How well the held-out rows are named; None without one."""
    if not ready.held_out:
        return None
    found: list[int] = []
    for group in cut_padded(ready.held_out, tokens=tokens):
        found += class_logits(model, group, padding=bare(model).config.pad_token_id).argmax(1).tolist()
    return score_classes(found, [row.label for row in ready.held_out])


def write_classifier(model: torch.nn.Module, folder: Path, *, source: Path) -> None:
    """Write the whole classifier as a model folder that transformers reads: its labels stand in config.json."""
    whole = model.merge_and_unload() if isinstance(model, PeftModel) else model
    bare(whole).save_pretrained(folder)
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    write_whole(folder / "chat.json", NO_CHAT.model_dump_json())
