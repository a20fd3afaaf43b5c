"""One training by Tutelage's own loop, timed, in a process of its own; training.py starts it.

    python training_ours.py NAME JOB RESULT
NAME: packed (the path that is chosen), padded (the one for any model), or exact (no training: the loss of the first step with the
output layer in fp64, to compare with). JOB and RESULT as in training_rivals.py.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from tutelage.core.events import Events
from tutelage.engine.torch_base import load_causal
from tutelage.training.batches import MicroBatch
from tutelage.training.bodies import PaddedBody, choose_body, head_weight
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.packed import PackedBody
from tutelage.training.rows import TrainingRow
from tutelage.training.settings import TrainingSettings


def read(path: str) -> list[TrainingRow]:
    """The rows."""
    with Path(path).open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [TrainingRow(id=f"{number:03}", ids=tuple(row["input_ids"]), supervised=tuple(label != -100 for label in row["labels"]),
                        reply_bytes=1) for number, row in enumerate(found)]


def settings_of(job: dict[str, Any]) -> TrainingSettings:
    """What the rivals are told, in the product's words; micro-batches as by default."""
    method: dict[str, Any] = {"method": "last_layers", "last_layers": job["last_layers"]} if job["last_layers"] else {"method": "lora"}
    steps = job["steps"]
    return TrainingSettings(**method, learning_rate=job["learning_rate"], schedule="constant", warmup_steps=0, maximum_steps=steps,
                            batch_rows=job["rows_a_step"], validate_every=steps, checkpoint_every=steps, threads=job["threads"],
                            seed=job["seed"])


def load(job: dict[str, Any], settings: TrainingSettings) -> torch.nn.Module:
    """The base with what is trained."""
    base = load_causal(Path(job["model"]))
    if job["adapter"]:
        return PeftModel.from_pretrained(base, job["adapter"], is_trainable=True)
    return METHODS[settings.method].attach(base, settings)


def train(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Seconds of all steps together, and the loss of each."""
    rows = read(job["rows"])
    settings = settings_of(job)
    model = load(job, settings)
    body = PaddedBody(model) if name == "padded" else choose_body(model)
    if body.name != name:
        raise SystemExit(f"the {body.name} path was chosen")
    with tempfile.TemporaryDirectory() as scratch:
        if job["last_layers"] and isinstance(body, PackedBody):
            body.keep_prefix(rows, Path(scratch) / "prefix", tokens=settings.micro_batch_tokens)
        short = TrainingRow(id="other", ids=(1, 2, 3), supervised=(False, True, True), reply_bytes=1)  # measuring it warms nothing up
        loop = Loop(model=model, objective=LanguageObjective(body, head_weight(model)), train=rows, validation=[short], settings=settings,
                    scratch=Path(scratch), events=Events())
        state = loop.run()
    return {"seconds": [state.step_seconds], "losses": [row.loss for row in state.curve[1:]]}


@torch.no_grad()
def exact(job: dict[str, Any]) -> dict[str, Any]:
    """The loss of the first step: hidden states by transformers' own layers in fp32, the 64 rows of logits at once in fp64."""
    rows = read(job["sequence"])[: job["rows_a_step"]]
    model = load_causal(Path(job["model"]))
    body, weight = PaddedBody(model), head_weight(model).double()
    total = 0.0
    for row in rows:
        batch = MicroBatch((row,))
        for hidden, targets in zip(body.hidden(batch).split(64), batch.targets.split(64), strict=True):
            total += float(torch.nn.functional.cross_entropy(hidden.double() @ weight.T, targets, reduction="sum"))
    return {"seconds": [], "losses": [total / sum(row.trained for row in rows)]}


def main() -> None:
    """Run what the command line names."""
    name, job, result = sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")), Path(sys.argv[3])
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    found = exact(job) if name == "exact" else train(name, job)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result.write_text(json.dumps(found | {"threads": torch.get_num_threads(), "memory_gb": usage.ru_maxrss / 2**20}), "utf-8")


if __name__ == "__main__":
    main()
