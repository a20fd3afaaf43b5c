"""Makes an adapter from a dataset and a base model, with the proof that the tune took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tutelage.core.chat import ChatFormat
from tutelage.core.files import file_sha256, read_rows, write_rows, write_whole
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import WEIGHTS, save_adapter
from tutelage.training.bodies import choose_body
from tutelage.training.checkpoint import State
from tutelage.training.devices import Device, choose_device
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.preflight import Lengths, Ready, measure_lengths, prepare
from tutelage.training.preview import preview
from tutelage.training.proof import Proof, prove
from tutelage.training.schedule import RATE_SOURCE, SANE_RATES, is_sane
from tutelage.training.settings import TrainingSettings


class Summary(Record):
    """`training.json`: what came out, what it came from, and what it took.

    Losses are nats a learned token on the validation rows. `path` is "packed" or "padded"; both compute the same.
    """

    base: str
    base_sha256: str
    chat_format_hash: str
    tokenizer_sha256: str
    dataset: str
    method: str
    weights_sha256: str
    steps: int
    best_step: int
    stopped_early: bool
    base_loss: float
    best_loss: float
    base_bits_per_byte: float
    best_bits_per_byte: float
    proof: Proof
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
    """Write adapter/, curve.jsonl, training.json and batch.jsonl. `base_folder` gives the model folder of the base.

    Raises InputError for rows or a base that cannot be trained, Paused after SIGTERM or SIGINT, TutelageError if the
    loss is no number or the tune did not take.
    """
    assert isinstance(making.settings, TrainingSettings)
    settings = making.settings
    if not is_sane(settings.method, settings.learning_rate):
        low, high = SANE_RATES[settings.method]
        making.events.warning("training", "training.rate_outside", rate=settings.learning_rate, low=low, high=high, source=RATE_SOURCE)
    folder = base_folder()
    vocabulary, chat_format = Vocabulary(folder), folder_chat_format(folder)
    examples = read_rows(making.parents["dataset"].file("examples.jsonl"), Example)
    ready = prepare(making, settings, examples, chat_format, vocabulary)
    _report_lengths(making, settings, ready)
    write_rows(making.folder / "batch.jsonl", preview(ready.train, vocabulary))
    device = choose_device(settings.threads)
    state, path = _train(making, settings, ready, folder, device)
    proof = prove(folder, making.folder / "adapter", ready.train, tokens=settings.micro_batch_tokens)
    write_rows(making.folder / "curve.jsonl", state.curve)
    summary = _summarise(making, settings, ready, state, proof=proof, folder=folder, chat_format=chat_format, device=device, path=path)
    write_whole(making.folder / "training.json", summary.model_dump_json(indent=1))
    _tell(making, summary)


def _report_lengths(making: Making, settings: TrainingSettings, ready: Ready) -> None:
    lengths = measure_lengths(ready.train)
    making.events.note("training", "training.lengths", rows=lengths.rows, median=lengths.median, longest=lengths.longest,
                       tokens=lengths.tokens, share=round(100 * lengths.trained / lengths.tokens, 1))
    if ready.lost_rows:
        making.events.warning("training", "training.too_long", rows=ready.lost_rows, tokens=ready.lost_tokens,
                              limit=settings.maximum_tokens)


def _train(making: Making, settings: TrainingSettings, ready: Ready, folder: Path, device: Device) -> tuple[State, str]:
    """Train and write the adapter; the model is freed on return."""
    torch.manual_seed(settings.seed)
    base = load_causal(folder)
    torch.nn.Module.to(base, torch.device(device.name), device.dtype)
    model = METHODS[settings.method](base, settings)
    body = choose_body(model)
    loop = Loop(model=model, body=body, train=ready.train, validation=ready.validation, settings=settings, scratch=making.scratch,
                events=making.events)
    state = loop.run()
    save_adapter(model, making.folder / "adapter", base=settings.base)
    return state, body.name


def _summarise(making: Making, settings: TrainingSettings, ready: Ready, state: State, *, proof: Proof, folder: Path,
               chat_format: ChatFormat, device: Device, path: str) -> Summary:
    measured = {row.step: row for row in state.curve if row.validation_loss is not None}
    first, best, train = measured[0], measured[state.best_step], measure_lengths(ready.train)
    return Summary(
        base=settings.base, base_sha256=folder_sha256(folder), chat_format_hash=chat_format.hash,
        tokenizer_sha256=file_sha256(folder / "tokenizer.json"), dataset=making.parents["dataset"].id, method=settings.method,
        weights_sha256=file_sha256(making.folder / "adapter" / WEIGHTS), steps=state.step, best_step=state.best_step,
        stopped_early=state.step < settings.maximum_steps, base_loss=first.validation_loss, best_loss=best.validation_loss,
        base_bits_per_byte=first.bits_per_byte, best_bits_per_byte=best.bits_per_byte, proof=proof, tokens=state.tokens,
        tokens_per_second=round(state.tokens / state.step_seconds, 1), seconds=round(state.seconds, 1),
        supervised_share=train.trained / train.tokens, rows_lost=ready.lost_rows, tokens_lost=ready.lost_tokens, train=train,
        validation=measure_lengths(ready.validation), device=device.name, path=path, threads=device.threads)


def _tell(making: Making, summary: Summary) -> None:
    making.counts |= {"steps": summary.steps, "tokens": summary.tokens, "tokens_lost": summary.tokens_lost}
    making.facts |= {"weights_sha256": summary.weights_sha256, "base_sha256": summary.base_sha256, "threads": summary.threads,
                     "device": summary.device, "path": summary.path, "best_step": summary.best_step,
                     "tokens_per_second": summary.tokens_per_second}
    making.events.note("training", "training.took", before=round(summary.base_bits_per_byte, 4), rows=summary.proof.rows,
                       after=round(summary.best_bits_per_byte, 4), step=summary.best_step, base=round(summary.proof.base_loss, 3),
                       tuned=round(summary.proof.tuned_loss, 3))
