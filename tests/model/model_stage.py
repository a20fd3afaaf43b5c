"""Rows of ours, and a way to run the model stage on them outside the pipeline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tutelage.core.chat import CHATML, render
from tutelage.core.events import Events, Listener
from tutelage.core.files import write_rows
from tutelage.core.records import Example, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.make import make
from tutelage.model.settings import ModelSettings
from tutelage.model.shrink import Heal
from tutelage.scores.grade import grader
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.weigh import weigher
from tutelage.training.heal import heal as heal_by_training
from tutelage.training.settings import TrainingSettings

CLAUSES = 60
HEAL = partial(heal_by_training, recipe=TrainingSettings(base="tiny", threads=1, batch_rows=4, micro_batch_tokens=512))
WEIGH = weigher(ScoresSettings(bootstrap=1000))
GRADER = grader(ScoresSettings(bootstrap=1000, max_draft_tokens=12))
SUBJECTS = ("the invoice", "delivery", "保密期限", "notices", "the liability cap", "付款", "renewal", "an audit", "the deposit", "验收")


def held_out_row(number: int) -> Example:
    """One held-out row; no two have the same prompt."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    messages = (Message(role="system", content="You draft contract clauses."),
                Message(role="user", content=f"Write a clause on {subject}, at most {number} days."),
                Message(role="assistant", content=f"It ends after {number} days."))
    return Example(id=f"row{number:02d}", messages=messages, clause_type="term", keywords=(), language="en", heading=f"Heading {number}",
                   document_id="d", source="d.txt", start=0, end=9, family=f"f{number}", part="held_out")


def token_rows(folder: Path, examples: Sequence[Example]) -> list[tuple[int, ...]]:
    """The prompts as token ids of the model folder's vocabulary."""
    vocabulary = Vocabulary(folder)
    return [render(example.prompt, CHATML, vocabulary, reply=True).ids for example in examples]


def run_model(work: Path, base: Path, trained: Path, examples: Sequence[Example], *listeners: Listener, heal: Heal = HEAL,
              **changed: object) -> Artifact:
    """Make a model artifact from the trained folder, with some settings changed; nothing is measured unless they say so."""
    store = Store(work)
    settings = ModelSettings.model_validate({"measure": "off"} | changed)
    with store.making("dataset", "d1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", examples)
    with store.making("training", "t1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        shutil.copytree(trained, making.folder, dirs_exist_ok=True)
    parents = {stage: artifact for stage in ("dataset", "training") if (artifact := store.latest(stage))}
    with store.making("model", "m1", version=1, recipe="", settings=settings, parents=parents, inputs={},
                      events=Events(*listeners)) as making:
        make(making, base_folder=lambda: base, heal=heal, weigh=WEIGH, grader=GRADER)
    found = store.look_up("model", "m1")
    assert found is not None
    return found


def change_json(path: Path, **values: object) -> None:
    """Put other values into a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), encoding="utf-8")


def remains(work: Path) -> list[str]:
    """Files that a failed model stage left behind."""
    return [str(path) for path in (work / "model").rglob("*") if path.is_file()]
