"""Runs the exported tasks in lm-evaluation-harness, so that another program's numbers stand beside ours."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Record
from tutelage.scores.exports import LM_EVAL_TASKS

BATCH = 8
CONFIGURATION = "tokenizer_config.json"


class HarnessScore(Record):
    """One figure of the harness: of a task, a metric and so many rows."""

    task: str
    metric: str
    value: float
    n: int


def run_lm_eval(folder: Path, model: Path, tasks: Sequence[str] = LM_EVAL_TASKS, *, limit: int | None = None) -> list[HarnessScore]:
    """Scores of a model folder on exported tasks, in fp32 on the CPU; `limit` takes only so many rows of each.

    Raises ExtraMissing without lm-eval, InputError for a folder without tasks.
    """
    missing = [name for name in tasks if not (folder / f"{name}.yaml").is_file()]
    if missing:
        raise InputError(f"{folder}: has no task {missing[0]}.yaml. Write the tasks there first: `tutelage tasks {folder}`.")
    try:
        import lm_eval
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise ExtraMissing("running the tasks needs lm-evaluation-harness, which is not installed. "
                           "Run `pip install tutelage[harness]`.") from None
    with tempfile.TemporaryDirectory() as place:
        arguments = {"pretrained": str(_with_ends(model, Path(place))), "dtype": "float32", "add_bos_token": False}
        found = lm_eval.simple_evaluate(
            model="hf", model_args=arguments, tasks=list(tasks), device="cpu", batch_size=BATCH, limit=limit, bootstrap_iters=0,
            task_manager=TaskManager(include_path=str(folder), include_defaults=False), log_samples=False)
    counted = found["n-samples"]
    return [HarnessScore(task=task, metric=name.partition(",")[0], value=float(value), n=int(counted[task]["effective"]))
            for task, results in found["results"].items() for name, value in sorted(results.items())
            if isinstance(value, float) and "stderr" not in name]


def _with_ends(model: Path, place: Path) -> Path:
    """The model folder; one of ours, whose tokenizer names no token that ends a text, gets links in `place` and a file that does."""
    if (model / CONFIGURATION).exists() or not (model / "chat.json").is_file():
        return model
    chat_format = ChatFormat.model_validate_json((model / "chat.json").read_text("utf-8"))
    for path in model.iterdir():
        (place / path.name).symlink_to(path.resolve())
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": chat_format.end, "pad_token": chat_format.end}
    (place / CONFIGURATION).write_text(json.dumps(named), "utf-8")
    return place
