"""What the benchmarks of smaller models share: short rows of the demo's dataset, a stage to shrink and heal in, and the losses."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tutelage.core.chat import ChatFormat, render
from tutelage.core.events import Events
from tutelage.core.files import read_rows, write_rows
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Making, Store
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.held_out import Loss, highest_rise, measure_loss
from tutelage.model.reshape import Given
from tutelage.model.settings import ModelSettings
from tutelage.training.heal import heal
from tutelage.training.settings import TrainingSettings

LONGEST = 160
COUNTS = {"train": 80, "validation": 6, "held_out": 24}
STEPS = 20
RECIPE = TrainingSettings(batch_rows=4, maximum_tokens=LONGEST + 1)
HEAL = partial(heal, recipe=RECIPE)


@dataclass(frozen=True)
class Rows:
    """Short rows of the demo's dataset, and the training rows among them as token ids with the place where the reply begins."""

    examples: list[Example]
    train: list[tuple[tuple[int, ...], int]]

    @property
    def held_out(self) -> list[Example]:
        """Those that nothing is learned from."""
        return [row for row in self.examples if row.part == "held_out"]


@dataclass(frozen=True)
class Whole:
    """The demo's tuned model in 32 bits, short rows of its dataset, and its loss on those that are held out."""

    folder: Path
    chat_format: ChatFormat
    rows: Rows
    loss: Loss

    def cost(self, folder: Path) -> dict[str, float]:
        """What a model folder loses against it: bits per byte, and the rise as a share with the upper end of its interval."""
        loss = measure_loss(folder, self.rows.held_out, self.chat_format)
        print(folder.name, loss.bits_per_byte, file=sys.stderr)
        return {"bits_per_byte": round(loss.bits_per_byte, 4), "rise": round(loss.bits_per_byte / self.loss.bits_per_byte - 1, 4),
                "rise_highest": round(highest_rise(self.loss, loss), 4)}


def open_whole(work: Path) -> Whole:
    """The model of the demo whose work folder this is."""
    store = Store(work)
    dataset, model = store.latest("dataset"), store.latest("model")
    assert dataset is not None
    assert model is not None, f"{work} has no model; run `tutelage make recipes/demo.yaml` first"
    whole = model.folder / "merged"
    chat_format = folder_chat_format(whole)
    rows = short_rows(list(read_rows(dataset.file("examples.jsonl"), Example)), whole, chat_format)
    return Whole(whole, chat_format, rows, measure_loss(whole, rows.held_out, chat_format))


def short_rows(examples: list[Example], folder: Path, chat_format: ChatFormat) -> Rows:
    """So many short rows of each part, first by id."""
    vocabulary = Vocabulary(folder)
    chosen: list[Example] = []
    train: list[tuple[tuple[int, ...], int]] = []
    left = dict(COUNTS)
    for row in sorted(examples, key=lambda row: row.id):
        ids = render(row.messages, chat_format, vocabulary, reply=False).ids
        if left[row.part] and len(ids) <= LONGEST:
            left[row.part] -= 1
            chosen.append(row)
            if row.part == "train":
                train.append((ids, len(render(row.prompt, chat_format, vocabulary, reply=True).ids)))
    return Rows(chosen, train)


def write_dataset(place: Path, rows: Rows) -> Artifact:
    """The rows as a dataset of their own."""
    store = Store(place)
    with store.making("dataset", "1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", rows.examples)
    dataset = store.latest("dataset")
    assert dataset is not None
    return dataset


def given(place: Path, whole: Whole, dataset: Artifact, **settings: object) -> Given:
    """What a step of the model stage starts from, in a new folder `place`."""
    scratch = place / "scratch"
    scratch.mkdir(parents=True)
    chosen = ModelSettings.model_validate(settings)
    making = Making(settings=chosen, parents={"dataset": dataset}, folder=place, scratch=scratch, work=place,
                    events=Events(lambda event: print(event.facts, file=sys.stderr)))
    return Given(whole.folder, making, chosen, whole.chat_format, whole.rows.held_out)
