"""One engine with one form of the model: answers timed, memory, and bits per byte, in a process of its own; engines.py starts it.

    python engines_runs.py JOB RESULT
JOB: JSON with `engine` (one of ENGINES), `model` (a folder, or a GGUF file), `threads`, `prompts` (texts), `prompt_tokens` (each is cut to
so many by the model's own tokenizer), `new_tokens`, `streams`, `rows` (a file of held-out rows to score, "" for none) and
`chat_format`. RESULT gets tokens a second for one prompt alone and for `streams` at once, both end to end, the peak of resident
memory until then, and bits per byte of the rows' answers. No engine imports what only another one needs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tutelage.core.chat import ChatFormat
from tutelage.core.files import read_rows
from tutelage.core.memory import PeakMemory
from tutelage.core.records import Example, Sampling

Ids = Sequence[Sequence[int]]


class Engine:
    """What is timed: `ids` cuts a text to tokens, `answer` gives how many new tokens it made, `scorer` opens one of ours for scoring."""

    def __init__(self, ids: Callable[[str], list[int]], answer: Callable[[Ids, int], int], scorer: Callable[[], Any]) -> None:
        self.ids, self.answer, self.scorer = ids, answer, scorer


def _transformers(job: dict[str, Any], model: Any) -> Engine:
    import torch
    from transformers import AutoTokenizer

    from tutelage.engine.torch_engine import TorchEngine

    tokenizer = AutoTokenizer.from_pretrained(job["model"])

    def answer(prompts: Ids, new_tokens: int) -> int:
        ids = torch.tensor([list(prompt) for prompt in prompts])
        with torch.inference_mode():
            made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, min_new_tokens=new_tokens,
                                  do_sample=False)
        return int(made.numel() - ids.numel())

    def scorer() -> TorchEngine:
        opened = TorchEngine(Path(job["model"]), name=job["engine"])
        opened._model = model  # the very weights that were timed
        return opened

    return Engine(lambda text: tokenizer(text, add_special_tokens=False)["input_ids"], answer, scorer)


def _load(job: dict[str, Any], **more: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(job["threads"])
    return AutoModelForCausalLM.from_pretrained(job["model"], **more).eval()


def torch_fp32(job: dict[str, Any]) -> Engine:
    """Transformers as most people load a model, in fp32."""
    import torch

    return _transformers(job, _load(job, dtype=torch.float32))


def torch_int8(job: dict[str, Any]) -> Engine:
    """The same with PyTorch's own dynamic int8 in all linear layers."""
    import torch

    model = _load(job, dtype=torch.float32)
    return _transformers(job, torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8))


def gguf(job: dict[str, Any]) -> Engine:
    """llama.cpp, as it serves."""
    from tutelage.engine.gguf_engine import GgufEngine

    path = Path(job["model"])
    return _ours(GgufEngine(path, name="gguf", context_length=job["prompt_tokens"] + job["new_tokens"], parallel=job["streams"],
                            threads=job["threads"]), lambda: GgufEngine(path, name="gguf", context_length=2048))


def onnx(job: dict[str, Any]) -> Engine:
    """ONNX Runtime with our decoding."""
    from tutelage.engine.onnx_engine import OnnxEngine

    engine = OnnxEngine(Path(job["model"]), name="onnx", threads=job["threads"])
    return _ours(engine, lambda: engine)


def _ours(engine: Any, scorer: Callable[[], Any]) -> Engine:
    def answer(prompts: Ids, new_tokens: int) -> int:
        answers = engine.generate(prompts, Sampling(max_tokens=new_tokens), end_ids=())
        return sum(len(answer.token_ids) for answer in answers)

    return Engine(engine.tokenize, answer, scorer)


ENGINES = {"torch_fp32": torch_fp32, "torch_int8": torch_int8, "gguf": gguf, "onnx": onnx}


def run(job: dict[str, Any]) -> dict[str, float]:
    """Open the engine, time it, and score with it."""
    with PeakMemory() as held:
        began = time.perf_counter()
        engine = ENGINES[job["engine"]](job)
        load = time.perf_counter() - began
        prompts = [engine.ids(text)[:job["prompt_tokens"]] for text in job["prompts"]]
        assert {len(prompt) for prompt in prompts} == {job["prompt_tokens"]}, "a prompt is too short"
        engine.answer(prompts[:1], 2)  # what is done only once is not counted
        single = _rate(engine, prompts[:1], job["new_tokens"])
        together = _rate(engine, prompts[:job["streams"]], job["new_tokens"])
    figures = {"load_seconds": round(load, 2), "single": single, "together": together, "memory_mb": held.peak_mb}
    return figures | ({"bits_per_byte": _bits(engine.scorer(), job)} if job["rows"] else {})


def _rate(engine: Engine, prompts: Ids, new_tokens: int) -> float:
    """New tokens a second, the prompts read included."""
    began = time.perf_counter()
    made = engine.answer(prompts, new_tokens)
    return made / (time.perf_counter() - began)


def _bits(scorer: Any, job: dict[str, Any]) -> float:
    from tutelage.model.held_out import score_answers  # with PyTorch, which must not count as anybody else's memory

    rows = list(read_rows(Path(job["rows"]), Example))
    return score_answers(scorer, rows, ChatFormat.model_validate(job["chat_format"])).bits_per_byte


def main() -> None:
    """Run the job that the command line names."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    Path(sys.argv[2]).write_text(json.dumps(run(job)), "utf-8")


if __name__ == "__main__":
    main()
