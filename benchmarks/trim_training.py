"""Gemma 3 270M tuned on a trimmed vocabulary, against the same tuning with the whole one, by Tutelage and by LLaMA-Factory.

`make bench NAME=trim_training` (about 20 minutes on two idle cores; LLaMA-Factory's environment, `.venv-rivals-training`, is made once and
takes longer the first time). A dataset is made of the clauses of CUAD (`TUTELAGE_DATA`) or, without it, of the installed licence texts;
rows of at most 192 tokens. The recipe's training runs twice, with `trim: none` and with `trim: vocabulary`, and LLaMA-Factory learns the
same rows in the same order from the same first adapter (r = 16 on all linear layers), at the same constant step size, eight rows a step,
two threads. All three are then scored on the same held-out answers in bits per byte, paired; so are the whole tuned model trimmed
afterwards, and 4-bit copies. Each training is run once: its pace is over all of its steps.

`--steps N`, `--rows N` (held-out answers), `--tokens N` (training.trim_tokens), `--base NAME` (another Gemma) and `--without-rival` try a
part, and what they print is not kept; `--work FOLDER` keeps dataset, models and copies.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import at_least, at_most, finish
from trim import MEGABYTE, compared, dataset_rows, learned_ids, score_copy, write_copies

from training import THREADS, first_adapter, ready_rivals, rival_folder, run, write_tokens
from tutelage.core.chat import ChatFormat, render
from tutelage.core.events import Events
from tutelage.core.files import size_of, write_rows
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.held_out import Loss, measure_loss, score_answers
from tutelage.model.merge import merge
from tutelage.model.trim import trim
from tutelage.pipeline.skills import trim_base
from tutelage.training.batches import BatchOrder
from tutelage.training.make import make
from tutelage.training.rows import TrainingRow, render_row
from tutelage.training.settings import TrainingSettings

NAME, BASE = "trim_training", "gemma3-270m"
LONGEST, STEPS, ROWS_A_STEP, ROWS_AT_ONCE, RATE, SEED = 192, 25, 8, 4, 1e-3, 0
VALIDATION, HELD_OUT, SAMPLES = 16, 80, 4
TOKENS = int(TrainingSettings.model_fields["trim_tokens"].default)
KINDS = ("none", "vocabulary")  # of training.trim
BARS = [at_least("times_llamafactory_trimmed", 4), at_most("q4_k_m_trimmed_megabytes", 90), at_most("q4_k_m_trimmed_rise", 0.01),
        at_most("trimmed_rise", 0.01), at_most("trimmed_over_llamafactory_rise", 0.01)]


@dataclass(frozen=True)
class Rows:
    """Rows of the dataset of at most 192 tokens: all to train on, the first of the others by id."""

    train: list[Example]
    validation: list[Example]
    held_out: list[Example]


def real_rows(work: Path, base: Path, chat_format: ChatFormat, held_out: int) -> Rows:
    """Make the dataset and choose rows."""
    data = os.environ.get("TUTELAGE_DATA")
    sources = f'[{{path: "{data}/cuad/clauses*.jsonl", format: clauses}}]' if data else '["package:licensedcode"]'
    recipe = work / f"{NAME}.yaml"
    recipe.write_text(f"name: {NAME}\ndocuments:\n  sources: {sources}\n  languages: [en]\ndataset:\n  near_duplicate: 0.5\n"
                      f"training:\n  base: {BASE}\n", "utf-8")
    vocabulary = Vocabulary(base)
    short = [row for row in dataset_rows(recipe, NAME, work)
             if len(render(row.messages, chat_format, vocabulary, reply=False).ids) <= LONGEST]
    parts = {part: [row for row in short if row.part == part] for part in ("train", "validation", "held_out")}
    return Rows(parts["train"], parts["validation"][:VALIDATION], parts["held_out"][:held_out])


def tune(work: Path, base: Path, rows: Rows, settings: TrainingSettings) -> Artifact:
    """The recipe's training on these rows."""
    store, none = Store(work / settings.trim), {"inputs": {}, "events": Events(), "recipe": NAME, "version": 1}
    with store.making("dataset", "rows", settings=Settings(), parents={}, **none) as making:
        write_rows(making.folder / "examples.jsonl", [*rows.train, *rows.validation])
    dataset = store.latest("dataset")
    assert dataset is not None
    with store.making("training", "tuned", settings=settings, parents={"dataset": dataset}, **none) as making:
        make(making, base_folder=lambda: base, trim=trim_base)
    made = store.latest("training")
    assert made is not None
    return made


def told_of(training: Artifact) -> dict[str, Any]:
    """What the training says of itself."""
    found: dict[str, Any] = json.loads(training.file("training.json").read_text("utf-8"))
    return found


def rival(work: Path, base: Path, learned: list[TrainingRow], steps: int) -> tuple[Path, list[float], int]:
    """LLaMA-Factory on the rows that the training takes, in its order: its adapter, the seconds of each step, and all tokens."""
    place = Path(tempfile.mkdtemp(dir=work))
    order = BatchOrder(learned, batch_rows=ROWS_A_STEP, seed=SEED)
    sequence = [row for step in range(steps) for row in sorted(order.batch(step), key=lambda row: row.id)]
    write_tokens(place / "sequence.jsonl", sequence)
    job = {"model": str(rival_folder(base, place / "model")), "adapter": str(first_adapter(base, place / "adapter")), "last_layers": 0,
           "sequence": str(place / "sequence.jsonl"), "rows_a_step": ROWS_A_STEP, "rows_at_once": ROWS_AT_ONCE, "learning_rate": RATE,
           "threads": THREADS, "out": str(place)}
    seconds = run("llamafactory", job, place)["seconds"]
    assert len(seconds) == steps
    return place / "run", seconds, sum(len(row.ids) for row in sequence)


def score_adapter(base: Path, adapter: Path, rows: list[Example], chat_format: ChatFormat) -> Loss:
    """The loss of a base with an adapter on the answers of `rows`."""
    engine = TorchEngine(base, name="adapted", adapter=adapter, threads=THREADS)
    try:
        return score_answers(engine, rows, chat_format)
    finally:
        engine.close()


def measure(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Tune, score and copy."""
    found = find_base(given.base)
    base, chat_format = as_folder(found, work / "base"), found.chat_format
    rows = real_rows(work, base, chat_format, given.rows)
    vocabulary = Vocabulary(base)
    asked = TrainingSettings(base=given.base, maximum_steps=given.steps, validate_every=given.steps, checkpoint_every=given.steps,
                             warmup_steps=0, schedule="constant", learning_rate=RATE, batch_rows=ROWS_A_STEP, maximum_tokens=LONGEST,
                             threads=THREADS, seed=SEED)
    figures: dict[str, Any] = {"steps": given.steps, "rows_to_train": len(rows.train), "held_out_rows": len(rows.held_out)}
    paces: dict[str, float] = {}
    merged: dict[str, Path] = {}
    losses: dict[str, Loss] = {}
    for kind in KINDS:
        asked_tokens = {"trim": kind} | ({"trim_tokens": given.tokens} if kind != "none" else {})
        training = tune(work, base, rows, asked.model_copy(update=asked_tokens))
        told, own = told_of(training), training.folder / "trimmed"
        paces[kind] = told["tokens_per_second"]
        figures |= {f"tokens_{kind}": told["tokens"]} | ({"trimmed": told["trimmed"]} if told["trimmed"] else {})
        trained_on, merged[kind] = own if own.is_dir() else base, work / f"merged-{kind}"
        samples = learned_ids(rows.train, chat_format, Vocabulary(trained_on))[:SAMPLES]
        merge(trained_on, training.folder / "adapter", merged[kind], samples)
        losses[kind] = measure_loss(merged[kind], rows.held_out, chat_format)
        tell(f"trim: {kind}", paces[kind], losses[kind])
    whole = losses["none"]
    figures |= {"bits_per_byte": round(whole.bits_per_byte, 4), "times_whole": round(paces["vocabulary"] / paces["none"], 2)}
    figures |= compared("trimmed", whole, losses["vocabulary"])
    after, counted = work / "trimmed-after", {token for row in learned_ids(rows.train, chat_format, vocabulary) for token in row}
    trim(merged["none"], after, counted, chat_format, least=given.tokens)
    figures |= compared("trimmed_after", whole, measure_loss(after, rows.held_out, chat_format))
    for name, kind in (("whole", "none"), ("trimmed", "vocabulary")):
        learned = learned_ids(rows.train, chat_format, Vocabulary(merged[kind]))
        path = write_copies(merged[kind], work / name, learned, ("q4_k_m",), chat_format)["q4_k_m"]
        figures[f"q4_k_m_{name}_megabytes"] = round(size_of(path) / MEGABYTE, 1)
        figures |= compared(f"q4_k_m_{name}", whole, score_copy(path, rows.held_out, chat_format))
    if not given.without_rival:
        learned_rows = [render_row(row, chat_format, vocabulary) for row in rows.train]
        adapter, seconds, tokens = rival(work, base, learned_rows, given.steps)
        paces["llamafactory"] = round(tokens / sum(seconds), 1)
        theirs = score_adapter(base, adapter, rows.held_out, chat_format)
        tell("llamafactory", paces["llamafactory"], theirs)
        figures |= {"tokens_llamafactory": tokens} | compared("llamafactory", whole, theirs)
        figures |= compared("trimmed_over_llamafactory", theirs, losses["vocabulary"])
        figures |= {f"times_llamafactory_{name}": round(paces[kind] / paces["llamafactory"], 2)
                    for name, kind in (("whole", "none"), ("trimmed", "vocabulary"))}
    return figures | {"tokens_per_second": paces}


def tell(what: str, pace: float, loss: Loss) -> None:
    """A line of progress."""
    print(f"{what}: {pace} tokens a second, {loss.bits_per_byte:.4f} bits per byte", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and keep the figures of a whole run."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--work", type=Path)
    asked.add_argument("--steps", type=int, default=STEPS)
    asked.add_argument("--rows", type=int, default=HELD_OUT)
    asked.add_argument("--tokens", type=int, default=TOKENS)
    asked.add_argument("--base", default=BASE)
    asked.add_argument("--without-rival", action="store_true")
    given = asked.parse_args()
    if not given.without_rival:
        ready_rivals()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        work = given.work or Path(place)
        figures = measure(given, work) | {"minutes": round((time.monotonic() - started) / 60, 1)}
    if given.without_rival or (given.steps, given.rows, given.tokens, given.base) != (STEPS, HELD_OUT, TOKENS, BASE):
        print(json.dumps(figures, indent=1))
        return
    finish("trim_training", figures, BARS)


if __name__ == "__main__":
    main()
