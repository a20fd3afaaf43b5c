"""Makes a training artifact from a small dataset outside the pipeline; as a script it may kill itself or ask itself to stop at a step.

Usage: training_stage.py WORK BASE STEP SIGNAL [SETTING=JSON ...]: trains until STEP is told, then sends itself SIGNAL.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.events import Event, Events, Listener
from tutelage.core.files import short_hash, write_rows
from tutelage.core.records import Example, Message, Part
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store, content_id
from tutelage.pipeline.skills import trim_base
from tutelage.training.make import make
from tutelage.training.settings import TrainingSettings
from tutelage.training.trim import Trim

SYSTEM = Message(role="system", content="You draft contract clauses.")
SMALL = {"rank": 4, "batch_rows": 4, "maximum_steps": 6, "validate_every": 2, "checkpoint_every": 1, "warmup_steps": 1,
         "learning_rate": 2e-3, "micro_batch_tokens": 256, "threads": 1, "patience": 9}
SUBJECTS = ("invoice", "delivery", "notice", "audit", "licence", "report", "deposit", "renewal", "training", "inspection")
PERIODS = ("five", "ten", "twelve", "thirty")


def small_examples(count: int = 18) -> list[Example]:
    """Clauses of one shape: the last six are for validation."""
    examples = []
    for number in range(count):
        subject, period = SUBJECTS[number % len(SUBJECTS)], PERIODS[number % len(PERIODS)]
        text = f"The {subject} shall be complete within {period} days." + f" The {subject} is final." * (number % 3)
        part: Part = "validation" if number >= count - 6 else "train"
        examples.append(make_example(f"row{number:02d}", f"Write a clause. Keywords: {subject}.", text, part))
    return examples


def make_example(name: str, prompt: str, text: str, part: Part = "train") -> Example:
    """One row with the given prompt and reply."""
    return Example(id=name, messages=(SYSTEM, Message(role="user", content=prompt), Message(role="assistant", content=text)),
                   clause_type="delivery", keywords=(), language="en", heading=f"Heading of {name}", document_id="d", source="d.txt",
                   start=0, end=len(text), family=name, part=part)


def make_dataset(work: Path, examples: Sequence[Example]) -> Artifact:
    """A dataset artifact with these rows."""
    store = Store(work)
    rows = short_hash(*(row.model_dump_json() for row in examples))
    key = content_id("dataset", version=1, settings=Settings(), parents={}, inputs={"rows": rows})
    with store.making("dataset", key, version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", examples)
    found = store.look_up("dataset", key)
    assert found is not None
    return found


def settings_of(**changed: object) -> TrainingSettings:
    """The small settings, some of them changed."""
    small = {name: value for name, value in SMALL.items() if name != "rank" or "lora" in str(changed.get("method", "lora"))}
    return TrainingSettings.model_validate({**small, "base": "tiny", **changed})


def scratch_of(work: Path, settings: TrainingSettings, dataset: Artifact) -> Path:
    """The scratch folder of the training with these settings."""
    key = content_id("training", version=1, settings=settings, parents={"dataset": dataset.id}, inputs={})
    return Store(work).scratch("training", key)


def run_training(work: Path, base: Path, dataset: Artifact, *listeners: Listener, trim_with: Trim = trim_base,
                 **changed: object) -> Artifact:
    """Train on the dataset with small settings, some of them changed, as the pipeline would."""
    settings, store = settings_of(**changed), Store(work)
    key = content_id("training", version=1, settings=settings, parents={"dataset": dataset.id}, inputs={})
    with store.making("training", key, version=1, recipe="", settings=settings, parents={"dataset": dataset}, inputs={},
                      events=Events(*listeners)) as making:
        make(making, base_folder=lambda: base, trim=trim_with)
    found = store.look_up("training", key)
    assert found is not None
    return found


def signal_at(step: int, number: int) -> Listener:
    """A listener that sends this process a signal when the step has been told."""
    def listen(event: Event) -> None:
        if event.kind == "step" and event.facts["done"] == step:
            os.kill(os.getpid(), number)
    return listen


if __name__ == "__main__":
    work, base, step, name, *rest = sys.argv[1:]
    changed = {key: json.loads(value) for key, value in (pair.split("=") for pair in rest)}
    run_training(Path(work), Path(base), make_dataset(Path(work), small_examples()), signal_at(int(step), signal.Signals[name]), **changed)
