"""The shipped recipes that need data of their own, from documents to the verdict: minutes, memory, leak table, scores.

`make bench NAME=recipes`. Needs TUTELAGE_DATA with `cuad` and `zh_statutes`. Options: names of recipes (else all), `--work DIR` to keep.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import PeakMemory, at_least, at_most, finish

from tutelage.core.records import GateDecision
from tutelage.pipeline.runs import newest_artifact

ROOT = Path(__file__).parents[1]
NEEDS = {"cuad": "cuad", "zh-statutes": "zh_statutes"}
STAGES = ("documents", "dataset", "training", "model", "scores")


def main() -> None:
    """Run each recipe once in a folder whose `data` is TUTELAGE_DATA."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("names", nargs="*", default=list(NEEDS))
    asked.add_argument("--work", type=Path)
    options = asked.parse_args()
    data = Path(os.environ.get("TUTELAGE_DATA", ""))
    absent = [name for name in options.names if not os.environ.get("TUTELAGE_DATA") or not (data / NEEDS[name]).exists()]
    if absent:
        print(json.dumps({"name": "recipes", "ok": False, "reason": f"TUTELAGE_DATA has nothing for {', '.join(absent)}"}))
        sys.exit(1)
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        place = options.work or Path(temporary)
        shutil.copytree(ROOT / "recipes", place / "recipes", dirs_exist_ok=True)
        if not (place / "data").exists():
            (place / "data").symlink_to(data.resolve())
        for name in options.names:
            figures |= {f"{name.replace('-', '_')}_{key}": value for key, value in run(place, name).items()}
    bars = []
    for name in (name.replace("-", "_") for name in options.names):
        bars += [at_most(f"{name}_minutes", 25), at_most(f"{name}_peak_memory_gib", 6), at_most(f"{name}_twins_at_50", 0),
                 at_least(f"{name}_scored", 60)]
    finish("recipes", figures, bars)


def run(place: Path, name: str) -> dict[str, object]:
    """Figures of one recipe, from its artifacts' own files."""
    work = place / f"work-{name}"
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "tutelage", "make", str(place / "recipes" / f"{name}.yaml"), "--work", str(work)],
                               stdout=subprocess.DEVNULL)
    memory = PeakMemory(process.pid)
    memory.start()
    exit_code = process.wait()
    minutes = (time.monotonic() - started) / 60
    found: dict[str, object] = {"exit_code": exit_code, "minutes": round(minutes, 2), "peak_memory_gib": memory.stop()}
    made = {stage: artifact for stage in STAGES if (artifact := newest_artifact(work, name, stage))}
    if "scores" not in made:
        return found
    dataset = json.loads(made["dataset"].file("report.json").read_text("utf-8"))
    training = json.loads(made["training"].file("training.json").read_text("utf-8"))
    gate = GateDecision.model_validate_json(made["scores"].file("gate.json").read_text("utf-8"))
    scores = [json.loads(line) for line in made["scores"].file("scores.jsonl").read_text("utf-8").splitlines()]
    ours = next(row for row in dataset["leak_table"] if row["split"] == "ours")
    return {**found, "seconds": {stage: artifact.manifest.seconds for stage, artifact in made.items()}, "rows": dataset["rows"],
            "documents": made["documents"].manifest.counts, "types": len(dataset["types"]), "leak_table": dataset["leak_table"],
            "twins_at_50": ours["at_50"], "steps": training["steps"], "tokens_per_second": training["tokens_per_second"],
            "scores": {f"{row['candidate']} {row['metric']}": [row["value"], row["low"], row["high"]] for row in scores},
            "scored": gate.n, "verdict": gate.verdict, "gate_open": gate.is_open, "difference": [gate.difference, gate.low, gate.high]}


if __name__ == "__main__":
    main()
