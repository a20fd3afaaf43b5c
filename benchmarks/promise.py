"""What `tutelage plan` promises of a training, minutes and memory, against what the training takes: three short runs on real rows.

`make bench NAME=promise`. Options: a work folder to keep (else a temporary one). The machine must be idle otherwise.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import at_most, finish

from tutelage.pipeline.runs import newest_artifact

RECIPE = Path(__file__).parents[1] / "recipes" / "demo.yaml"
MINUTES = 3
RUNS = {
    "lora": ["maximum_steps=15"],
    "last_layers": ["method=last_layers", "batch_rows=12", "maximum_steps=12", "validate_every=6"],
    "in_time": [f"minutes={MINUTES}"],
}


def main() -> None:
    """Plan and make each run, and judge the promises."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        runs = {name: one_run(work, changes) for name, changes in RUNS.items()}
    figures: dict[str, object] = {f"{run}_{name}": value for run, found in runs.items() for name, value in found.items()}
    figures |= {f"worst_{name}": max(abs(found[name]) for found in runs.values()) for name in ("minutes_off", "memory_off")}
    finish("promise", figures, [at_most("worst_minutes_off", 0.2), at_most("worst_memory_off", 0.2), at_most("in_time_minutes", MINUTES)])


def one_run(work: Path, changes: list[str]) -> dict[str, float]:
    """Figures of one training: what was promised for its steps, what it took, and how far that is off as a share of the promise."""
    options = ["--until", "training", "--work", str(work), *(word for change in changes for word in ("--set", f"training.{change}"))]
    for command in ("plan", "make"):
        subprocess.run([sys.executable, "-m", "tutelage", command, str(RECIPE), *options], stdout=subprocess.DEVNULL, check=True)
    made = newest_artifact(work, "demo", "training")
    assert made is not None
    summary = json.loads(made.file("training.json").read_text("utf-8"))
    kept = summary["kept"]
    off = {f"{name}_off": round(kept[actual] / kept[promised] - 1, 3) for name, actual, promised in (
        ("minutes", "minutes", "promised_minutes"), ("memory", "memory_gb", "promised_memory_gb"))}
    return {"steps": summary["steps"], "promised_minutes": kept["promised_minutes"], "minutes": kept["minutes"],
            "promised_memory_gb": kept["promised_memory_gb"], "memory_gb": kept["memory_gb"],
            "probe_seconds": round(summary["promise"]["pace"]["seconds"], 1), **off}


if __name__ == "__main__":
    main()
