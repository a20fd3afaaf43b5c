"""The GGUF engine: llama.cpp inside this process, many answers at once; the engine that serves."""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Sampling, TokenChance, TokenScore
from tutelage.engine.gguf_adapter import parts_of
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_memory import memory_need, number
from tutelage.engine.llama_library import LlamaScorer, LlamaVocabulary, library
from tutelage.engine.reply import Reply
from tutelage.engine.sampling import check_embedded, check_fits, check_prompt, check_rows, check_tokens, penalty_window
from tutelage.engine.spelling import Spelling

Chunk = dict[str, Any]
SLOT = "id_slot"  # llama.cpp's name for one of its `parallel` places


class GgufEngine(Spelling[LlamaVocabulary]):
    """Answers with a GGUF file. Up to `parallel` answers are made at once, each with `context_length` tokens of room.

    `threads` None leaves one core to everything else: with as many threads as cores, llama.cpp crawls when a core is busy. `scorers` rows
    are scored at once, each with memory of its own; None: one for each core. `adapters` are files of LoRA adapters on this one: each
    call names one by its number, or none. Answers of different adapters are made at the same time, each step for one of them. A file that
    is an adapter itself is always taken, on its base.
    """

    def __init__(self, path: Path, *, name: str, context_length: int = 2048, parallel: int = 1, threads: int | None = None,
                 scorers: int | None = None, adapters: Sequence[Path] = ()) -> None:
        self.name = name
        self.context_length = context_length
        self._path = path
        parts = parts_of(path)
        self._adapters = (parts.adapter,) if parts.adapter else tuple(adapters)
        self._own = 0 if parts.adapter else None
        self._parallel = parallel
        self._scorers = scorers or os.cpu_count() or 1
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._head = read_head(parts.weights)
        trained = number(self._head, "context_length")
        if context_length > trained:
            raise InputError(f"{path}: context_length is {context_length}; this model was made for at most {trained}. Lower it.")
        self._vocabulary = LlamaVocabulary(path)
        self._server: Any = _start(parts.weights, context_length=context_length * parallel, parallel=parallel, threads=self._threads,
                                   adapters=self._adapters)
        self._scorer: LlamaScorer | None = None
        self._scoring = threading.Lock()
        self._stops = 0
        self._workers = ThreadPoolExecutor(max_workers=max(parallel, 1), thread_name_prefix="gguf")
        # Whoever holds a slot over several replies never waits for a worker that waits for a slot.
        self._sharers = ThreadPoolExecutor(max_workers=max(parallel, 1), thread_name_prefix="gguf-shared")
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(max(parallel, 1)):
            self._slots.put(slot)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None, adapter: int | None = None) -> list[Answer]:
        """One reply to each prompt, up to `parallel` at once."""
        for prompt in prompts:
            self._check_asked(prompt, sampling)
        request = self._request(sampling, constraint, adapter)
        return list(self._workers.map(lambda prompt: self._complete(prompt, request, sampling, end_ids, lambda _: True), prompts))

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None, adapter: int | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, then the Answer. Several threads may stream at once."""
        self._check_asked(prompt_ids, sampling)
        return self._stream(prompt_ids, self._request(sampling, constraint, adapter), sampling, end_ids)

    def stream_each(self, prompt_ids: Sequence[int], samplings: Sequence[Sampling], *, end_ids: Sequence[int],
                    constraint: Constraint | None = None, adapter: int | None = None) -> Generator[str | Answer, None, None]:
        """Replies to one prompt, which goes through the model once: they are made one after another in one slot that keeps it."""
        for sampling in samplings:
            self._check_asked(prompt_ids, sampling)
        return self._stream_each(prompt_ids, [self._request(sampling, constraint, adapter) for sampling in samplings], samplings, end_ids)

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int], *, adapter: int | None = None) -> list[list[TokenScore]]:
        """Log-probabilities of each row's tokens from its start on, by the same code that generates."""
        self._check_scored(rows, starts)
        with self._scoring:
            found = self._open_scorer().score(rows, starts, adapter=adapter)
        return [[TokenScore(token_id=token, logprob=logprob, highest=highest) for token, (logprob, highest) in
                 zip(row[start:], logprobs, strict=True)] for row, start, logprobs in zip(rows, starts, found, strict=True)]

    def chances(self, row: Sequence[int], start: int, *, likeliest: int, adapter: int | None = None) -> list[TokenChance]:
        """What else could have stood in the place of each token from `start` on, by the same code that scores."""
        self._check_scored([row], [start])
        with self._scoring:
            found = self._open_scorer().likeliest(row, start, likeliest, adapter=adapter)
        return [TokenChance(token_id=token, logprob=logprob,
                            likeliest=tuple(TokenScore(token_id=other, logprob=value) for other, value in others))
                for token, (logprob, others) in zip(row[start:], found, strict=True)]

    def best_next(self, prompts: Sequence[Sequence[int]]) -> list[int]:
        """The likeliest token after each prompt."""
        for prompt in prompts:
            check_prompt(prompt, Sampling(max_tokens=1), self.context_length)
        with self._scoring:
            return self._open_scorer().best_next(prompts)

    def embed(self, texts: Sequence[str], *, adapter: int | None = None) -> np.ndarray:
        """The mean of the last hidden states, of unit length. A language model is a weak source of such vectors."""
        return self.vectors([self.tokenize(text) for text in texts], adapter=adapter)

    def vectors(self, rows: Sequence[Sequence[int]], *, adapter: int | None = None) -> np.ndarray:
        """The same for rows of token ids."""
        for row in rows:
            check_embedded(row, self.context_length)
            check_tokens(row, self._vocabulary.size)
        with self._scoring:
            found = self._open_scorer().vectors(rows, adapter=adapter)
        width = number(self._head, "embedding_length")
        return np.stack([vector / np.linalg.norm(vector) for vector in found]) if found else np.zeros((0, width), np.float32)

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered: llama.cpp takes adapters at its start only."""
        raise CannotDo(f"adapter {name!r}: the GGUF engine takes no adapter while it runs. Merge it (`tutelage make --until model`) "
                       "and serve the file, open the engine with it, or use TorchEngine with the model folder.")

    def unload_adapter(self, name: str) -> None:
        """Not offered: llama.cpp keeps those that it was started with."""
        raise CannotDo(f"adapter {name!r}: the GGUF engine keeps the adapters that it was opened with. Use TorchEngine with the model "
                       "folder.")

    def memory_bytes(self) -> int:
        """Bytes of the file and of the keys and values of all answers at full length."""
        need = memory_need(self._head, context_length=self.context_length, parallel=self._parallel, scorers=self._scorers,
                           adapters=sum(path.stat().st_size for path in self._adapters))
        return need.weights + need.keys_and_values

    def cancel(self) -> None:
        """Stop generations under way after the token being made; their answers end with "length"."""
        self._stops += 1

    def close(self) -> None:
        """Stop what runs and free everything."""
        self.cancel()
        self._workers.shutdown(wait=True)
        self._sharers.shutdown(wait=True)
        self._server = None
        self._vocabulary.close()
        if self._scorer is not None:
            self._scorer.close()

    def _check_asked(self, prompt: Sequence[int], sampling: Sampling) -> None:
        check_prompt(prompt, sampling, self.context_length)
        check_tokens([*prompt, *(token for token, _ in sampling.logit_bias)], self._vocabulary.size)

    def _check_scored(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> None:
        check_rows(rows, starts)
        for row in rows:
            check_fits(len(row), 0, self.context_length)
            check_tokens(row, self._vocabulary.size)

    def _open_scorer(self) -> LlamaScorer:
        """The scorer, loaded when it is first needed: serving does not pay for it."""
        if self._scorer is None:
            self._scorer = LlamaScorer(self._path, context_length=self.context_length, workers=self._scorers,
                                       adapters=() if self._own is not None else self._adapters)
        return self._scorer

    def _stream(self, prompt_ids: Sequence[int], request: Chunk, sampling: Sampling, end_ids: Sequence[int]) -> Iterator[str | Answer]:
        pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: no more will come
        is_wanted = threading.Event()
        is_wanted.set()

        def send(piece: str) -> bool:
            if piece:
                pieces.put(piece)
            return is_wanted.is_set()

        workers = self._sharers if SLOT in request else self._workers
        whole = workers.submit(self._complete, prompt_ids, request, sampling, end_ids, send)
        whole.add_done_callback(lambda _: pieces.put(None))
        try:
            while (piece := pieces.get()) is not None:
                yield piece
            yield whole.result()
        finally:
            is_wanted.clear()
            whole.cancel()

    def _stream_each(self, prompt_ids: Sequence[int], requests: Sequence[Chunk], samplings: Sequence[Sampling],
                     end_ids: Sequence[int]) -> Generator[str | Answer, None, None]:
        with self._slot() as slot:
            for number, (request, sampling) in enumerate(zip(requests, samplings, strict=True)):
                # The first one reads the prompt whatever was in the slot: nothing of another request is ever taken over.
                yield from self._stream(prompt_ids, {**request, SLOT: slot, "cache_prompt": number > 0}, sampling, end_ids)

    @contextmanager
    def _slot(self) -> Iterator[int]:
        """A place of llama.cpp's that nobody else uses meanwhile."""
        slot = self._slots.get()
        try:
            yield slot
        finally:
            self._slots.put(slot)

    def _token_ids(self, last: int, data: bytes) -> list[int]:
        """The tokens that a chunk stands for: `last`, and those before it whose bytes ended within a character.

        llama.cpp names only the last; the others are spelled from the bytes that remain.
        """
        return [*self._vocabulary.spell(data.removesuffix(self._vocabulary.bytes_of(last))), last]

    def _request(self, sampling: Sampling, constraint: Constraint | None, adapter: int | None = None) -> Chunk:
        """What llama.cpp's server is asked beside the prompt. Ids and bytes of tokens come with the log-probabilities."""
        number = self._own if adapter is None else adapter
        if number is not None and not 0 <= number < len(self._adapters):
            raise InputError(f"{self.name}: adapter {number} is not there; it was opened with {len(self._adapters)}.")
        asked: Chunk = {"n_predict": sampling.max_tokens, "stream": True, "n_probs": 1, "cache_prompt": False,
                 "temperature": max(0.0, sampling.temperature), "top_p": sampling.top_p, "top_k": 0, "min_p": 0.0, "seed": sampling.seed,
                 "repeat_penalty": sampling.repetition_penalty, "repeat_last_n": penalty_window(sampling, self.context_length),
                 "presence_penalty": sampling.presence_penalty, "frequency_penalty": sampling.frequency_penalty,
                 "logit_bias": [list(one) for one in sampling.logit_bias], "samplers": ["penalties", "temperature", "top_p"]}
        if self._adapters:  # those that are not named have no part in the answer
            asked["lora"] = [] if number is None else [{"id": number, "scale": 1.0}]
        return {**asked, "grammar": constraint.grammar} if constraint else asked

    def _complete(self, prompt: Sequence[int], request: Chunk, sampling: Sampling, end_ids: Sequence[int],
                  send: Callable[[str], bool]) -> Answer:
        """Run one generation to its end; `send` gets each piece of text and says whether to go on."""
        reply = Reply(len(prompt), sampling, model=self.name)
        stops = self._stops
        failures: list[str] = []

        def take(chunk: Chunk) -> bool:
            """Called by llama.cpp for each token; True stops it."""
            if "error" in chunk:
                failures.append(str(chunk["error"].get("message", chunk["error"])))
                return True
            choice = chunk["choices"][0]
            piece = ""
            for token in (choice["logprobs"] or {"content": []})["content"]:
                for token_id in self._token_ids(token["id"], bytes(token["bytes"])):
                    if not reply.is_finished:
                        piece += reply.add(token_id, self._vocabulary.bytes_of(token_id), end_ids)
            if choice["finish_reason"] and not reply.is_finished:
                piece += reply.end(choice["finish_reason"])
            goes_on = send(piece) and self._stops == stops
            if not goes_on and not reply.is_finished:
                send(reply.end("length"))
            return reply.is_finished

        with nullcontext(request[SLOT]) if SLOT in request else self._slot() as slot:
            answer = self._server.handle_completions({**request, "prompt": list(prompt), SLOT: slot}, take)
        if isinstance(answer, dict) and "error" in answer:
            failures.append(str(answer["error"].get("message", answer["error"])))
        if failures:
            raise ServiceUnavailable(f"{self.name}: llama.cpp refused the prompt of {len(prompt)} tokens: {failures[0]}.")
        return reply.answer()


def _start(path: Path, *, context_length: int, parallel: int, threads: int, adapters: Sequence[Path] = ()) -> Any:
    """A running llama.cpp server. Its HTTP door, which we do not use, is locked with a random key."""
    library()  # says what to install if the package is absent
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    if adapters:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0) for adapter in adapters]
        parameters.lora_init_without_apply = True  # each request names its own
    parameters.n_ctx, parameters.n_parallel = context_length, parallel
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = 0  # its hidden store of prompts may grow to 8 GiB otherwise
    parameters.cache_prompt = False  # the same prompt gives the same answer, whatever came before
    parameters.fit_params = False
    parameters.warmup = True
    parameters.verbosity = -1
    parameters.hostnames, parameters.api_keys = ["127.0.0.1"], [secrets.token_hex(32)]
    try:
        server = xllamacpp.Server(parameters)
        # A server that is dropped before its loop runs waits for that loop for ever: one token proves that it runs.
        server.handle_completions({"prompt": [0], "n_predict": 1, "cache_prompt": False, "stream": False})
        return server
    except RuntimeError as error:
        raise InputError(f"{path}: llama.cpp cannot serve this model ({error}). Free memory, or make the file again.") from None
