"""SmolLM2-135M with parts taken out: what each way costs, how much of that a short healing gives back, and what it gains in speed.

Usage: prune.py WORK, the work folder of a demo whose model is made. Rows of at most 160 tokens, to keep it short.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from common import at_least, at_most, finish
from prune_rows import COUNTS, HEAL, STEPS, Whole, given, open_whole, write_dataset

from tutelage.core.chat import render
from tutelage.core.store import Artifact
from tutelage.engine.fewer_layers import keep_layers, kept_layers, layers_of
from tutelage.engine.influence import choose_layers, layer_types
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.model.depth import drop_layers
from tutelage.model.evidence_speed import Timing, measure_speed
from tutelage.model.export_gguf import export_gguf
from tutelage.model.shrink import keep_vocabulary
from tutelage.model.sparsity import set_zeros
from tutelage.model.width import narrow

DROPPED = 6  # of 30 layers
SKIPPED_ROWS = 2
WAYS: dict[str, tuple[Any, dict[str, object]]] = {
    "layers": (drop_layers, {"drop_layers": DROPPED}), "channels": (narrow, {"drop_channels": 0.34}),
    "heads": (narrow, {"drop_heads": 3}), "2_of_4": (set_zeros, {"sparsity": "2_of_4"}), "half": (set_zeros, {"sparsity": 0.5})}
HEALED = ("layers", "channels", "2_of_4")
PROMPTS, NEW_TOKENS, ROUNDS = 3, 32, 3


def main() -> None:
    """Take parts out, heal, and time."""
    started = time.monotonic()
    whole = open_whole(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        dataset = write_dataset(place, whole.rows)
        ways = {name: taken_out(name, place, whole, dataset) for name in WAYS}
        others = {name: written(place / name, whole, kept) for name, kept in other_choices(whole).items()}
        copies = {"whole": whole.folder} | {name: place / name / ("healed" if name in HEALED else "unhealed") for name in WAYS}
        speeds = timed(place, copies, whole)
    for name, figures in speeds.items():
        if name != "whole":
            ways[name] |= {key: figures[key] for key in ("speed_ratio", "speed_ratios", "first_token_ratio", "megabytes_ratio")}
    layers: Mapping[str, Any] = ways["layers"]
    finish("prune", {
        "rows": COUNTS, "heal_steps": STEPS, "bits_per_byte_whole": round(whole.loss.bits_per_byte, 4), "ways": ways,
        "layers_chosen_otherwise": others, "tokens_per_second": {name: one["tokens_per_second"] for name, one in speeds.items()},
        "megabytes": {name: one["megabytes"] for name, one in speeds.items()}, "threads": speeds["whole"]["threads"],
        "speed_ratio": layers["speed_ratio"], "healed_share": layers["healed_share"], "megabytes_ratio": layers["megabytes_ratio"],
        "narrow_speed_ratio": ways["channels"]["speed_ratio"], "sparse_megabytes_ratio": ways["2_of_4"]["megabytes_ratio"],
        "minutes": round((time.monotonic() - started) / 60, 1)},
        [at_least("speed_ratio", 1.1), at_least("healed_share", 0.5), at_most("megabytes_ratio", 0.9)])


def taken_out(name: str, place: Path, whole: Whole, dataset: Artifact) -> dict[str, Any]:
    """What one way costs, and where it is healed what is left of that then."""
    step, settings = WAYS[name]
    folder = place / name
    facts = step(HEAL, given(folder / "stage0", whole, dataset, heal_steps=0, **settings), folder / "unhealed")
    cut = whole.cost(folder / "unhealed")
    figures: dict[str, Any] = {"facts": facts} | cut
    if name not in HEALED:
        return figures
    began = time.monotonic()
    facts = step(HEAL, given(folder / "stage1", whole, dataset, heal_steps=STEPS, **settings), folder / "healed")
    healed = whole.cost(folder / "healed")
    lost = cut["bits_per_byte"] - whole.loss.bits_per_byte
    return figures | {"healed": healed, "heal_minutes": round((time.monotonic() - began) / 60, 1),
                      "heal_loss": [round(float(facts[key]), 4) for key in ("loss_before", "loss_after")],
                      "healed_share": round((cut["bits_per_byte"] - healed["bits_per_byte"]) / lost, 3)}


def other_choices(whole: Whole) -> dict[str, tuple[int, ...]]:
    """As many layers chosen otherwise: by the loss without each layer alone, and evenly spread."""
    model: Any = load_causal(whole.folder)
    types = layer_types(model)
    without = losses_without(model, whole.rows.train[:SKIPPED_ROWS])
    return {"loss": choose_layers(without, types, drop=DROPPED), "even": kept_layers(len(types), len(types) - DROPPED)}


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


def written(folder: Path, whole: Whole, kept: tuple[int, ...]) -> dict[str, Any]:
    """What the model with only these layers costs."""
    keep_layers(load_causal(whole.folder), kept).save_pretrained(folder)
    keep_vocabulary(whole.folder, folder)
    return {"dropped": sorted({*range(len(kept) + DROPPED)} - {*kept})} | whole.cost(folder)


def timed(place: Path, folders: dict[str, Path], whole: Whole) -> dict[str, dict[str, Any]]:
    """Tokens a second of copies in 8 bits, all in turn, their sizes, and both against the whole model's."""
    for name, folder in folders.items():
        export_gguf(folder, place / f"{name}.gguf", quantisation="q8_0", name=name, chat_format=whole.chat_format)
    vocabulary = Vocabulary(whole.folder)
    prompts = [render(row.prompt, whole.chat_format, vocabulary, reply=True).ids for row in whole.rows.held_out[:PROMPTS]]
    taken = [{name: measure_speed(place / f"{name}.gguf", Timing(prompts, NEW_TOKENS)) for name in folders} for _ in range(ROUNDS)]
    sizes = {name: (place / f"{name}.gguf").stat().st_size for name in folders}
    figures = {}
    for name in folders:
        ratios = [one[name].tokens_per_second / one["whole"].tokens_per_second for one in taken]
        first = [one["whole"].first_token_ms / one[name].first_token_ms for one in taken]
        figures[name] = {"speed_ratio": round(median(ratios), 3), "speed_ratios": [round(one, 3) for one in ratios],
                         "first_token_ratio": round(median(first), 3), "threads": taken[0][name].threads,
                         "tokens_per_second": round(median(one[name].tokens_per_second for one in taken), 1),
                         "megabytes": round(sizes[name] / 1e6, 1), "megabytes_ratio": round(sizes[name] / sizes["whole"], 3)}
    return figures


if __name__ == "__main__":
    main()
