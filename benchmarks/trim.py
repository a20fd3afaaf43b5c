"""What a trimmed vocabulary saves and costs on the packaged models: sizes of copies, bits per byte and tokens on held-out licence texts.

`make bench NAME=trim` (about 15 minutes on two cores). It makes the demo's dataset, trims both packaged models to its training rows, and
scores the first 80 held-out answers by id: with the whole model and the trimmed one in fp32, and with the smallest copy of the trimmed
one in llama.cpp. Nothing is trained. The packaged weights come from files of 4 bits, and such weights round again with less loss than
tuned ones do; what 4 bits cost a tuned model is for the model stage to say. The bars are those of the Gemma: its smallest copy within
90 MB, bits per byte of trimmed model and smallest copy within 1 % of the whole model in fp32. `--work FOLDER` keeps dataset and model
folders; `--rows N`, `--tokens N` (model.trim_tokens) and `--model NAME` try a part, and what they print is not kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import at_most, finish

from tutelage.core.chat import ChatFormat, render
from tutelage.core.files import read_rows, size_of
from tutelage.core.records import Example
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_base import as_folder
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import NO_IMPORTANCE, export_gguf
from tutelage.model.held_out import Loss, highest_rise, measure_loss, score_answers
from tutelage.model.importance import measure_importance
from tutelage.model.mixture import WEIGHED, Quantisation
from tutelage.model.settings import ModelSettings
from tutelage.model.trim import share_by_token, trim
from tutelage.pipeline.runs import newest_artifact

RECIPE = Path(__file__).parents[1] / "recipes" / "demo.yaml"
MODELS = {"smollm2": "smollm2-135m-instruct", "gemma": "gemma3-270m"}
COPIES: tuple[Quantisation, ...] = ("q4_k_m", "q8_0")
ROWS, IMPORTANCE_ROWS, MEGABYTE = 80, 16, 1_000_000
TOKENS = ModelSettings().trim_tokens
BARS = [at_most("gemma_q4_k_m_megabytes", 90), at_most("gemma_trimmed_rise", 0.01), at_most("gemma_q4_k_m_rise", 0.01)]


def dataset_rows(recipe: Path, name: str, work: Path) -> list[Example]:
    """All rows of the dataset of a recipe of this name, by id."""
    command = [sys.executable, "-m", "tutelage", "make", str(recipe), "--work", str(work), "--until", "dataset"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    dataset = newest_artifact(work, name, "dataset")
    assert dataset is not None
    return sorted(read_rows(dataset.file("examples.jsonl"), Example), key=lambda row: row.id)


def score_copy(path: Path, rows: list[Example], chat_format: ChatFormat) -> Loss:
    """The loss of a GGUF file on the answers of `rows`."""
    engine = GgufEngine(path, name="copy", context_length=4096)
    try:
        return score_answers(engine, rows, chat_format)
    finally:
        engine.close()


def measure(name: str, rows: list[Example], given: argparse.Namespace, work: Path) -> dict[str, float]:
    """Figures of one packaged model."""
    base = find_base(name)
    whole, trimmed, chat_format = as_folder(base, work / "base"), work / f"trimmed-{name}", base.chat_format
    vocabulary = Vocabulary(whole)
    learned = learned_ids(rows, chat_format, vocabulary)
    held_out = [row for row in rows if row.part == "held_out"]
    began = time.perf_counter()
    trim(whole, trimmed, {token for row in learned for token in row}, chat_format, least=given.tokens)
    figures: dict[str, float] = {"seconds": round(time.perf_counter() - began, 1), "share_by_token": round(share_by_token(whole), 4)}
    smaller = Vocabulary(trimmed)
    old, new = (sum(len(render(row.messages, chat_format, one, reply=False).ids) for row in held_out) for one in (vocabulary, smaller))
    figures |= {"vocabulary": vocabulary.size, "trimmed_vocabulary": smaller.size, "training_rows": len(learned),
                "held_out_rows": len(held_out), "more_tokens": round(new / old - 1, 4)}
    scored = held_out[:given.rows]
    before, after = measure_loss(whole, scored, chat_format), measure_loss(trimmed, scored, chat_format)
    figures |= {"scored_rows": len(scored), "bits_per_byte": round(before.bits_per_byte, 4)} | compared("trimmed", before, after)
    paths = write_copies(trimmed, work / name, learned_ids(rows, chat_format, smaller), COPIES, chat_format)
    figures |= {f"{kind}_megabytes": round(size_of(path) / MEGABYTE, 1) for kind, path in paths.items()}
    return figures | compared(COPIES[0], before, score_copy(paths[COPIES[0]], scored, chat_format))


def write_copies(folder: Path, name: Path, learned: Sequence[Sequence[int]], kinds: Sequence[Quantisation],
                 chat_format: ChatFormat) -> dict[Quantisation, Path]:
    """Copies of a model folder for llama.cpp as the model stage writes them, beside `name`; the first `learned` rows tell what matters."""
    importance = measure_importance(folder, learned[:IMPORTANCE_ROWS])
    paths = {kind: name.with_name(f"{name.name}-{kind}.gguf") for kind in kinds}
    for kind, path in paths.items():
        export_gguf(folder, path, quantisation=kind, name=name.name, chat_format=chat_format,
                    importance=importance if kind in WEIGHED else NO_IMPORTANCE)
    return paths


def learned_ids(rows: list[Example], chat_format: ChatFormat, vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    """The training rows as token ids, no planted test text among them."""
    return [render(row.messages, chat_format, vocabulary, reply=False).ids for row in rows
            if row.part == "train" and row.origin != "canary"]


def compared(what: str, before: Loss, after: Loss) -> dict[str, float]:
    """Bits per byte after, and by which share they rose: the mean, and the upper end of the one-sided 95 % interval of the paired rows."""
    rise = after.bits_per_byte / before.bits_per_byte - 1
    return {f"{what}_bits_per_byte": round(after.bits_per_byte, 4), f"{what}_rise": round(rise, 5),
            f"{what}_highest_rise": round(highest_rise(before, after), 5)}


def main() -> None:
    """Measure, and keep the figures of a whole run."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--work", type=Path)
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--tokens", type=int, default=TOKENS)
    asked.add_argument("--model", choices=MODELS)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = given.work or Path(place)
        rows = dataset_rows(RECIPE, "demo", work)
        found = {mark: measure(name, rows, given, work) for mark, name in MODELS.items() if given.model in (None, mark)}
    figures = {f"{mark}_{figure}": value for mark, all_figures in found.items() for figure, value in all_figures.items()}
    if given.model or (given.rows, given.tokens) != (ROWS, TOKENS):
        print(json.dumps(figures))
        return
    finish("trim", figures, BARS)


if __name__ == "__main__":
    main()
