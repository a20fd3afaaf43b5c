"""Speed and memory of training on a processor: Tutelage against LLaMA-Factory and transformers' Trainer, in turn, on the same rows.

`make bench NAME=training` (about 40 minutes on two cores). Each contestant runs in a process of its own, with the same token ids,
the same sixteen rows a step, one adapter to begin with (r = 16 on all linear layers), two threads. The losses of all steps are
compared. Rows are clauses of CUAD (`TUTELAGE_DATA`) or, without it, of the installed licence texts, with masked prompts and of mixed
length. LLaMA-Factory runs in a virtual environment of its own (`.venv-rivals-training`, made here). `--only NAME`, `--without NAME`,
`--rounds N` and `--rows N` try a part; what they print is not kept.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import at_least, at_most, finish
from transformers import AutoConfig

from tutelage.core.chat import render
from tutelage.core.records import Message
from tutelage.engine.bases import find_base, folder_chat_format
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.batches import BatchOrder
from tutelage.training.methods import METHODS
from tutelage.training.rows import TrainingRow
from tutelage.training.settings import TrainingSettings

ROOT = Path(__file__).parents[1]
RIVALS = ROOT / ".venv-rivals-training"
PACKAGES = ["accelerate==1.11.0", "datasets==4.0.0", "peft==0.18.1", "trl==0.24.0", "transformers==5.6.0", "torchdata==0.11.0",
            "tyro==0.8.14", "einops", "fire", "hf-transfer", "modelscope", "omegaconf", "pandas", "protobuf", "pyyaml", "safetensors",
            "scipy", "sentencepiece", "sse-starlette", "tiktoken", "av<=16.0.0", "matplotlib", "fastapi", "uvicorn", "pydantic"]
ROWS, ROWS_A_STEP, ROWS_AT_ONCE, ROUNDS, THREADS, RATE, SEED = 32, 16, 4, 3, 2, 2e-4, 0
OPENINGS = ("Draft a clause from these notes: ", "Rewrite this as a clause: ", "Write contract language for: ", "Propose the wording: ")
BARS = [at_least("times_llamafactory_gemma", 3.0), at_least("times_trainer_gemma", 2.6), at_least("times_trainer_gemma_last_4", 3.5),
        at_least("times_trainer_smollm2", 2.0), at_most("memory_share_of_trainer_gemma", 0.6),
        at_most("memory_share_of_trainer_gemma_last_4", 0.6), at_most("memory_share_of_trainer_smollm2", 0.6),
        at_most("largest_loss_difference", 1e-3), at_most("loss_off_fp64", 1e-4)]


@dataclass(frozen=True)
class Contest:
    """One thing to train, and who trains it."""

    name: str
    base: str
    last_layers: int
    epochs: int
    contestants: tuple[str, ...]


CONTESTS = (Contest("gemma", "gemma3-270m", 0, 1, ("packed", "llamafactory", "trainer", "padded")),
            Contest("gemma_last_4", "gemma3-270m", 4, 3, ("packed", "trainer")),
            Contest("smollm2", "smollm2-135m-instruct", 0, 1, ("packed", "trainer", "padded")))


def texts() -> list[str]:
    """Clauses of at least 120 words."""
    data = os.environ.get("TUTELAGE_DATA")
    found: list[str]
    if data:
        lines = [line for path in sorted(Path(data).glob("cuad/clauses.part*.jsonl")) for line in path.read_text("utf-8").splitlines()]
        found = [json.loads(line)["clause"] for line in lines]
    else:
        package = Path(str(importlib.metadata.distribution("licensedcode-data").locate_file("licensedcode/data/licenses")))
        files = sorted(package.glob("*.LICENSE"))
        found = [part for path in files for part in path.read_text("utf-8").partition("\n---")[2].split("\n\n")]
    return [text for part in found if len((text := " ".join(part.split())).split()) >= 120]


def make_rows(folder: Path, count: int) -> list[TrainingRow]:
    """Rows of mixed length: notes of 40 to 130 words from one text are read, 15 to 105 words of another are learned."""
    draw, vocabulary, chat_format, known = random.Random(SEED), Vocabulary(folder), folder_chat_format(folder), texts()
    rows = []
    for number in range(count):
        notes, reply = (" ".join(draw.choice(known).split()[:most]) for most in (draw.randint(40, 130), draw.randint(15, 105)))
        rendered = render([Message(role="user", content=draw.choice(OPENINGS) + notes), Message(role="assistant", content=reply)],
                          chat_format, vocabulary, reply=False)
        rows.append(TrainingRow(id=f"{number:03}", ids=rendered.ids, supervised=rendered.supervised, reply_bytes=len(reply.encode())))
    return rows


def rival_folder(folder: Path, place: Path) -> Path:
    """The model folder as other programs want it: with a tokenizer_config.json."""
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).symlink_to(file)
    config, tokens = AutoConfig.from_pretrained(folder), json.loads((folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    content = {token["id"]: token["content"] for token in tokens}
    end = content[config.eos_token_id]
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end, "pad_token": content.get(config.pad_token_id, end)}
    (place / "tokenizer_config.json").unlink(missing_ok=True)
    (place / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return place


def write_job(contest: Contest, folder: Path, place: Path, count: int) -> tuple[dict[str, Any], dict[str, float]]:
    """The job for all contestants, and what its rows are like. Rivals get the rows of each step in the order of the dataset."""
    place.mkdir()
    rows = make_rows(folder, count)
    order = BatchOrder(rows, batch_rows=ROWS_A_STEP, seed=SEED)
    steps = contest.epochs * order.steps_per_epoch
    sequence = [row for step in range(steps) for row in sorted(order.batch(step), key=lambda row: row.id)]
    for name, chosen in (("rows", rows), ("sequence", sequence)):
        write_tokens(place / f"{name}.jsonl", chosen)
    adapter = "" if contest.last_layers else str(first_adapter(folder, place / "adapter"))
    job = {"model": str(rival_folder(folder, place / "model")), "adapter": adapter, "last_layers": contest.last_layers, "steps": steps,
           "rows": str(place / "rows.jsonl"), "sequence": str(place / "sequence.jsonl"), "rows_a_step": ROWS_A_STEP, "seed": SEED,
           "rows_at_once": ROWS_AT_ONCE, "learning_rate": RATE, "threads": THREADS}
    tokens = sum(len(row.ids) for row in sequence)
    return job, {"tokens": tokens, "share_learned": round(sum(row.trained for row in sequence) / tokens, 3),
                 "shortest": min(len(row.ids) for row in rows), "longest": max(len(row.ids) for row in rows)}


def write_tokens(path: Path, rows: Sequence[TrainingRow]) -> None:
    """The rows as lines of token ids and labels."""
    lines = [json.dumps({"input_ids": row.ids, "labels": [token if learned else -100 for token, learned in
                                                          zip(row.ids, row.supervised, strict=True)]}) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def first_adapter(folder: Path, place: Path) -> Path:
    """The adapter that a training of this seed begins with, written to `place`."""
    torch.manual_seed(SEED)
    METHODS["lora"].save(METHODS["lora"].attach(load_causal(folder), TrainingSettings()), place, base=folder.name, base_sha256="")
    return place


def run(name: str, job: dict[str, Any], place: Path) -> dict[str, Any]:
    """What a contestant gives, in a process of its own. What it writes besides is gone unless the job names a folder `out` for it."""
    is_ours = name in ("packed", "padded", "exact")
    python = RIVALS / "bin" / "python" if name == "llamafactory" else Path(sys.executable)
    script = Path(__file__).with_name("training_ours.py" if is_ours else "training_rivals.py")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        (Path(folder) / "job.json").write_text(json.dumps({"out": folder} | job), "utf-8")
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1",
                       "CUDA_VISIBLE_DEVICES": "", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
        subprocess.run([str(python), str(script), name, f"{folder}/job.json", f"{folder}/result.json"], check=True, env=environment,
                       stdout=sys.stderr)
        found: dict[str, Any] = json.loads((Path(folder) / "result.json").read_text("utf-8"))
    assert found["threads"] == THREADS
    return found


def ready_rivals() -> None:
    """Make the virtual environment of LLaMA-Factory once. torchvision and torchaudio are left out: they come linked to CUDA."""
    if (RIVALS / ".ready").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    install = [str(RIVALS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    options = os.environ.get("PIP_TORCH", "").split()
    for packages in ([f"torch=={torch.__version__.split('+')[0]}", *options], ["--no-deps", "llamafactory==0.9.5"], PACKAGES):
        subprocess.run([*install, *packages], check=True)
    (RIVALS / ".gitignore").write_text("*\n")
    (RIVALS / ".ready").touch()


def judge(contest: Contest, results: dict[str, list[dict[str, Any]]], tokens: int) -> dict[str, Any]:
    """Tokens a second (median over the rounds), ratios of the rounds (median), memory and losses of a contest."""
    name = contest.name
    speeds = {who: [tokens / sum(one["seconds"]) for one in rounds] for who, rounds in results.items()}
    losses = {who: rounds[0]["losses"] for who, rounds in results.items()}
    memory = {who: statistics.median(one["memory_gb"] for one in rounds) for who, rounds in results.items()}
    figures: dict[str, Any] = {
        f"tokens_per_second_{name}": {who: round(statistics.median(values), 1) for who, values in speeds.items()},
        f"memory_gb_{name}": {who: round(value, 2) for who, value in memory.items()}, f"losses_{name}": losses,
        f"memory_share_of_trainer_{name}": round(memory["packed"] / memory["trainer"], 3)}
    for who in results:
        if who not in ("packed", "padded"):
            figures[f"times_{who}_{name}"] = round(statistics.median(
                mine / theirs for mine, theirs in zip(speeds["packed"], speeds[who], strict=True)), 2)
    if "padded" in results:
        figures[f"times_trainer_{name}_any_model"] = round(statistics.median(
            mine / theirs for mine, theirs in zip(speeds["padded"], speeds["trainer"], strict=True)), 2)
    figures[f"loss_difference_{name}"] = max(abs(mine - theirs) for who in results
                                             for mine, theirs in zip(losses["packed"], losses[who], strict=True))
    return figures


def main() -> None:
    """Run all contests in turn, round by round, and compare."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--only", nargs="*", default=[])
    asked.add_argument("--without", nargs="*", default=[])
    asked.add_argument("--rounds", type=int, default=ROUNDS)
    asked.add_argument("--rows", type=int, default=ROWS)
    given = asked.parse_args()
    contests = [contest for contest in CONTESTS if not given.only or contest.name in given.only]
    if "llamafactory" not in given.without:
        ready_rivals()
    figures: dict[str, Any] = {"rows": given.rows, "rounds": given.rounds, "threads": THREADS}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        folders = {contest.base: as_folder(find_base(contest.base), ROOT / "work" / "base") for contest in contests}
        jobs = {contest.name: write_job(contest, folders[contest.base], place / contest.name, given.rows) for contest in contests}
        results: dict[str, dict[str, list[dict[str, Any]]]] = {
            contest.name: {who: [] for who in contest.contestants if who not in given.without} for contest in contests}
        for number in range(given.rounds):
            for contest in contests:
                for who, found in results[contest.name].items():
                    found.append(run(who, jobs[contest.name][0], place))
                    print(f"round {number + 1} {contest.name} {who}: {sum(found[-1]['seconds']):.1f} s, {found[-1]['memory_gb']:.2f} GB",
                          file=sys.stderr, flush=True)
        for contest in contests:
            figures |= {f"rows_{contest.name}": jobs[contest.name][1]}
            figures |= judge(contest, results[contest.name], int(jobs[contest.name][1]["tokens"]))
        exact = run("exact", jobs[contests[0].name][0], place)["losses"][0]
    figures["loss_fp64"] = exact
    figures["loss_off_fp64"] = abs(figures[f"losses_{contests[0].name}"]["packed"][0] - exact)
    figures["largest_loss_difference"] = max(figures[f"loss_difference_{contest.name}"] for contest in contests)
    if given.only or given.without or given.rounds != ROUNDS or given.rows != ROWS:
        print(json.dumps(figures, indent=1))
        return
    finish("training", figures, BARS)


if __name__ == "__main__":
    main()
