"""Speed of scoring on a processor: the demo's held-out rows by Tutelage and by lm-evaluation-harness's own backend, in turn.

`make bench NAME=scoring` (about 15 minutes on two cores). It makes the demo's dataset, and an environment of its own for the harness
(`.venv-rivals-scoring`). Both programs get the same token ids, the same weights in fp32, two threads, and a process of their own each
time; the harness runs with one row and with eight rows at once, and the faster of the two counts. The bars: at least 1.5 times as fast
(the median of the rounds), values equal to 1e-3 nats a token, and base and tuned model within three minutes. A tuned model that is
merged has the shape of its base and takes as long, so the base is scored twice; `--model FOLDER` scores a merged one instead.
`--rounds N` and `--rows N` try a part; what they print is not kept.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from common import at_least, at_most, finish

from training import rival_folder
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.runs import newest_artifact
from tutelage.scores.asked import prepare
from tutelage.scores.measure import choose_rows

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "demo.yaml"
RIVALS = ROOT / ".venv-rivals-scoring"
ROUNDS, THREADS, HARNESS_ROWS = 3, 2, (1, 8)
BARS = [at_least("times_lm_eval", 1.5), at_most("largest_difference_nats_a_token", 1e-3), at_most("seconds_base_and_tuned", 180)]


def ready_rivals() -> None:
    """Make the harness's environment once, with the versions of torch and transformers that are installed here."""
    if (RIVALS / ".ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    install = [str(RIVALS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*install, f"torch=={torch.__version__.split('+')[0]}", *os.environ.get("PIP_TORCH", "").split()], check=True)
    subprocess.run([*install, "lm-eval[hf]==0.4.13", f"transformers=={transformers.__version__}"], check=True)
    (RIVALS / ".gitignore").write_text("*\n")
    (RIVALS / ".ready").touch()


def held_out_rows(work: Path) -> list[Example]:
    """The rows that the demo scores, drawn as its stage draws them."""
    command = [sys.executable, "-m", "tutelage", "make", str(RECIPE), "--work", str(work), "--until", "dataset"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    dataset = newest_artifact(work, "demo", "dataset")
    assert dataset is not None
    settings = load_recipe(RECIPE).recipe.scores
    rows = [row for row in read_rows(dataset.file("examples.jsonl"), Example) if row.part == "held_out"]
    return choose_rows(rows, settings.held_out, settings.seed)


def run(name: str, job: dict[str, Any], place: Path) -> dict[str, Any]:
    """What a program gives, in a process of its own."""
    python = Path(sys.executable) if name == "ours" else RIVALS / "bin" / "python"
    (place / "job.json").write_text(json.dumps(job), "utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
                   "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
    script = Path(__file__).with_name("scoring_runs.py")
    subprocess.run([str(python), str(script), name, str(place / "job.json"), str(place / "result.json")], check=True, env=environment,
                   stdout=sys.stderr)
    found: dict[str, Any] = json.loads((place / "result.json").read_text("utf-8"))
    assert found["threads"] == THREADS
    return found


def main() -> None:
    """All programs in turn, round by round."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=ROUNDS)
    asked.add_argument("--rows", type=int, default=0)
    asked.add_argument("--model", type=Path)
    given = asked.parse_args()
    ready_rivals()
    base = find_base(load_recipe(RECIPE).recipe.training.base)
    folder = as_folder(base, ROOT / "work" / "base")
    seconds: dict[str, list[float]] = {}
    values: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        rows = held_out_rows(place / "work")[:given.rows or None]
        engine = TorchEngine(folder, name="base")
        prepared = [prepare(row, base.chat_format, engine) for row in rows]
        engine.close()
        lines = [json.dumps({"ids": one.ids, "start": one.start, "row": one.row.model_dump(mode="json")}) for one in prepared]
        (place / "rows.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        job = {"model": str(rival_folder(folder, place / "model")), "rows": str(place / "rows.jsonl"), "threads": THREADS,
               "chat_format": base.chat_format.model_dump(mode="json")}
        tuned = job | {"model": str(given.model or job["model"])}
        contests = [("base", "ours", job), ("tuned", "ours", tuned),
                    *((f"lm_eval_{count}", "lm_eval", job | {"rows_at_once": count}) for count in HARNESS_ROWS)]
        for number in range(given.rounds):
            for who, name, its_job in contests:
                found = run(name, its_job, place)
                seconds.setdefault(who, []).append(found["seconds"])
                values[who] = found["logprobs"]
                print(f"round {number + 1} {who}: {found['seconds']:.1f} s", file=sys.stderr, flush=True)
    replies = [len(one.ids) - one.start for one in prepared]
    harness = [f"lm_eval_{count}" for count in HARNESS_ROWS]
    ratios = [min(seconds[who][number] for who in harness) / seconds["base"][number] for number in range(given.rounds)]
    shared = next(place for place, tokens in enumerate(zip(*(one.ids for one in prepared), strict=False)) if len(set(tokens)) > 1)
    figures: dict[str, Any] = {
        "rows": len(rows), "rounds": given.rounds, "threads": THREADS, "tokens": sum(len(one.ids) for one in prepared),
        "reply_tokens": sum(replies), "tokens_in_common_at_the_start": shared, "tuned_is": "merged" if given.model else "base again",
        "seconds": {who: round(statistics.median(found), 2) for who, found in seconds.items()},
        "times_lm_eval": round(statistics.median(ratios), 2),
        "largest_difference_nats_a_token": max(abs(mine - theirs) / count for who in harness for mine, theirs, count in
                                               zip(values["base"], values[who], replies, strict=True)),
        "seconds_base_and_tuned": round(statistics.median(seconds["base"]) + statistics.median(seconds["tuned"]), 1)}
    if given.rounds != ROUNDS or given.rows:
        print(json.dumps(figures, indent=1))
        return
    finish("scoring", figures, BARS)


if __name__ == "__main__":
    main()
