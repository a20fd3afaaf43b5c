"""Tunes a base model with a dataset: what was learned, kept apart from the base, and the proof that the tune took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tutelage.core.chat import ChatFormat
from tutelage.core.events import Fact
from tutelage.core.files import ID_LENGTH, file_sha256, read_rows, write_rows, write_whole
from tutelage.core.language import LANGUAGES
from tutelage.core.memory import PeakMemory
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import put_weights
from tutelage.training.budget import Chosen, Settled, settle
from tutelage.training.checkpoint import State
from tutelage.training.class_rows import ClassScores
from tutelage.training.devices import Device, choose_device
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.page import render
from tutelage.training.parallel import NAMES, Plan, count_parameters, decide, this_machine
from tutelage.training.preflight import Ready, measure_lengths
from tutelage.training.probe import probe
from tutelage.training.promise import MB_A_GB, Kept, compare
from tutelage.training.proof import Proof, prove
from tutelage.training.schedule import RATES, highest_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.shortage import disk_told
from tutelage.training.start import start_model
from tutelage.training.summary import Summary
from tutelage.training.tasks import TASKS
from tutelage.training.trim import FOLDER, Start, Trim, Trimmed, find_start, mark_adapter
from tutelage.training.workers import Done, Job, train_together

ADAPTER = "adapter"  # the folder of what was learned


@dataclass(frozen=True)
class _Trained:
    """How a training ended, the fingerprints of what it started from, and how long the loop took in this process."""

    state: State
    unit: str
    path: str
    base_sha256: str
    tokenizer_sha256: str
    loop_seconds: float


@dataclass(frozen=True)
class _Begun:
    """All that stands before the model, and how many seconds it took."""

    settings: TrainingSettings
    device: Device
    plan: Plan
    folder: Path
    vocabulary: Vocabulary
    chat_format: ChatFormat
    ready: Ready[Any]
    trimmed: Trimmed | None
    seconds: float


def make(making: Making, *, base_folder: Callable[[], Path], trim: Trim) -> None:
    """Write adapter/, curve.jsonl, training.json, batch.jsonl and the reports; with a trimmed vocabulary also trimmed/, the base of the
    adapter. `base_folder` gives the model folder of the base, `trim` writes one again with fewer tokens.

    Raises InputError for rows or a base that cannot be trained and for a full disk, Paused after SIGTERM or SIGINT, TutelageError if the
    loss is no number or the tune did not take.
    """
    with disk_told(making.work, making.scratch):
        _make(making, base_folder, trim)


def _make(making: Making, base_folder: Callable[[], Path], trim: Trim) -> None:
    begun = _begin(making, base_folder, trim)
    settled = _settle(making, begun)
    for chosen in settled.chosen:
        making.events.note("training", "training.chosen", setting=chosen.setting, value=chosen.value, why=chosen.why)
    if settled.promise:
        making.events.note("training", "training.promise", **settled.promise.told())
    settings, ready, started = settled.apply(begun.settings), begun.ready, time.monotonic()
    task, adapter = TASKS[settings.task], making.folder / ADAPTER
    write_rows(making.folder / "batch.jsonl", task.preview(ready.train, begun.vocabulary))
    with PeakMemory() as memory:
        trained = _train(making, settings, begun)
        settings = settings.model_copy(update={"micro_batch_tokens": trained.state.micro_batch_tokens})
        proof = prove(task, METHODS[settings.method], settings, ready=ready, base_folder=begun.folder, adapter=adapter,
                      scratch=making.scratch)
    seconds = begun.seconds + time.monotonic() - started - trained.loop_seconds + trained.state.seconds  # with what a killed run did
    kept = compare(settled.promise, settings, ready, steps=trained.state.step, seconds=seconds,
                   memory_gb=memory.peak_mb / MB_A_GB) if settled.promise else None
    classes = task.finish(making, settings, ready, base_folder=begun.folder, adapter=adapter) if task.finish else None
    write_rows(making.folder / "curve.jsonl", trained.state.curve)
    summary = _summarise(making, settings, begun, trained, proof=proof, classes=classes, settled=settled, kept=kept)
    write_whole(making.folder / "training.json", summary.model_dump_json(indent=1))
    for language in LANGUAGES:
        page = render(summary, settings, trained.state.curve, [len(row.ids) for row in ready.train], language)
        write_whole(making.folder / f"report.{language}.html", page)
    _tell(making, summary)
    if begun.trimmed:
        begun.folder.rename(making.folder / FOLDER)


def foresee(making: Making, *, base_folder: Callable[[], Path], trim: Trim) -> Settled:
    """Choose and promise by a probe, without training. It is kept in `making.scratch`, where the training itself finds it.

    Raises what the training would raise before its first step.
    """
    return _settle(making, _begin(making, base_folder, trim))


def _begin(making: Making, base_folder: Callable[[], Path], trim: Trim) -> _Begun:
    started = time.monotonic()
    assert isinstance(making.settings, TrainingSettings)
    settings = making.settings
    rate, usual = highest_rate(settings), RATES[settings.method]
    if not usual.low <= rate <= usual.high:
        making.events.warning("training", "training.rate_outside", rate=rate, low=usual.low, high=usual.high, source=usual.source)
    device = choose_device(settings.threads)
    METHODS[settings.method].require(device.name)
    examples = list(read_rows(making.parents["dataset"].file("examples.jsonl"), Example))

    @cache
    def start() -> Start:
        return find_start(making, settings, examples, base=base_folder(), trim=trim)

    plan = decide(settings, this_machine(), parameters=lambda: count_parameters(start().folder), language=making.language)
    folder = start().folder
    vocabulary, chat_format = Vocabulary(folder), folder_chat_format(folder)
    ready = TASKS[settings.task].prepare(making, settings, examples, chat_format, vocabulary)
    _report_lengths(making, settings, ready)
    trimmed = start().told(ready, vocabulary)
    if trimmed:
        making.events.warning("training", "training.trimmed", rows=trimmed.rows, before=trimmed.vocabulary_before, after=trimmed.vocabulary,
                              validation=trimmed.validation_rows, more=round(100 * trimmed.more, 2))
    return _Begun(settings, device, plan, folder, vocabulary, chat_format, ready, trimmed, time.monotonic() - started)


def _settle(making: Making, begun: _Begun) -> Settled:
    plan = begun.plan
    if plan.processes > 1:  # a probe in one process would promise nothing of several
        return Settled(chosen=(Chosen(setting="devices", value=f"{plan.processes} x {NAMES[plan.sharing]}", why=plan.why),), changed={},
                       promise=None)
    return settle(begun.settings, begun.ready, scratch=making.scratch, device=begun.device, before=begun.seconds,
                  language=making.language,
                  probe=lambda settings: probe(settings, begun.ready, folder=begun.folder, device=begun.device))


def _report_lengths(making: Making, settings: TrainingSettings, ready: Ready[Any]) -> None:
    lengths = measure_lengths(ready.train)
    told: dict[str, Fact] = {"rows": lengths.rows, "median": lengths.median, "longest": lengths.longest, "tokens": lengths.tokens}
    if lengths.trained:
        making.events.note("training", "training.lengths", **told, share=round(100 * lengths.trained / lengths.tokens, 1))
    else:
        making.events.note("training", "training.lengths_read", **told)
    lost, limit = ready.lost, settings.maximum_tokens
    if lost.left_out:
        making.events.warning("training", "training.too_long", rows=lost.left_out, tokens=lost.left_out_tokens, limit=limit)
    if lost.cut:
        making.events.warning("training", "training.cut", rows=lost.cut, tokens=lost.cut_tokens, limit=limit)
    if lost.split:
        making.events.note("training", "training.split", rows=lost.split, limit=limit)


def _train(making: Making, settings: TrainingSettings, begun: _Begun) -> _Trained:
    """Train and write what was learned; the model is freed on return."""
    ready, folder = begun.ready, begun.folder
    base_sha256 = folder_sha256(folder)
    origin = f"the base {base_sha256[:ID_LENGTH]} with the chat format {begun.chat_format.hash}"
    started = time.monotonic()
    if begun.plan.processes > 1:
        state, done = _train_together(making, settings, begun, origin)
        model = start_model(settings, ready, folder=folder, device=Device("cpu", torch.float32, begun.device.threads))
        put_weights(model, state.best)
    else:
        model = start_model(settings, ready, folder=folder, device=begun.device)
        objective = TASKS[settings.task].objective(model, settings, ready=ready, base_folder=folder, scratch=making.scratch, plain=False)
        started = time.monotonic()
        state = Loop(model=model, objective=objective, train=ready.train, validation=ready.validation, settings=settings,
                     scratch=making.scratch, events=making.events, origin=origin).run()
        done = Done(unit=objective.unit, path=objective.path)
    loop_seconds = time.monotonic() - started
    name = FOLDER if begun.trimmed else settings.base
    METHODS[settings.method].save(model, making.folder / ADAPTER, base=name, base_sha256=base_sha256)
    if begun.trimmed:
        mark_adapter(making.folder / ADAPTER, folder)
    return _Trained(state, unit=done.unit, path=done.path, base_sha256=base_sha256,
                    tokenizer_sha256=file_sha256(folder / "tokenizer.json"), loop_seconds=loop_seconds)


def _train_together(making: Making, settings: TrainingSettings, begun: _Begun, origin: str) -> tuple[State, Done]:
    plan = begun.plan
    job = Job(settings=settings, ready=begun.ready, base_folder=begun.folder, scratch=making.scratch, work=making.work, origin=origin,
              sharing=plan.sharing, threads=max(1, begun.device.threads // plan.here))
    return train_together(job, plan.processes, making.events)


def _summarise(making: Making, settings: TrainingSettings, begun: _Begun, trained: _Trained, *, proof: Proof,
               classes: ClassScores | None, settled: Settled, kept: Kept | None) -> Summary:
    state, ready, device = trained.state, begun.ready, begun.device
    measured = {row.step: row for row in state.curve if row.validation_loss is not None}
    first, best, train = measured[0], measured[state.best_step], measure_lengths(ready.train)
    return Summary(
        base=settings.base, base_sha256=trained.base_sha256, chat_format_hash=begun.chat_format.hash,
        tokenizer_sha256=trained.tokenizer_sha256, dataset=making.parents["dataset"].id, task=settings.task, method=settings.method,
        learning_rate=highest_rate(settings), unit=trained.unit,
        weights_sha256=file_sha256(making.folder / ADAPTER / METHODS[settings.method].weights), steps=state.step, best_step=state.best_step,
        stopped_early=state.step < settings.maximum_steps, base_loss=first.validation_loss, best_loss=best.validation_loss,
        base_bits_per_byte=first.bits_per_byte, best_bits_per_byte=best.bits_per_byte, base_score=first.score, best_score=best.score,
        proof=proof, classes=classes, micro_batch_tokens=state.micro_batch_tokens, shrunk_at=tuple(state.shrunk_at), tokens=state.tokens,
        tokens_per_second=round(state.tokens / state.step_seconds, 1), seconds=round(state.seconds, 1),
        supervised_share=train.trained / train.tokens, tokens_lost=ready.lost.tokens, lost=ready.lost, train=train,
        validation=measure_lengths(ready.validation), device=device.name, path=trained.path, threads=device.threads,
        chosen=settled.chosen, processes=begun.plan.processes, promise=settled.promise, kept=kept, trimmed=begun.trimmed)


def _tell(making: Making, summary: Summary) -> None:
    making.counts |= {"steps": summary.steps, "tokens": summary.tokens, "tokens_lost": summary.tokens_lost}
    making.facts |= {"weights_sha256": summary.weights_sha256, "base_sha256": summary.base_sha256,
                     "tokenizer_sha256": summary.tokenizer_sha256, "chat_format_hash": summary.chat_format_hash, "threads": summary.threads,
                     "device": summary.device, "path": summary.path, "best_step": summary.best_step,
                     "tokens_per_second": summary.tokens_per_second}
    if summary.trimmed:
        making.facts |= {"vocabulary_before": summary.trimmed.vocabulary_before, "vocabulary": summary.trimmed.vocabulary}
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
    if summary.kept:
        figures = summary.kept.model_dump(exclude={"is_kept"})
        making.facts |= figures
        tell = making.events.note if summary.kept.is_kept else making.events.warning
        tell("training", "training.kept" if summary.kept.is_kept else "training.not_kept", **figures)
