"""lm-evaluation-harness over the API, on tasks in a folder; prints for each the answers it got as JSON. Arguments: the folder."""

from __future__ import annotations

import json
import os
import sys

import lm_eval
from lm_eval.tasks import TaskManager

WAYS = {"local-completions": ("completions", "pieces", {"tokenizer_backend": "remote"}),
        "local-chat-completions": ("chat/completions", "questions", {})}


def main(folder: str) -> None:
    """Run each task by the way that is for it."""
    os.environ["OPENAI_API_KEY"] = os.environ["KEY"]
    found = {}
    for way, (route, task, more) in WAYS.items():
        asked = {"model": os.environ["MODEL"], "base_url": f"{os.environ['ADDRESS']}/v1/{route}", "auth_token": os.environ["KEY"],
                 "max_length": 512, "max_retries": 1, **more}
        results = lm_eval.simple_evaluate(model=way, model_args=asked, tasks=[task], bootstrap_iters=0, log_samples=True,
                                          apply_chat_template=way == "local-chat-completions",
                                          task_manager=TaskManager(include_path=folder, include_defaults=False))
        samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
        found[task] = [sample["resps"][0][0] for sample in samples]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
