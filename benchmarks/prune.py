"""SmolLM2-135M with 24 of its 30 layers: what three ways to choose them cost, how much of that a short healing gives back, and the speed.

Usage: prune.py WORK, the work folder of a demo whose model is made. Rows of at most 160 tokens, to keep it short.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from common import at_least, at_most, finish

from tutelage.core.chat import ChatFormat, render
from tutelage.core.events import Events
from tutelage.core.files import read_rows, write_rows
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.fewer_layers import keep_layers, kept_layers, layers_of
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.depth import block_influence, choose_layers, keep_vocabulary, layer_types
from tutelage.model.evidence_speed import Timing, measure_speed
from tutelage.model.export_gguf import export_gguf
from tutelage.model.held_out import highest_rise, measure_loss
from tutelage.training.heal import heal
from tutelage.training.settings import TrainingSettings

DROPPED = 6
LONGEST = 160
COUNTS = {"train": 80, "validation": 6, "held_out": 24}
INFLUENCE_ROWS, SKIPPED_ROWS = 8, 2
STEPS = 20
RECIPE = TrainingSettings(batch_rows=4, maximum_tokens=LONGEST + 1)
PROMPTS, NEW_TOKENS, ROUNDS = 3, 32, 3


@dataclass(frozen=True)
class Rows:
    """Short rows of the demo's dataset, and the training rows among them as token ids with the place where the reply begins."""

    examples: list[Example]
    train: list[tuple[tuple[int, ...], int]]

    @property
    def held_out(self) -> list[Example]:
        """Those that nothing is learned from."""
        return [row for row in self.examples if row.part == "held_out"]


def main() -> None:
    """Choose, cut, heal, and time."""
    store, started = Store(Path(sys.argv[1])), time.monotonic()
    dataset, model = store.latest("dataset"), store.latest("model")
    assert dataset is not None
    assert model is not None, f"{sys.argv[1]} has no model; run `tutelage make recipes/demo.yaml` first"
    whole = model.folder / "merged"
    chat_format = folder_chat_format(whole)
    rows = short_rows(list(read_rows(dataset.file("examples.jsonl"), Example)), whole, chat_format)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        parent = measure_loss(whole, rows.held_out, chat_format)
        figures: dict[str, object] = {"rows": COUNTS, "heal_steps": STEPS, "bits_per_byte_whole": round(parent.bits_per_byte, 4)}
        for name, kept in choices(whole, rows).items():
            cut = write_cut(whole, place / name, kept)
            loss = measure_loss(cut, rows.held_out, chat_format)
            figures[f"dropped_{name}"] = sorted({*range(len(kept) + DROPPED)} - {*kept})
            figures[f"bits_per_byte_{name}"] = round(loss.bits_per_byte, 4)
            print(name, figures[f"dropped_{name}"], loss.bits_per_byte, file=sys.stderr)
        figures |= healed(place, whole, rows, chat_format)
        after = measure_loss(place / "healed", rows.held_out, chat_format)
        figures |= {"bits_per_byte_healed": round(after.bits_per_byte, 4),
                    "rise_healed": round(after.bits_per_byte / parent.bits_per_byte - 1, 4),
                    "rise_healed_highest": round(highest_rise(parent, after), 4)}
        figures |= speeds(place, {"whole": whole, "cut": place / "healed"}, rows, chat_format)
    before, best = float(str(figures["bits_per_byte_influence"])), float(str(figures["bits_per_byte_healed"]))
    figures |= {"healed_share": round((before - best) / (before - parent.bits_per_byte), 3),
                "minutes": round((time.monotonic() - started) / 60, 1)}
    finish("prune", figures, [at_least("speed_ratio", 1.1), at_least("healed_share", 0.5), at_most("megabytes_ratio", 0.9)])


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


def choices(whole: Path, rows: Rows) -> dict[str, tuple[int, ...]]:
    """The layers that are kept: by influence, as the product does; by the loss without each layer; and evenly spread."""
    model: Any = load_causal(whole)
    influence = block_influence(model, [ids for ids, _ in rows.train[:INFLUENCE_ROWS]])
    without = losses_without(model, rows.train[:SKIPPED_ROWS])
    types = layer_types(model)
    return {"influence": choose_layers(influence, types, drop=DROPPED), "loss": choose_layers(without, types, drop=DROPPED),
            "even": kept_layers(len(types), len(types) - DROPPED)}


@torch.no_grad()
def losses_without(model: Any, rows: Sequence[tuple[tuple[int, ...], int]]) -> list[float]:
    """Nats of the replies when each layer in turn is skipped."""
    found = []
    for layer in layers_of(model):
        handle = layer.register_forward_hook(lambda module, inputs, output: inputs[0])
        found.append(sum(float(F.cross_entropy(model(input_ids=torch.tensor([ids])).logits[0, start - 1:-1], torch.tensor(ids[start:]),
                                               reduction="sum")) for ids, start in rows))
        handle.remove()
    return found


def write_cut(whole: Path, folder: Path, kept: tuple[int, ...]) -> Path:
    """The model with only these layers."""
    keep_layers(load_causal(whole), kept).save_pretrained(folder)
    keep_vocabulary(whole, folder)
    return folder


def healed(place: Path, whole: Path, rows: Rows, chat_format: ChatFormat) -> dict[str, object]:
    """Heal the model that was cut by influence, and say how that went."""
    store = Store(place)
    with store.making("dataset", "1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", rows.examples)
    dataset, scratch = store.latest("dataset"), place / "scratch"
    assert dataset is not None
    scratch.mkdir()
    stage = Making(settings=Settings(), parents={"dataset": dataset}, folder=place, scratch=scratch, work=place,
                   events=Events(lambda event: print(event.facts, file=sys.stderr)))
    began = time.monotonic()
    done = heal(stage, recipe=RECIPE, teacher=whole, student=place / "influence", folder=place / "healed", steps=STEPS)
    keep_vocabulary(whole, place / "healed")
    return {"heal_loss_before": round(done.loss_before, 4), "heal_loss_after": round(done.loss_after, 4),
            "heal_minutes": round((time.monotonic() - began) / 60, 1)}


def speeds(place: Path, folders: dict[str, Path], rows: Rows, chat_format: ChatFormat) -> dict[str, object]:
    """Tokens a second of both copies in 8 bits, each in turn, and their sizes."""
    for name, folder in folders.items():
        export_gguf(folder, place / f"{name}.gguf", quantisation="q8_0", name=name, chat_format=chat_format)
    vocabulary = Vocabulary(folders["whole"])
    timing = Timing([render(row.prompt, chat_format, vocabulary, reply=True).ids for row in rows.held_out[:PROMPTS]], NEW_TOKENS)
    taken = [{name: measure_speed(place / f"{name}.gguf", timing) for name in folders} for _ in range(ROUNDS)]
    ratio = [one["cut"].tokens_per_second / one["whole"].tokens_per_second for one in taken]
    first = [one["whole"].first_token_ms / one["cut"].first_token_ms for one in taken]
    sizes = {name: (place / f"{name}.gguf").stat().st_size for name in folders}
    return {"speed_ratio": round(median(ratio), 3), "speed_ratios": [round(one, 3) for one in ratio],
            "first_token_ratio": round(median(first), 3), "threads": taken[0]["cut"].threads,
            "tokens_per_second": {name: round(median(one[name].tokens_per_second for one in taken), 1) for name in folders},
            "megabytes": {name: round(size / 1e6, 1) for name, size in sizes.items()},
            "megabytes_ratio": round(sizes["cut"] / sizes["whole"], 3)}


if __name__ == "__main__":
    main()
