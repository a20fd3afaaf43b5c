"""Eight answers at once from SmolLM2-135M: without an adapter, all with one, and spread over two and four on the same base copy.

llama.cpp computes answers of different adapters in turns; this is what that costs. The adapters are random (rank 16, all linear layers):
speed does not depend on what they learned. Rounds are interleaved; figures are medians. Run it with `make bench NAME=adapters`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from common import at_least, finish
from peft import LoraConfig, get_peft_model

from tutelage.core.chat import CHATML
from tutelage.core.records import Answer, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_base import as_folder, load_causal
from tutelage.model.export_adapter import export_adapter, write_base

ROUNDS, STREAMS, NEW_TOKENS, THREADS = 5, 8, 24, 1
TEXT = "The Supplier shall keep all Confidential Information secret and shall use it only to perform this Agreement."
LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SPREADS: dict[str, tuple[int | None, ...]] = {"none": (None,), "one": (0,), "two": (0, 1), "four": (0, 1, 2, 3)}


def make_adapter(folder: Path, place: Path, seed: int) -> Path:
    """A random LoRA adapter as PEFT saves it."""
    torch.manual_seed(seed)
    model: Any = get_peft_model(load_causal(folder), LoraConfig(r=16, lora_alpha=32, target_modules=LAYERS))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    model.save_pretrained(str(place))
    return place


def tokens_per_second(engine: GgufEngine, adapters: Sequence[int | None]) -> float:
    """Eight streams at once, adapters in turn."""
    prompt = engine.tokenize(TEXT)

    def ask(number: int) -> int:
        last = list(engine.stream(prompt, Sampling(max_tokens=NEW_TOKENS), end_ids=[], adapter=adapters[number % len(adapters)]))[-1]
        assert isinstance(last, Answer)
        return len(last.token_ids)

    began = time.monotonic()
    with ThreadPoolExecutor(STREAMS) as people:
        made = sum(people.map(ask, range(STREAMS)))
    return made / (time.monotonic() - began)


def main() -> None:
    """Measure, and write the result."""
    folder = as_folder(find_base("smollm2-135m-instruct"), Path("work") / "base")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        weights = write_base(folder, place / "base", quantisation="q8_0", chat_format=CHATML)
        adapters = []
        for seed in range(4):
            adapters.append(place / "model" / f"m{seed}" / "model-q8_0.gguf")
            adapters[-1].parent.mkdir(parents=True)
            export_adapter(make_adapter(folder, place / f"a{seed}", seed), folder, weights, adapters[-1], name=f"m{seed}")
        megabytes = {"base": round(weights.stat().st_size / 1e6, 1), "adapter": round(adapters[0].stat().st_size / 1e6, 1)}
        engine = GgufEngine(weights, name="base", context_length=128, parallel=STREAMS, threads=THREADS, adapters=adapters)
        rounds: dict[str, list[float]] = {name: [] for name in SPREADS}
        for number in range(ROUNDS + 1):
            for name, spread in SPREADS.items():
                rate = tokens_per_second(engine, spread)
                if number:  # the first round warms up
                    rounds[name].append(round(rate, 1))
            print({name: rates[-1:] for name, rates in rounds.items()}, flush=True)
        engine.close()
    medians = {name: statistics.median(rates) for name, rates in rounds.items()}
    ratios = {f"{name}_to_one": round(statistics.median(rate / one for rate, one in zip(rounds[name], rounds["one"], strict=True)), 3)
              for name in ("none", "two", "four")}
    finish("adapters", {"model": "SmolLM2-135M-Instruct, q8_0", "threads": THREADS, "streams": STREAMS, "new_tokens": NEW_TOKENS,
                        "rounds": rounds, "tokens_per_second": medians, **ratios, "megabytes": megabytes},
           [at_least("two_to_one", 0.3)])


if __name__ == "__main__":
    main()
