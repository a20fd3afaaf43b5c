"""The ONNX engine: ONNX Runtime inside this process, decoding in numpy; for graphics processors and where llama.cpp is not to be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError
from tutelage.core.records import Constraint, Sampling, TokenScore
from tutelage.engine.batch_engine import BATCH_PROMPTS, BatchEngine
from tutelage.engine.onnx_decode import decode_steps
from tutelage.engine.onnx_folder import GRAPH, WEIGHTS, read_onnx_folder
from tutelage.engine.onnx_session import Batch, OnnxSession
from tutelage.engine.sampling import check_embedded, check_fits, check_prompt, check_rows, check_tokens, penalty_window, refuse_constraint
from tutelage.engine.vocabulary import Vocabulary

CHUNK_TOKENS = 128  # tokens of a row that go through the model at once: 128 x 262,144 logits take 134 MB
FP32_BYTES = 4


class OnnxEngine(BatchEngine):
    """Answers with a folder that `model.export_onnx` wrote. `threads` None leaves one core to everything else.

    An int8 copy rounds its activations by the largest of all that are computed at once, so it takes one prompt at a time: an answer
    does not depend on its neighbours.
    """

    def __init__(self, folder: Path, *, name: str, threads: int | None = None) -> None:
        self.name = name
        self._copy = read_onnx_folder(folder)
        self._vocabulary = Vocabulary(folder)
        if self._vocabulary.size > self._copy.vocabulary:
            raise InputError(f"{folder}: its tokenizer has {self._vocabulary.size} tokens, its model {self._copy.vocabulary}. "
                             "Make the copy again from a whole model folder.")
        self.context_length = self._copy.context_length
        self._session = OnnxSession(folder, self._copy, threads=threads)
        self._size_bytes = sum((folder / name).stat().st_size for name in (GRAPH, WEIGHTS))
        self._at_once = 1 if self._copy.kind == "int8" else BATCH_PROMPTS

    @property
    def providers(self) -> list[str]:
        """Where it computes, as ONNX Runtime names it, the first choice first."""
        return self._session.providers

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """Log-probabilities of each row's tokens from its start on."""
        check_rows(rows, starts)
        for row in rows:
            self._check_row(row)
        return [[score for logits, targets in self._chunks(row, start) for score in _scores(logits, targets)]
                for row, start in zip(rows, starts, strict=True)]

    def foretell(self, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
        """Logits for each token of a row from `start` on, shape (vocabulary,)."""
        check_rows([row], [start])
        self._check_row(row)
        return (one for logits, _ in self._chunks(row, start) for one in logits)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """The mean of the last hidden states, of unit length. A language model is a weak source of such vectors."""
        return self.vectors([self.tokenize(text) for text in texts])

    def vectors(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """The same for rows of token ids."""
        for row in rows:
            check_embedded(row, self.context_length)
            check_tokens(row, self._vocabulary.size)
        means = [self._session.hidden(_batch(row, 0, len(row)))[0].mean(0) for row in rows]
        return np.stack([mean / np.linalg.norm(mean) for mean in means]) if means else np.zeros((0, self._copy.width), np.float32)

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered: the copy's graph has no place for one."""
        raise CannotDo(f"adapter {name!r}: the ONNX engine takes no adapter. Merge it (`tutelage make --until model`) and serve the copy, "
                       "or use TorchEngine with the model folder.")

    def unload_adapter(self, name: str) -> None:
        """Not offered: there is never an adapter."""
        raise CannotDo(f"adapter {name!r}: the ONNX engine has no adapters. Use TorchEngine with the model folder.")

    def memory_bytes(self) -> int:
        """Bytes of the weights, and of the caches of a full batch at full length."""
        copy = self._copy
        cache = 2 * copy.layers * copy.groups * copy.head_size * FP32_BYTES * self.context_length * self._at_once
        return self._size_bytes + cache

    def close(self) -> None:
        """Stop what runs and free the weights."""
        self.cancel()
        del self._session

    def _check_asked(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> None:
        refuse_constraint(self.name, constraint)
        check_prompt(prompt, sampling, self.context_length)
        check_tokens([*prompt, *(token for token, _ in sampling.logit_bias)], self._copy.vocabulary)

    def _check_row(self, row: Sequence[int]) -> None:
        check_fits(len(row), 0, self.context_length)
        check_tokens(row, self._copy.vocabulary)

    def _decode(self, prompts: Sequence[Sequence[int]], sampling: Sampling, finished: set[int]) -> Iterator[dict[int, int]]:
        return decode_steps(self._session, prompts, sampling, finished, window=penalty_window(sampling, self.context_length))

    def _chunks(self, row: Sequence[int], start: int) -> Iterator[tuple[np.ndarray, Sequence[int]]]:
        """Logits (n, vocabulary) for tokens of the row from `start` on, and those n tokens, a chunk at a time."""
        cache = self._session.empty_cache(1)
        for begin in range(0, len(row) - 1, CHUNK_TOKENS):
            end = min(begin + CHUNK_TOKENS, len(row) - 1)
            first = max(begin, start - 1)
            places = np.arange(first, end) - begin if first < end else np.zeros(1, np.int64)
            logits, cache = self._session.logits(_batch(row, begin, end), cache, places)
            if first < end:
                yield logits[0], row[first + 1:end + 1]


def _batch(row: Sequence[int], begin: int, end: int) -> Batch:
    """The tokens of one row from `begin` to `end`, after those before them."""
    return Batch(np.array([row[begin:end]]), np.arange(begin, end)[None], np.ones((1, end), np.int64))


def _scores(logits: np.ndarray, targets: Sequence[int]) -> list[TokenScore]:
    highest = logits.max(1)
    sums = highest + np.log(np.exp(logits - highest[:, None]).sum(1, dtype=np.float64))
    told = logits[np.arange(len(targets)), list(targets)] - sums
    return [TokenScore(token_id=token, logprob=logprob, highest=best) for token, logprob, best in
            zip(targets, told.tolist(), (highest - sums).tolist(), strict=True)]
