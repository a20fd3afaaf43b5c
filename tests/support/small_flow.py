"""A small recipe on a tiny random model, for tests that run `tutelage` as a user would."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from small_contracts import write_contracts
from tiny_model import make_tiny_model

RECIPE = """name: flow
documents:
  sources: [contracts]
dataset:
  held_out: 12
  validation: 8
training:
  base: base
  rank: 4
  maximum_steps: 6
  validate_every: 3
  warmup_steps: 1
  checkpoint_every: 1
model:
  parity_prompts: 12
scores:
  held_out: 12
  drafts: 4
  max_draft_tokens: 8
  bootstrap: 1000
drafting:
  max_tokens: 16
"""


def write_flow(folder: Path) -> Path:
    """Contracts, a tiny base model and a recipe in `folder`; gives the recipe's path."""
    write_contracts(folder / "contracts")
    make_tiny_model(folder / "base")
    path = folder / "flow.yaml"
    path.write_text(RECIPE.replace("base: base", f"base: {folder / 'base'}"), "utf-8")
    return path


def command(*words: str) -> list[str]:
    """The command line of `tutelage` in this interpreter."""
    return [sys.executable, "-m", "tutelage", *words]


def read_events(work: Path) -> list[dict[str, object]]:
    """Events of the newest run so far; the last line may still be half written."""
    files = sorted(work.glob("runs/*/events.jsonl"))
    lines = files[-1].read_text("utf-8").splitlines(keepends=True) if files else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def kill_when(words: list[str], work: Path, *, stage: str, kind: str, timeout: float = 120) -> bool:
    """Run until an event of `kind` comes from `stage`, then kill -9 its process. False if it ended before."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < until:
        if any(event["stage"] == stage and event["kind"] == kind for event in read_events(work)):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    process.kill()
    process.wait()
    return False
