"""The same small model in each engine and form: tokens a second for one answer and for eight at once, memory, bits per byte.

`make bench NAME=engines` (about a quarter of an hour on two idle cores, reckoned from parts of it). Gemma 3 270M as packaged, not
tuned; 128 tokens of prompt and 128 new ones, end to end. Each contestant runs in a process of its own, one after the other in each of
ROUNDS rounds, all with the same number of threads (as many as cores: nothing else may run meanwhile); the medians count. Bits per byte
are those of ROWS held-out answers of the demo's dataset, measured once. The packaged weights come from a file of 4 bits, and such weights
round again with less loss than tuned ones do; what a tuned model loses is for the model stage to say. A contestant whose package or
engine is absent, or that fails, is named in `absent` with the reason; one whose bits per byte rise by more than 1 % in `refused`. The
bars are those of the smallest copy of llama.cpp with a trimmed vocabulary. `--rounds N`, `--tokens N`, `--rows N`, `--base NAME` and
`--only CONTESTANT` try a part, and what they print is not kept; `--work FOLDER` keeps dataset and copies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from common import at_least, at_most, finish
from trim import RECIPE, dataset_rows

from tutelage.core.chat import render
from tutelage.core.files import size_of, write_rows
from tutelage.core.records import Example
from tutelage.engine.bases import Base, find_base
from tutelage.engine.torch_base import as_folder
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.export_gguf import NO_IMPORTANCE, export_gguf
from tutelage.model.importance import measure_importance
from tutelage.model.mixture import WEIGHED, Quantisation
from tutelage.model.settings import ModelSettings
from tutelage.model.trim import trim

BASE = "gemma3-270m"
ROUNDS, TOKENS, STREAMS, ROWS, IMPORTANCE_ROWS = 3, 128, 8, 16, 16
PROMPT_LETTERS = 4_000  # of a prompt's text before it is cut to tokens
LIMIT_SECONDS = 600
ONNX_KINDS = ("fp32", "int8", "int8_blocks", "int4")
ALLOWED_RISE = 0.01
NATIVE, BEST = "torch_fp32", "gguf_q4_k_m_trimmed"
BARS = [at_least("times_native_single", 8), at_least("times_native_together", 6), at_most("share_of_native_memory", 0.3333),
        at_most("rise_of_bits_per_byte", ALLOWED_RISE)]


@dataclass(frozen=True)
class Contestant:
    """A form of the model in an engine. `make` writes it once and gives its path."""

    name: str
    engine: str
    make: Callable[[], Path]


class Workshop:
    """The forms of the model, each made when it is first asked for."""

    def __init__(self, base: Base, work: Path, rows: Sequence[Example]) -> None:
        self.base, self.work = base, work
        self.whole = as_folder(base, work / "base")
        self._train = [row for row in rows if row.part == "train" and row.origin != "canary"]

    def gguf(self, quantisation: Quantisation, *, trimmed: bool = False) -> Path:
        """A copy for llama.cpp."""
        path = self.work / f"engines-{quantisation}{'-trimmed' if trimmed else ''}.gguf"
        if not path.exists():
            folder = self._trimmed() if trimmed else self.whole
            importance = NO_IMPORTANCE
            if quantisation in WEIGHED:
                importance = measure_importance(folder, self._ids(folder)[:IMPORTANCE_ROWS])
            export_gguf(folder, path, quantisation=quantisation, name=self.base.name, chat_format=self.base.chat_format,
                        importance=importance)
        return path

    def onnx(self, kind: Any) -> Path:
        """A copy for ONNX Runtime."""
        from tutelage.model.export_onnx import export_onnx

        folder = self.work / f"engines-onnx-{kind}"
        if not folder.exists():
            export_onnx(self.whole, folder, kind=kind, chat_format=self.base.chat_format)
        return folder

    def _trimmed(self) -> Path:
        folder = self.work / "engines-trimmed"
        if not folder.exists():
            trim(self.whole, folder, {token for row in self._ids(self.whole) for token in row}, self.base.chat_format,
                 least=ModelSettings().trim_tokens)
        return folder

    def _ids(self, folder: Path) -> list[tuple[int, ...]]:
        vocabulary = Vocabulary(folder)
        return [render(row.messages, self.base.chat_format, vocabulary, reply=False).ids for row in self._train]


def contestants(shop: Workshop) -> list[Contestant]:
    """All of them, the native one first."""
    found = [Contestant("torch_fp32", "torch_fp32", lambda: shop.whole), Contestant("torch_int8", "torch_int8", lambda: shop.whole)]
    found += [Contestant(f"onnx_{kind}", "onnx", partial(shop.onnx, kind)) for kind in ONNX_KINDS]
    found += [Contestant("gguf_q8_0", "gguf", lambda: shop.gguf("q8_0")), Contestant("gguf_q4_k_m", "gguf", lambda: shop.gguf("q4_k_m")),
              Contestant(BEST, "gguf", lambda: shop.gguf("q4_k_m", trimmed=True))]
    return found


def run(one: Contestant, model: Path, job: dict[str, object], work: Path) -> dict[str, float]:
    """One contestant in a process of its own. Raises RuntimeError with its last line if it fails."""
    asked, told = work / "job.json", work / "result.json"
    asked.write_text(json.dumps(job | {"engine": one.engine, "model": str(model)}), "utf-8")
    words = [sys.executable, str(Path(__file__).with_name("engines_runs.py")), str(asked), str(told)]
    threads = {name: str(job["threads"]) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    ended = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT_SECONDS,
                           env=os.environ | threads)
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["it said nothing"])[-1][:200])
    found: dict[str, float] = json.loads(told.read_text("utf-8"))
    return found


def race(shop: Workshop, chosen: Sequence[Contestant], job: dict[str, object], rows: Path, *,
         rounds: int) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Medians by contestant over interleaved rounds, and why others have none. Rows are scored in the first round."""
    found: dict[str, list[dict[str, float]]] = {}
    absent: dict[str, str] = {}
    models: dict[str, Path] = {}
    for one in chosen:
        try:
            models[one.name] = one.make()
        except Exception as error:  # noqa: BLE001 - told, and the others still run
            absent[one.name] = f"{type(error).__name__}: {error}"[:200]
    for number in range(rounds):
        for one in chosen:
            if one.name in absent:
                continue
            try:
                figures = run(one, models[one.name], job | {"rows": str(rows) if number == 0 else ""}, shop.work)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                absent[one.name] = str(error)[:200]
                continue
            print(number, one.name, {name: round(value, 3) for name, value in figures.items()}, file=sys.stderr)
            found.setdefault(one.name, []).append(figures)
    told = {name: _medians(runs) | {"size_mb": round(size_of(models[name]) / 1e6, 1)} for name, runs in found.items() if name not in absent}
    return told, absent


def _medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    medians = {name: round(median(run[name] for run in runs), 2) for name in ("single", "together", "memory_mb", "load_seconds")}
    return medians | {"bits_per_byte": round(runs[0]["bits_per_byte"], 4)}


def compared(told: dict[str, dict[str, float]]) -> dict[str, object]:
    """Ratios of all to native PyTorch, and the four figures of the bars."""
    native = told[NATIVE]
    figures: dict[str, object] = {name: one | {
        "times_single": round(one["single"] / native["single"], 2), "times_together": round(one["together"] / native["together"], 2),
        "share_of_memory": round(one["memory_mb"] / native["memory_mb"], 3),
        "rise": round(one["bits_per_byte"] / native["bits_per_byte"] - 1, 5)} for name, one in told.items()}
    refused = [name for name, one in told.items() if one["bits_per_byte"] > (1 + ALLOWED_RISE) * native["bits_per_byte"]]
    if BEST not in told:
        return {"contestants": figures, "refused": refused}
    best = told[BEST]
    return {"contestants": figures, "refused": refused, "times_native_single": round(best["single"] / native["single"], 2),
            "times_native_together": round(best["together"] / native["together"], 2),
            "share_of_native_memory": round(best["memory_mb"] / native["memory_mb"], 4),
            "rise_of_bits_per_byte": round(best["bits_per_byte"] / native["bits_per_byte"] - 1, 5)}


def main() -> None:
    """Measure, and keep the figures of a whole run."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--work", type=Path)
    asked.add_argument("--rounds", type=int, default=ROUNDS)
    asked.add_argument("--tokens", type=int, default=TOKENS)
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--base", default=BASE)
    asked.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--only", action="append")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = given.work or Path(place)
        rows = dataset_rows(RECIPE, "demo", work)
        held_out = [row for row in rows if row.part == "held_out"]
        write_rows(scored := work / "scored.jsonl", held_out[:given.rows])
        shop = Workshop(find_base(given.base), work, rows)
        text = "\n".join(row.text for row in held_out)
        prompts = [text[start:start + PROMPT_LETTERS] for start in range(0, STREAMS * PROMPT_LETTERS, PROMPT_LETTERS)]
        job: dict[str, object] = {"threads": given.threads, "prompts": prompts, "prompt_tokens": TOKENS, "new_tokens": given.tokens,
                                  "streams": STREAMS, "chat_format": shop.base.chat_format.model_dump()}
        chosen = [one for one in contestants(shop) if given.only is None or one.name in given.only]
        told, absent = race(shop, chosen, job, scored, rounds=given.rounds)
    figures = (compared(told) if NATIVE in told else {"contestants": told}) | {
        "base": given.base, "threads": given.threads, "rounds": given.rounds, "prompt_tokens": TOKENS, "new_tokens": given.tokens,
        "rows": given.rows, "absent": absent}
    whole = (given.rounds, given.tokens, given.rows, given.base, given.only) == (ROUNDS, TOKENS, ROWS, BASE, None)
    if not whole:
        print(json.dumps(figures, indent=1))
        return
    finish("engines", figures, BARS)


if __name__ == "__main__":
    main()
