"""Log-likelihoods of given rows by one program, timed, in a process of its own; scoring.py starts it.

    python scoring_runs.py NAME JOB RESULT
NAME: ours, or lm_eval (lm-evaluation-harness's own backend for Hugging Face models). JOB: JSON with `model` (a folder), `rows` (a file
of JSON lines with `ids` and `start`, and the row itself for ours), `chat_format`, `threads`, `rows_at_once` (of lm_eval). RESULT gets the
seconds of the scoring alone, without loading, and the log-likelihood of each row. lm_eval uses nothing of Tutelage: it runs where only
that is installed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch


def ours(job: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[float, list[float]]:
    """As the stage `scores` does it."""
    from tutelage.core.chat import ChatFormat
    from tutelage.core.records import Example
    from tutelage.engine.torch_engine import TorchEngine
    from tutelage.scores.asked import prepare, score_rows

    engine, chat_format = TorchEngine(Path(job["model"]), name="ours"), ChatFormat.model_validate(job["chat_format"])
    prepared = [prepare(Example.model_validate(row["row"]), chat_format, engine) for row in rows]
    assert [(list(one.ids), one.start) for one in prepared] == [(row["ids"], row["start"]) for row in rows]
    started = time.perf_counter()
    found = score_rows(engine, prepared, lambda count: None)
    return time.perf_counter() - started, [-found[one.row.id].nats for one in prepared]


def lm_eval(job: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[float, list[float]]:
    """As lm-evaluation-harness does it once texts are tokens."""
    kind = importlib.import_module("lm_eval.models.huggingface").HFLM
    model = kind(pretrained=job["model"], dtype="float32", device="cpu", batch_size=job["rows_at_once"], add_bos_token=False)
    requests = [((str(number), ""), row["ids"][:row["start"]], row["ids"][row["start"]:]) for number, row in enumerate(rows)]
    started = time.perf_counter()
    found = model._loglikelihood_tokens(requests, disable_tqdm=True)
    return time.perf_counter() - started, [float(logprob) for logprob, _ in found]


def main() -> None:
    """Run the program that the command line names."""
    name, job, result = sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")), Path(sys.argv[3])
    torch.set_num_threads(job["threads"])
    with Path(job["rows"]).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    seconds, logprobs = {"ours": ours, "lm_eval": lm_eval}[name](job, rows)
    result.write_text(json.dumps({"seconds": seconds, "logprobs": logprobs, "threads": torch.get_num_threads()}), "utf-8")


if __name__ == "__main__":
    main()
