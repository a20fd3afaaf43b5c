"""The replay engine: recorded answers over a vocabulary of bytes, for tests and documents. It computes nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError
from tutelage.core.records import Answer, Constraint, Sampling, TokenScore
from tutelage.engine.reply import Reply
from tutelage.engine.sampling import check_fits, check_prompt, check_rows, check_text, refuse_constraint

BYTES = 256
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<bos>", "<start_of_turn>", "<end_of_turn>")
SIZE = BYTES + len(SPECIALS)
RECORDED = math.log(0.9)
OTHER = math.log(0.1 / (SIZE - 1))
UNIFORM = -math.log(SIZE)


class ReplayEngine:
    """Answers a prompt that contains a key of `answers` with its value; the first key that fits counts, "" fits always.

    Token ids are bytes, special tokens follow. Each token takes `seconds_per_token`. Temperature, seed and penalties change
    nothing. Scores: the recorded answer's tokens have probability 0.9, and a prompt without one gives all tokens the same.
    """

    def __init__(self, answers: Mapping[str, str], *, name: str = "replay", context_length: int = 2048,
                 seconds_per_token: float = 0.0) -> None:
        self.name = name
        self.context_length = context_length
        self._answers = dict(answers)
        self._pause = seconds_per_token
        self._stops = 0

    def tokenize(self, text: str) -> list[int]:
        """The bytes of the text in UTF-8."""
        check_text(text)
        return list(text.encode("utf-8"))

    def special(self, token: str) -> int:
        """The id of a special token."""
        if token not in SPECIALS:
            raise InputError(f"the vocabulary has no special token {token!r}; it has {', '.join(SPECIALS)}.")
        return BYTES + SPECIALS.index(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        return bytes(token for token in token_ids if token < BYTES).decode("utf-8", "replace")

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """The recorded answer to each prompt. Raises CannotDo for a constraint: what was recorded cannot be changed."""
        refuse_constraint(self.name, constraint)
        for prompt in prompts:
            check_prompt(prompt, sampling, self.context_length)
        answers = []
        for prompt in prompts:
            reply = Reply(len(prompt), sampling, model=self.name)
            for _ in self._play(prompt, reply, end_ids):
                pass
            answers.append(reply.answer())
        return answers

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        """Pieces of the recorded answer, a character at a time, then the Answer."""
        refuse_constraint(self.name, constraint)
        check_prompt(prompt_ids, sampling, self.context_length)
        return self._stream(prompt_ids, sampling, end_ids)

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """0.9 for a token that continues the recorded answer, the rest shared by the others; the same for all without one."""
        check_rows(rows, starts)
        for row in rows:
            check_fits(len(row), 0, self.context_length)
        return [self._scores(row, start) for row, start in zip(rows, starts, strict=True)]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """How often each byte occurs, as a vector of unit length."""
        counts = np.stack([np.bincount(self.tokenize(text) or [0], minlength=BYTES) for text in texts]).astype(np.float32)
        unit: np.ndarray = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered."""
        raise CannotDo(f"adapter {name!r}: recorded answers take no adapter. Use TorchEngine.")

    def unload_adapter(self, name: str) -> None:
        """Not offered."""
        raise CannotDo(f"adapter {name!r}: recorded answers have no adapter. Use TorchEngine.")

    def memory_bytes(self) -> int:
        """Bytes of the recorded answers."""
        return sum(len(key.encode()) + len(answer.encode()) for key, answer in self._answers.items())

    def cancel(self) -> None:
        """Stop answers under way; they end with "length"."""
        self._stops += 1

    def close(self) -> None:
        """Stop answers under way; there is nothing to free."""
        self.cancel()

    def _stream(self, prompt_ids: Sequence[int], sampling: Sampling, end_ids: Sequence[int]) -> Iterator[str | Answer]:
        reply = Reply(len(prompt_ids), sampling, model=self.name)
        for piece in self._play(prompt_ids, reply, end_ids):
            if piece:
                yield piece
        yield reply.answer()

    def _play(self, prompt: Sequence[int], reply: Reply, end_ids: Sequence[int]) -> Iterator[str]:
        recorded = self._recorded(prompt)
        if recorded is None:
            known = ", ".join(repr(key) for key in self._answers) or "none"
            raise InputError(f"{self.name}: no answer is recorded for the prompt {self.detokenize(prompt)[-80:]!r}; recorded are {known}.")
        stops = self._stops
        for token in self.tokenize(recorded):
            time.sleep(self._pause)
            if self._stops != stops:
                yield reply.end("length")
                return
            yield reply.add(token, bytes([token]), end_ids)
            if reply.is_finished:
                return
        yield reply.end("stop")

    def _recorded(self, prompt: Sequence[int]) -> str | None:
        text = self.detokenize(prompt)
        return next((answer for key, answer in self._answers.items() if key in text), None)

    def _scores(self, row: Sequence[int], start: int) -> list[TokenScore]:
        recorded = self._recorded(row[:start])
        if recorded is None:
            return [TokenScore(token_id=token, logprob=UNIFORM) for token in row[start:]]
        expected = self.tokenize(recorded)
        return [TokenScore(token_id=token, logprob=RECORDED if token in expected[place:place + 1] else OTHER)
                for place, token in enumerate(row[start:])]
