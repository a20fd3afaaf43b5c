"""Training on a CUDA device against the same training on the processor: losses of the same rows, tokens a second.

`make gpu-check`. Without a CUDA device it says so, writes nothing, and exits 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from common import at_least, at_most, finish

from tutelage.core.store import Store

ROOT = Path(__file__).parents[1]
STEPS = 20


def main() -> None:
    """Train the demo's first steps twice and compare."""
    if not torch.cuda.is_available():
        print(json.dumps({"name": "gpu-training", "ok": False, "reason": "there is no CUDA device"}))
        sys.exit(1)
    with tempfile.TemporaryDirectory() as temporary:
        here = train(Path(temporary) / "processor", visible="")
        there = train(Path(temporary) / "device", visible=os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
    assert here["device"] == "cpu"
    figures = {
        "device": there["device"], "device_name": torch.cuda.get_device_name(0), "steps": there["steps"],
        "base_loss": [here["base_loss"], there["base_loss"]], "tuned_loss": [here["best_loss"], there["best_loss"]],
        "is_on_device": int(there["device"] == "cuda"),
        "base_loss_difference": abs(here["base_loss"] - there["base_loss"]),
        "tuned_loss_difference": abs(here["best_loss"] - there["best_loss"]),
        "tokens_per_second": [here["tokens_per_second"], there["tokens_per_second"]],
        "speed_ratio": round(there["tokens_per_second"] / here["tokens_per_second"], 2)}
    # bfloat16 keeps 8 bits: losses of about 2 nats agree to about one in a hundred.
    finish("gpu-training", figures, [at_least("is_on_device", 1), at_most("base_loss_difference", 0.02),
                                     at_most("tuned_loss_difference", 0.05), at_least("speed_ratio", 1)])


def train(work: Path, *, visible: str) -> dict[str, float]:
    """The summary of the first steps of the demo's training, with these devices visible."""
    words = ["make", str(ROOT / "recipes" / "demo.yaml"), "--until", "training", "--set", f"training.maximum_steps={STEPS}"]
    subprocess.run([sys.executable, "-m", "tutelage", *words, "--work", str(work)],
                   env={**os.environ, "CUDA_VISIBLE_DEVICES": visible}, check=True)
    training = Store(work).latest("training")
    assert training is not None
    found: dict[str, float] = json.loads(training.file("training.json").read_text("utf-8"))
    return found


if __name__ == "__main__":
    main()
