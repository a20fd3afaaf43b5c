"""Self-consistency: 8 replies of 32 tokens that share one reading of a 600-token prompt, against 8 requests of their own (SmolLM2-135M).

Rounds of both are interleaved; the figure is the median of the rounds' ratios. Run it with `make bench NAME=vote`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from common import at_most, finish

from tutelage.core.records import Answer, Sampling
from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine

ROUNDS = 3
REPLIES, PROMPT_TOKENS, NEW_TOKENS = 8, 600, 32
TEXT = "The Supplier shall keep all Confidential Information secret and shall use it only to perform this Agreement. "


def seconds_of(replies: Iterable[str | Answer]) -> tuple[float, int]:
    """How long the replies take, and how many tokens they have."""
    began = time.monotonic()
    made = sum(len(piece.token_ids) for piece in replies if isinstance(piece, Answer))
    return time.monotonic() - began, made


def main() -> None:
    """Measure, and write the result."""
    base = find_base("smollm2-135m-instruct")
    engine = GgufEngine(Path(base.gguf), name="base", context_length=1024, parallel=1, threads=1)
    ids = engine.tokenize(TEXT * 60)
    rounds = []
    for number in range(ROUNDS + 1):
        # Another beginning each round, so that nothing can be left from the one before; no end token, so that all replies are full.
        prompt = [*engine.tokenize(f"Round {number}. "), *ids][:PROMPT_TOKENS]
        samplings = [Sampling(max_tokens=NEW_TOKENS, temperature=1.0, seed=seed) for seed in range(REPLIES)]
        if number == 0:  # warms up, and is not counted
            seconds_of(engine.stream_each(prompt, samplings[:2], end_ids=[]))
            continue
        shared, made = seconds_of(engine.stream_each(prompt, samplings, end_ids=[]))
        alone, made_alone = seconds_of(piece for sampling in samplings for piece in engine.stream(prompt, sampling, end_ids=[]))
        rounds.append({"shared_seconds": round(shared, 2), "separate_seconds": round(alone, 2), "ratio": round(shared / alone, 4),
                       "tokens_shared": made, "tokens_separate": made_alone})
        print(rounds[-1], flush=True)
    engine.close()
    figures = {"model": "SmolLM2-135M-Instruct Q4_1", "threads": 1, "replies": REPLIES, "prompt_tokens": PROMPT_TOKENS,
               "new_tokens": NEW_TOKENS, "rounds": rounds, "ratio": statistics.median(one["ratio"] for one in rounds)}
    finish("vote", figures, [at_most("ratio", 0.5)])


if __name__ == "__main__":
    main()
