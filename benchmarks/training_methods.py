"""Each training method on the same rows of the demo's dataset and the same number of tokens: quality, speed, memory, size on the disk.

`make bench NAME=training_methods`. Option: the work folder of a demo whose dataset is made, which is only read; else the dataset is made
first. Each method runs in a process of its own.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from common import PeakMemory, at_most, finish

from tutelage.core.errors import TutelageError
from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows, write_rows
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder

RECIPE = Path(__file__).parents[1] / "recipes" / "demo.yaml"
BASE = "smollm2-135m-instruct"
TRAIN, VALIDATION, STEPS = 96, 32, 12
CASES: dict[str, dict[str, object]] = {
    "lora": {}, "lora, last 8 layers": {"layers": 8}, "lora, dora": {"dora": True}, "qlora, 4 bits": {"method": "qlora"},
    "adapter, houlsby": {"method": "adapter"}, "adapter, pfeiffer": {"method": "adapter", "adapter_places": "pfeiffer"},
    "last 4 layers": {"method": "last_layers"}, "last 4 layers at 5e-4": {"method": "last_layers", "learning_rate": 5e-4},
    "frozen embeddings": {"method": "frozen_embeddings"}, "full": {"method": "full"},
    "full at 1e-5": {"method": "full", "learning_rate": 1e-5}, "full at 5e-4": {"method": "full", "learning_rate": 5e-4}}


def main() -> None:
    """Train by each method, and write what came out."""
    told: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = prepare(sys.argv[1:], Path(scratch), train=TRAIN, validation=VALIDATION)
        for name, changed in CASES.items():
            told[name] = run(Path(scratch), folder, {"maximum_steps": STEPS, "validate_every": STEPS, **changed})
            print(name, told[name], file=sys.stderr, flush=True)
    worst = max(bits_after(one) / float(str(one["before"])) for name, one in told.items() if not name.startswith("full at"))
    finish("training-methods", {"rows": TRAIN, "steps": STEPS, "methods": told, "worst_ratio": round(worst, 4)},
           [at_most("worst_ratio", 0.97)])


def bits_after(told: dict[str, object]) -> float:
    """Bits per byte after a training; 99 where it ended with no number."""
    return 99.0 if told["after"] is None else float(str(told["after"]))


def prepare(given: list[str], scratch: Path, *, train: int, validation: int) -> Path:
    """Write the first so many rows of the demo's dataset into `scratch`, and give the folder of the base.

    The dataset is that of the work folder that is given, or made.
    """
    work = Path(given[0]) if given else scratch / "demo"
    if not given:
        subprocess.run([sys.executable, "-m", "tutelage", "make", str(RECIPE), "--until", "dataset", "--work", str(work)],
                       stdout=subprocess.DEVNULL, check=True)
    dataset = Store(work).latest("dataset")
    assert dataset is not None, f"{work} has no dataset; run `tutelage make recipes/demo.yaml --until dataset` first"
    examples = sorted(read_rows(dataset.file("examples.jsonl"), Example), key=lambda row: row.id)
    rows = [row for row in examples if row.part == "train"][:train] + [row for row in examples if row.part == "validation"][:validation]
    write_rows(scratch / "rows.jsonl", rows)
    return as_folder(find_base(BASE), scratch / "base")


def run(scratch: Path, folder: Path, changed: dict[str, object]) -> dict[str, object]:
    """One training in a process of its own: its figures, and the peak of its memory in GiB.

    Raises RuntimeError if it ends with an error that is no finding.
    """
    words = [sys.executable, __file__, str(scratch), str(folder), json.dumps(changed)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    watch = PeakMemory(process.pid)
    watch.start()
    out, _ = process.communicate()
    peak = watch.stop()
    if process.returncode:
        raise RuntimeError(f"the training with {changed} ended with the exit code {process.returncode}; its error stands above")
    return {**json.loads(out.splitlines()[-1]), "peak_gib": peak}


def one(scratch: Path, folder: Path, changed: dict[str, object]) -> None:
    """Train by one method, and print its figures; of a training that learned nothing, what was measured last, and why it failed."""
    from tutelage.pipeline.skills import trim_base
    from tutelage.training.make import make
    from tutelage.training.settings import TrainingSettings

    settings = TrainingSettings.model_validate({"base": BASE, "checkpoint_every": changed["maximum_steps"], **changed})
    told = Recorder()
    store, none = Store(Path(tempfile.mkdtemp(dir=scratch))), {"inputs": {}, "events": Events(told), "recipe": "", "version": 1}
    with store.making("dataset", "rows", settings=Settings(), parents={}, **none) as making:
        write_rows(making.folder / "examples.jsonl", read_rows(scratch / "rows.jsonl", Example))
    parent = store.latest("dataset")
    assert parent is not None
    try:
        with store.making("training", "tuned", settings=settings, parents={"dataset": parent}, **none) as making:
            make(making, base_folder=lambda: folder, trim=trim_base)
    except TutelageError as error:
        measured = [float(bits) for event in told.events if event.kind == "step" and (bits := event.facts["bits_per_byte"]) is not None]
        last = round(measured[-1], 4) if math.isfinite(measured[-1]) else None
        print(json.dumps({"before": round(measured[0], 4), "after": last, "learning_rate": changed.get("learning_rate"),
                          "failed": str(error)}))
        return
    made = store.latest("training")
    assert made is not None
    found = json.loads(made.file("training.json").read_text("utf-8"))
    size = sum(path.stat().st_size for path in (made.folder / "adapter").iterdir())
    print(json.dumps({"before": round(found["base_bits_per_byte"], 4), "after": round(found["best_bits_per_byte"], 4),
                      "learning_rate": found["learning_rate"], "tokens_per_second": found["tokens_per_second"], "path": found["path"],
                      "written_mb": round(size / 1e6, 1), "update_share": round(found["proof"]["update_share"], 5)}))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        one(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        main()
