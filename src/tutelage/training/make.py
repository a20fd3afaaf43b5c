"""Tunes a base model with a dataset: what was learned, kept apart from the base, and the proof that the tune took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tutelage.core.chat import ChatFormat
from tutelage.core.events import Fact
from tutelage.core.files import file_sha256, read_rows, write_rows, write_whole
from tutelage.core.language import LANGUAGES
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.checkpoint import State
from tutelage.training.class_rows import ClassScores
from tutelage.training.devices import Device, choose_device
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.page import render
from tutelage.training.preflight import Lengths, Ready, measure_lengths
from tutelage.training.proof import Proof, prove
from tutelage.training.schedule import RATES, highest_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import TASKS

ADAPTER = "adapter"  # the folder of what was learned


@dataclass(frozen=True)
class _Trained:
    """How a training ended, and the fingerprints of what it started from."""

    state: State
    unit: str
    path: str
    base_sha256: str
    tokenizer_sha256: str


class Summary(Record):
    """`training.json`: what came out, what it came from, and what it took.

    Losses are nats a `unit` (a learned token, or a row) on the validation rows; bits a byte and the score (share that is right) are
    None where the task has none. `classes` tells how well a classifier names held-out rows. `path` is "packed" or "padded"; both
    compute the same.
    """

    base: str
    base_sha256: str
    chat_format_hash: str
    tokenizer_sha256: str
    dataset: str
    task: str
    method: str
    learning_rate: float
    unit: str
    weights_sha256: str
    steps: int
    best_step: int
    stopped_early: bool
    base_loss: float
    best_loss: float
    base_bits_per_byte: float | None
    best_bits_per_byte: float | None
    base_score: float | None
    best_score: float | None
    proof: Proof
    classes: ClassScores | None
    tokens: int
    tokens_per_second: float
    seconds: float
    supervised_share: float
    rows_lost: int
    tokens_lost: int
    train: Lengths
    validation: Lengths
    device: str
    path: str
    threads: int


def make(making: Making, *, base_folder: Callable[[], Path]) -> None:
    """Write adapter/, curve.jsonl, training.json, batch.jsonl and the reports. `base_folder` gives the model folder of the base.

    Raises InputError for rows or a base that cannot be trained, Paused after SIGTERM or SIGINT, TutelageError if the
    loss is no number or the tune did not take.
    """
    assert isinstance(making.settings, TrainingSettings)
    settings = making.settings
    rate, usual = highest_rate(settings), RATES[settings.method]
    if not usual.low <= rate <= usual.high:
        making.events.warning("training", "training.rate_outside", rate=rate, low=usual.low, high=usual.high, source=usual.source)
    device = choose_device(settings.threads)
    METHODS[settings.method].require(device.name)
    folder = base_folder()
    vocabulary, chat_format = Vocabulary(folder), folder_chat_format(folder)
    examples = list(read_rows(making.parents["dataset"].file("examples.jsonl"), Example))
    task = TASKS[settings.task]
    ready = task.prepare(making, settings, examples, chat_format, vocabulary)
    _report_lengths(making, settings, ready)
    write_rows(making.folder / "batch.jsonl", task.preview(ready.train, vocabulary))
    trained = _train(making, settings, ready, folder, device)
    proof = prove(task, METHODS[settings.method], settings, ready=ready, base_folder=folder, adapter=making.folder / ADAPTER,
                  scratch=making.scratch)
    classes = task.finish(making, settings, ready, base_folder=folder, adapter=making.folder / ADAPTER) if task.finish else None
    write_rows(making.folder / "curve.jsonl", trained.state.curve)
    summary = _summarise(making, settings, ready, trained, proof=proof, classes=classes, chat_format=chat_format, device=device)
    write_whole(making.folder / "training.json", summary.model_dump_json(indent=1))
    for language in LANGUAGES:
        page = render(summary, settings, trained.state.curve, [len(row.ids) for row in ready.train], language)
        write_whole(making.folder / f"report.{language}.html", page)
    _tell(making, summary)


def _report_lengths(making: Making, settings: TrainingSettings, ready: Ready[Any]) -> None:
    lengths = measure_lengths(ready.train)
    told: dict[str, Fact] = {"rows": lengths.rows, "median": lengths.median, "longest": lengths.longest, "tokens": lengths.tokens}
    if lengths.trained:
        making.events.note("training", "training.lengths", **told, share=round(100 * lengths.trained / lengths.tokens, 1))
    else:
        making.events.note("training", "training.lengths_read", **told)
    if ready.lost_rows:
        making.events.warning("training", "training.too_long", rows=ready.lost_rows, tokens=ready.lost_tokens,
                              limit=settings.maximum_tokens)


def _train(making: Making, settings: TrainingSettings, ready: Ready[Any], folder: Path, device: Device) -> _Trained:
    """Train and write what was learned; the model is freed on return."""
    torch.manual_seed(settings.seed)
    task, method = TASKS[settings.task], METHODS[settings.method]
    base = task.load(folder, settings, ready)
    torch.nn.Module.to(base, torch.device(device.name), torch.float32 if method.trains_base else device.dtype)
    model = method.attach(base, settings)
    objective = task.objective(model, settings, ready=ready, base_folder=folder, scratch=making.scratch, plain=False)
    loop = Loop(model=model, objective=objective, train=ready.train, validation=ready.validation, settings=settings,
                scratch=making.scratch, events=making.events)
    state = loop.run()
    base_sha256 = folder_sha256(folder)
    method.save(model, making.folder / ADAPTER, base=settings.base, base_sha256=base_sha256)
    return _Trained(state, unit=objective.unit, path=objective.path, base_sha256=base_sha256,
                    tokenizer_sha256=file_sha256(folder / "tokenizer.json"))


def _summarise(making: Making, settings: TrainingSettings, ready: Ready[Any], trained: _Trained, *, proof: Proof,
               classes: ClassScores | None, chat_format: ChatFormat, device: Device) -> Summary:
    state = trained.state
    measured = {row.step: row for row in state.curve if row.validation_loss is not None}
    first, best, train = measured[0], measured[state.best_step], measure_lengths(ready.train)
    return Summary(
        base=settings.base, base_sha256=trained.base_sha256, chat_format_hash=chat_format.hash,
        tokenizer_sha256=trained.tokenizer_sha256, dataset=making.parents["dataset"].id, task=settings.task, method=settings.method,
        learning_rate=highest_rate(settings), unit=trained.unit,
        weights_sha256=file_sha256(making.folder / ADAPTER / METHODS[settings.method].weights), steps=state.step, best_step=state.best_step,
        stopped_early=state.step < settings.maximum_steps, base_loss=first.validation_loss, best_loss=best.validation_loss,
        base_bits_per_byte=first.bits_per_byte, best_bits_per_byte=best.bits_per_byte, base_score=first.score, best_score=best.score,
        proof=proof, classes=classes, tokens=state.tokens,
        tokens_per_second=round(state.tokens / state.step_seconds, 1), seconds=round(state.seconds, 1),
        supervised_share=train.trained / train.tokens, rows_lost=ready.lost_rows, tokens_lost=ready.lost_tokens, train=train,
        validation=measure_lengths(ready.validation), device=device.name, path=trained.path, threads=device.threads)


def _tell(making: Making, summary: Summary) -> None:
    making.counts |= {"steps": summary.steps, "tokens": summary.tokens, "tokens_lost": summary.tokens_lost}
    making.facts |= {"weights_sha256": summary.weights_sha256, "base_sha256": summary.base_sha256,
                     "tokenizer_sha256": summary.tokenizer_sha256, "chat_format_hash": summary.chat_format_hash, "threads": summary.threads,
                     "device": summary.device, "path": summary.path, "best_step": summary.best_step,
                     "tokens_per_second": summary.tokens_per_second}
    proof: dict[str, Fact] = {"step": summary.best_step, "rows": summary.proof.rows, "base": round(summary.proof.base_loss, 3),
                              "tuned": round(summary.proof.tuned_loss, 3)}
    if summary.base_score is not None and summary.best_score is not None:
        making.events.note("training", "training.took_score", before=round(100 * summary.base_score, 1),
                           after=round(100 * summary.best_score, 1), **proof)
    elif summary.base_bits_per_byte is not None and summary.best_bits_per_byte is not None:
        making.events.note("training", "training.took", before=round(summary.base_bits_per_byte, 4),
                           after=round(summary.best_bits_per_byte, 4), **proof)
    else:
        making.events.note("training", "training.took_loss", before=round(summary.base_loss, 4), after=round(summary.best_loss, 4), **proof)
