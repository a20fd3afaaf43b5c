"""How a copy runs here: load time, memory, latency and tokens a second, measured in a process of its own.

That process holds nothing but the copy, so that its memory is the copy's and not that of whoever asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tutelage.core.copies import Speed
from tutelage.core.engine import Engine
from tutelage.core.errors import TutelageError
from tutelage.core.memory import PeakMemory
from tutelage.core.records import Answer, Sampling
from tutelage.engine.gguf_engine import GgufEngine

STREAMS = 8
LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Timing:
    """What is asked: `prompts` are token ids, each answered with `new_tokens` tokens. `threads` as `GgufEngine` takes them."""

    prompts: Sequence[Sequence[int]]
    new_tokens: int
    threads: int | None = None


def measure_speed(copy: Path, timing: Timing) -> Speed:
    """Time `copy`, a GGUF file or the folder of an ONNX copy, in a process of its own. Raises TutelageError if that process fails."""
    asked = {"path": str(copy), "prompts": [list(prompt) for prompt in timing.prompts], "new_tokens": timing.new_tokens,
             "threads": timing.threads}
    ran = subprocess.run([sys.executable, "-m", __name__], input=json.dumps(asked), text=True, capture_output=True, check=False,
                         timeout=LIMIT_SECONDS)
    if ran.returncode != 0:
        said = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise TutelageError(f"model: the process that times {copy.name} ended with {ran.returncode}: {said[0]}. "
                            "Set model.measure: off to go on without these figures.")
    return Speed.model_validate_json(ran.stdout.strip().splitlines()[-1])


def time_copy(copy: Path, timing: Timing) -> Speed:
    """The same in this process, whose memory is counted."""
    threads = timing.threads or free_threads()
    context_length = max(map(len, timing.prompts)) + timing.new_tokens
    with PeakMemory() as held:
        began = time.monotonic()
        engine = open_copy(copy, context_length=context_length, threads=threads)
        loaded = time.monotonic() - began
        try:
            sampling = Sampling(max_tokens=timing.new_tokens)
            singles = [_single(engine, prompt, sampling) for prompt in timing.prompts]
            prompts = [timing.prompts[place % len(timing.prompts)] for place in range(STREAMS)]
            began = time.monotonic()
            answers = engine.generate(prompts, sampling, end_ids=())
            together = time.monotonic() - began
        finally:
            engine.close()
    return Speed(threads=threads, load_seconds=round(loaded, 2), peak_rss_mb=round(held.peak_mb, 1),
                 first_token_ms=round(1e3 * median(one.first for one in singles), 1),
                 token_ms=round(1e3 * median(one.each for one in singles), 2),
                 tokens_per_second=round(median(one.rate for one in singles), 1),
                 tokens_per_second_streams=round(sum(len(answer.token_ids) for answer in answers) / together, 1),
                 streams=STREAMS, prompts=len(timing.prompts), new_tokens=timing.new_tokens, context_length=context_length)


def free_threads() -> int:
    """As many as serving takes: one core is left to everything else."""
    return max(1, (os.cpu_count() or 2) - 1)


def open_copy(copy: Path, *, context_length: int, threads: int | None = None) -> Engine:
    """The engine of a GGUF file, with room for `STREAMS` answers, or of the folder of an ONNX copy."""
    if copy.is_dir():
        from tutelage.engine.onnx_engine import OnnxEngine  # here, so that its tokenizer is not counted for a GGUF file

        return OnnxEngine(copy, name="copy", threads=threads)
    return GgufEngine(copy, name="copy", context_length=context_length, parallel=STREAMS, threads=threads)


@dataclass(frozen=True)
class _Single:
    """Seconds to the first text, seconds for each further token, and tokens a second over the whole answer."""

    first: float
    each: float
    rate: float


def _single(engine: Engine, prompt: Sequence[int], sampling: Sampling) -> _Single:
    began = time.monotonic()
    first, answer = 0.0, None
    for piece in engine.stream(prompt, sampling, end_ids=()):
        first = first or time.monotonic() - began
        answer = piece if isinstance(piece, Answer) else answer
    whole = time.monotonic() - began
    made = len(answer.token_ids) if answer else 0
    return _Single(first, (whole - first) / max(1, made - 1), made / whole)


def main() -> None:
    """Read what is asked from standard input, write a `Speed` as the last line of standard output."""
    asked = json.loads(sys.stdin.read())
    speed = time_copy(Path(asked["path"]), Timing(asked["prompts"], asked["new_tokens"], asked["threads"]))
    sys.stdout.write(speed.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
