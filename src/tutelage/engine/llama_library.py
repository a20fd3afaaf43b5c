"""llama.cpp itself, as the package xllamacpp carries it: vocabulary and log-probabilities of a GGUF file.

The server inside xllamacpp gives no log-probabilities of a prompt; its library exports the C functions that do. So what
scores a file is the very code that serves it. The two structures of parameters are filled by the library and passed
back unread, but for a few fields at places that are checked against their documented defaults.
Source: llama.h of llama.cpp.
"""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.engine.beginning import shared_beginning
from tutelage.engine.gguf_adapter import parts_of
from tutelage.engine.sampling import check_text

INSTALL = "pip install xllamacpp==2026.10.11549"
TOKENS, BYTES, TEXT, HANDLE = ctypes.POINTER(ctypes.c_int32), ctypes.POINTER(ctypes.c_int8), ctypes.c_char_p, ctypes.c_void_p
VOCAB_ONLY = 72  # place of the flag in the parameters of a model
MODEL_FLAGS = bytes([0, 0, 1, 0, 0])  # vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc
Result = TypeVar("Result")
CONTEXT_SIZES = (512, 2048, 512, 1)  # n_ctx, n_batch, n_ubatch, n_seq_max


class Parameters(ctypes.Structure):
    """Room for either structure of parameters; both are smaller."""

    _fields_ = (("bytes", ctypes.c_uint8 * 512),)


class Batch(ctypes.Structure):
    """Tokens of one sequence with their positions, and which of them want logits."""

    _fields_ = (("n_tokens", ctypes.c_int32), ("token", TOKENS), ("embd", ctypes.POINTER(ctypes.c_float)), ("pos", TOKENS),
                ("n_seq_id", TOKENS), ("seq_id", ctypes.POINTER(TOKENS)), ("logits", BYTES))


@cache
def library() -> ctypes.CDLL:
    """The library, with the types of the functions used here. Raises ExtraMissing if it is absent or of another version."""
    try:
        import xllamacpp.xllamacpp as module
    except ImportError:
        raise ExtraMissing(f"GGUF models need the package xllamacpp, which is not installed. Install it with `{INSTALL}`.") from None
    loaded = ctypes.CDLL(module.__file__)
    signatures: dict[str, tuple[object, list[object]]] = {
        "llama_model_default_params": (Parameters, []), "llama_context_default_params": (Parameters, []),
        "llama_model_load_from_file": (HANDLE, [TEXT, Parameters]), "llama_model_free": (None, [HANDLE]),
        "llama_init_from_model": (HANDLE, [HANDLE, Parameters]), "llama_free": (None, [HANDLE]),
        "llama_set_embeddings": (None, [HANDLE, ctypes.c_bool]), "llama_get_embeddings": (ctypes.POINTER(ctypes.c_float), [HANDLE]),
        "llama_model_n_embd": (ctypes.c_int32, [HANDLE]),
        "llama_set_n_threads": (None, [HANDLE, ctypes.c_int32, ctypes.c_int32]), "llama_n_ctx": (ctypes.c_uint32, [HANDLE]),
        "llama_decode": (ctypes.c_int32, [HANDLE, Batch]), "llama_get_logits": (ctypes.POINTER(ctypes.c_float), [HANDLE]),
        "llama_get_memory": (HANDLE, [HANDLE]), "llama_memory_clear": (None, [HANDLE, ctypes.c_bool]),
        "llama_memory_seq_rm": (ctypes.c_bool, [HANDLE, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32]),
        "llama_model_get_vocab": (HANDLE, [HANDLE]), "llama_vocab_n_tokens": (ctypes.c_int32, [HANDLE]),
        "llama_vocab_is_control": (ctypes.c_bool, [HANDLE, ctypes.c_int32]),
        "llama_tokenize": (ctypes.c_int32, [HANDLE, TEXT, ctypes.c_int32, TOKENS, ctypes.c_int32, ctypes.c_bool, ctypes.c_bool]),
        "llama_token_to_piece": (ctypes.c_int32, [HANDLE, ctypes.c_int32, TEXT, ctypes.c_int32, ctypes.c_int32, ctypes.c_bool]),
        "llama_adapter_lora_init": (HANDLE, [HANDLE, TEXT]),
        "llama_set_adapters_lora": (ctypes.c_int32, [HANDLE, ctypes.POINTER(HANDLE), ctypes.c_size_t, ctypes.POINTER(ctypes.c_float)]),
        "llama_log_set": (None, [HANDLE, HANDLE]), "llama_supports_mmap": (ctypes.c_bool, []),
    }
    try:
        for name, (result, arguments) in signatures.items():
            function = getattr(loaded, name)  # kept by the library, unlike loaded[name]
            function.restype, function.argtypes = result, arguments
        model, context = bytes(loaded.llama_model_default_params().bytes), bytes(loaded.llama_context_default_params().bytes)
        fits = model[VOCAB_ONLY:VOCAB_ONLY + 5] == MODEL_FLAGS and tuple(np.frombuffer(context[:16], np.uint32)) == CONTEXT_SIZES
    except AttributeError:
        fits = False
    if not fits:
        raise ExtraMissing(f"the installed xllamacpp is of a version whose layout is not known here. Install it with `{INSTALL}`.")
    # Log lines go to a function that takes nothing and does nothing; a Python one could wait for the interpreter for ever.
    loaded.llama_log_set(ctypes.cast(loaded.llama_supports_mmap, HANDLE), None)
    return loaded


class LlamaVocabulary:
    """The vocabulary of a GGUF file, read by llama.cpp without the weights."""

    def __init__(self, path: Path) -> None:
        self._library = library()
        self._model = load_model(parts_of(path).weights, vocabulary_only=True)
        self._handle = self._library.llama_model_get_vocab(self._model)
        self.size = int(self._library.llama_vocab_n_tokens(self._handle))

    def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """Token ids, nothing added; special tokens written in the text stay plain text unless `parse_special`."""
        check_text(text)
        data = text.encode("utf-8")
        room = len(data) + 8
        ids = (ctypes.c_int32 * room)()
        count = int(self._library.llama_tokenize(self._handle, data, len(data), ids, room, False, parse_special))
        if count < 0:
            raise InputError(f"llama.cpp could not tokenize a text of {len(data)} bytes (it answered {count}).")
        return ids[:count]

    def special(self, token: str) -> int:
        """The id of a special token. Raises InputError if there is none of that name."""
        ids = self.tokenize(token, parse_special=True)
        if len(ids) != 1 or not self._library.llama_vocab_is_control(self._handle, ids[0]):
            raise InputError(f"the vocabulary has no special token {token!r}. Choose the chat format that the model was made with.")
        return ids[0]

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes that a token stands for; none for a special token."""
        if not 0 <= token_id < self.size:
            return b""
        buffer = ctypes.create_string_buffer(512)
        count = int(self._library.llama_token_to_piece(self._handle, token_id, buffer, len(buffer), 0, False))
        if count < 0:  # the piece is longer
            buffer = ctypes.create_string_buffer(-count)
            count = int(self._library.llama_token_to_piece(self._handle, token_id, buffer, len(buffer), 0, False))
        return buffer.raw[:count]

    def spell(self, data: bytes) -> list[int]:
        """Token ids of bytes that end within a character, as few as there can be; none if the vocabulary cannot spell them."""
        for length in range(len(data), 0, -1):
            token = self._ids_of_bytes.get(data[:length])
            if token is not None:
                rest = self.spell(data[length:])
                if rest or length == len(data):
                    return [token, *rest]
        return []

    @cached_property
    def _ids_of_bytes(self) -> dict[bytes, int]:
        return {data: token for token in range(self.size) if (data := self.bytes_of(token))}

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self.bytes_of(token_id) for token_id in token_ids).decode("utf-8", "replace")

    def close(self) -> None:
        """Free it."""
        self._library.llama_model_free(self._model)


class LlamaScorer:
    """Log-probabilities of given tokens, computed by llama.cpp from a GGUF file.

    Each of `workers` computes rows of its own with one thread: threads that share a row wait for each other, and crawl
    when another program takes a core. Where `adapters` are given, each call names one by its number, or none; an adapter at `path` itself
    is always taken.
    """

    def __init__(self, path: Path, *, context_length: int, workers: int, adapters: Sequence[Path] = ()) -> None:
        parts = parts_of(path)
        self._model = load_model(parts.weights, vocabulary_only=False)
        # llama.cpp wants them loaded before the first context, and frees them with the model.
        self._adapters = [_load_adapter(self._model, adapter) for adapter in ([parts.adapter] if parts.adapter else adapters)]
        self._own = 0 if parts.adapter else None
        self._contexts = [LlamaContext(self._model, path, context_length) for _ in range(workers)]
        self._free: queue.SimpleQueue[LlamaContext] = queue.SimpleQueue()
        for context in self._contexts:
            self._free.put(context)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="score")

    def foretell(self, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
        """Logits for each token of a row from `start` (>= 1) on, each given all before it: shape (vocabulary,), valid until the next."""
        context = self._free.get()
        try:
            context.wear(self._handle(None))
            yield from context.foretell(row, start)
        finally:
            self._free.put(context)

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int], *,
              adapter: int | None = None) -> list[list[tuple[float, float]]]:
        """Of each row's tokens from its start (>= 1) on, given all before: the natural-log probability, and that of the likeliest there."""
        shared = shared_beginning(rows, starts)
        return list(self._pool.map(lambda row, start: self._with_context(lambda context: context.score(row, start, shared), adapter),
                                   rows, starts))

    def likeliest(self, row: Sequence[int], start: int, count: int, *,
                  adapter: int | None = None) -> list[tuple[float, list[tuple[int, float]]]]:
        """For each token of a row from its start on: its log-probability, and the likeliest tokens there with theirs."""
        return self._with_context(lambda context: context.likeliest(row, start, count), adapter)

    def best_next(self, prompts: Sequence[Sequence[int]]) -> list[int]:
        """The likeliest token after each prompt."""
        shared = shared_beginning(prompts, [len(prompt) for prompt in prompts])
        return list(self._pool.map(lambda prompt: self._with_context(lambda context: context.best_next(prompt, shared)), prompts))

    def vectors(self, rows: Sequence[Sequence[int]], *, adapter: int | None = None) -> list[np.ndarray]:
        """The mean of each row's last hidden states, shape (width,), float32."""
        return list(self._pool.map(lambda row: self._with_context(lambda context: context.vector(row), adapter), rows))

    def close(self) -> None:
        """Free weights and contexts."""
        self._pool.shutdown()
        for context in self._contexts:
            context.close()
        library().llama_model_free(self._model)

    def _with_context(self, work: Callable[[LlamaContext], Result], adapter: int | None = None) -> Result:
        context = self._free.get()
        try:
            context.wear(self._handle(adapter))
            return work(context)
        finally:
            self._free.put(context)

    def _handle(self, adapter: int | None) -> int | None:
        number = self._own if adapter is None else adapter
        return None if number is None else self._adapters[number]


class LlamaContext:
    """Room for one row of tokens, computed by one thread."""

    def __init__(self, model: int, path: Path, context_length: int) -> None:
        self._library = library()
        self._size = int(self._library.llama_vocab_n_tokens(self._library.llama_model_get_vocab(model)))
        self._width = int(self._library.llama_model_n_embd(model))
        parameters = self._library.llama_context_default_params()
        np.frombuffer(parameters.bytes, np.uint32)[0] = context_length
        self._context = self._library.llama_init_from_model(model, parameters)
        if not self._context or self._library.llama_n_ctx(self._context) < context_length:
            raise InputError(f"{path}: llama.cpp could not make room for {context_length} tokens. "
                             "Free memory, or ask for a shorter context.")
        self._library.llama_set_n_threads(self._context, 1, 1)
        self._held: list[int] = []  # the tokens in memory that the next row may begin with
        self._worn: int | None = None

    def wear(self, adapter: int | None) -> None:
        """Compute with this adapter from now on, or with none. What was read with another one is forgotten."""
        if adapter == self._worn:
            return
        handles, scales = (HANDLE * 1)(adapter), (ctypes.c_float * 1)(1.0)
        answer = self._library.llama_set_adapters_lora(self._context, handles, 0 if adapter is None else 1, scales)
        if answer != 0:
            raise InputError(f"llama.cpp could not put on an adapter (it answered {answer}). Make the file again.")
        self._worn, self._held = adapter, []

    def foretell(self, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
        """Logits for each token from `start` on, shape (vocabulary,), valid until the next."""
        for _, wanted in self._read(row[:-1], start - 1):
            if wanted:
                yield from self._logits(wanted)

    def score(self, row: Sequence[int], start: int, shared: int) -> list[tuple[float, float]]:
        """Of the tokens from `start` on the log-probability, and that of the likeliest in their place.

        The first `shared` (< `start`) tokens are kept for the next row.
        """
        found: list[tuple[float, float]] = []
        for last, wanted in self._read(row[:-1], start - 1, shared):
            if wanted:
                found += self._logprobs(np.array(row[last - wanted + 1:last + 1]))
        return found

    def likeliest(self, row: Sequence[int], start: int, count: int) -> list[tuple[float, list[tuple[int, float]]]]:
        """Of each token from `start` on its log-probability, and the `count` likeliest tokens with theirs, best first."""
        found: list[tuple[float, list[tuple[int, float]]]] = []
        for last, wanted in self._read(row[:-1], start - 1):
            if wanted:
                targets = row[last - wanted + 1:last + 1]
                logprobs = self._logprobs(np.array(targets))
                for logits, target, (logprob, _) in zip(self._logits(wanted), targets, logprobs, strict=True):
                    some = np.argpartition(-logits, count)[:count]
                    best = some[np.lexsort((some, -logits[some]))]
                    found.append((logprob, [(int(token), logprob + (float(logits[token]) - float(logits[target]))) for token in best]))
        return found

    def best_next(self, prompt: Sequence[int], shared: int) -> int:
        """The likeliest token after a prompt. Its first `shared` tokens are kept for the next prompt."""
        for _ in self._read(prompt, len(prompt) - 1, shared):
            pass
        return int(self._logits(1)[0].argmax())

    def vector(self, row: Sequence[int]) -> np.ndarray:
        """The mean of the row's last hidden states."""
        total = np.zeros(self._width)
        self._library.llama_set_embeddings(self._context, True)
        try:
            for _, wanted in self._read(row, 0):
                states = np.ctypeslib.as_array(self._library.llama_get_embeddings(self._context), shape=(wanted, self._width))
                total += states.sum(axis=0, dtype=np.float64)
        finally:
            self._library.llama_set_embeddings(self._context, False)
        return (total / len(row)).astype(np.float32)

    def close(self) -> None:
        """Free it."""
        self._library.llama_free(self._context)

    def _read(self, tokens: Sequence[int], wanted_from: int, shared: int = 0) -> Iterator[tuple[int, int]]:
        """Read the tokens after the first `shared`, some at a time; gives where each part ends and how many of its last positions have
        logits now.
        """
        self._hold(list(tokens[:shared]))
        for first, last in _parts(shared, len(tokens)):
            wanted = max(0, last - max(first, wanted_from))
            self._decode(tokens[first:last], first, wanted)
            yield last, wanted

    def _hold(self, beginning: list[int]) -> None:
        """Have just these tokens in memory; they are read again where others stand there."""
        memory = self._library.llama_get_memory(self._context)
        if beginning and beginning == self._held and self._library.llama_memory_seq_rm(memory, 0, len(beginning), -1):
            return
        self._held = []
        self._library.llama_memory_clear(memory, False)
        for first, last in _parts(0, len(beginning)):
            self._decode(beginning[first:last], first, 0)
        self._held = beginning

    def _decode(self, tokens: Sequence[int], first: int, wanted: int) -> None:
        """Read some tokens; the last `wanted` of them get logits."""
        count = len(tokens)
        sequence = (ctypes.c_int32 * 1)(0)
        batch = Batch(count, (ctypes.c_int32 * count)(*tokens), None, (ctypes.c_int32 * count)(*range(first, first + count)),
                      (ctypes.c_int32 * count)(*[1] * count), (TOKENS * count)(*[ctypes.cast(sequence, TOKENS)] * count),
                      (ctypes.c_int8 * count)(*[place >= count - wanted for place in range(count)]))
        answer = self._library.llama_decode(self._context, batch)
        if answer != 0:
            raise InputError(f"llama.cpp could not read {count} tokens (it answered {answer}); a token id may be outside the vocabulary.")

    def _logits(self, positions: int) -> np.ndarray:
        """Logits of the positions asked for in the last decode. Shape (positions, vocabulary); valid until the next."""
        return np.ctypeslib.as_array(self._library.llama_get_logits(self._context), shape=(positions, self._size))

    def _logprobs(self, targets: np.ndarray) -> list[tuple[float, float]]:
        """The log-probability of each target, and the highest in its place."""
        logits = self._logits(len(targets))
        top = logits.max(axis=1)
        total = np.log(np.exp(logits - top[:, None]).sum(axis=1, dtype=np.float64))
        return list(zip((logits[np.arange(len(targets)), targets] - top - total).tolist(), (-total).tolist(), strict=True))


def _parts(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Stretches of as many tokens as llama.cpp computes at once."""
    for start in range(first, end, CONTEXT_SIZES[2]):
        yield start, min(start + CONTEXT_SIZES[2], end)


def load_model(path: Path, *, vocabulary_only: bool) -> int:
    """A handle of the model in a GGUF file. Raises InputError if llama.cpp cannot load it."""
    parameters = library().llama_model_default_params()
    parameters.bytes[VOCAB_ONLY] = vocabulary_only
    handle: int | None = library().llama_model_load_from_file(str(path).encode(), parameters)
    if handle is None:
        raise InputError(f"{path}: llama.cpp cannot load this model: it is damaged, or of an architecture that it does not know. "
                         "Copy or make it again.")
    return handle


def _load_adapter(model: int, path: Path) -> int:
    """A handle of the adapter in a GGUF file, for this model. Raises InputError if it does not fit."""
    handle: int | None = library().llama_adapter_lora_init(model, str(path).encode())
    if handle is None:
        raise InputError(f"{path}: llama.cpp cannot put this adapter on its base: it is damaged, or of another base. Make it again.")
    return handle
