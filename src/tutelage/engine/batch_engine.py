"""What engines share that decode batches of prompts step by step in this process: PyTorch and ONNX Runtime."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from tutelage.core.records import Answer, Constraint, Sampling
from tutelage.engine.reply import Reply
from tutelage.engine.spelling import Spelling
from tutelage.engine.vocabulary import Vocabulary

BATCH_PROMPTS = 48  # a step costs almost half as much for one prompt as for sixteen


class BatchEngine(Spelling[Vocabulary], ABC):
    """Replies from next tokens. `_at_once` says how many prompts are decoded together."""

    name: str
    context_length: int
    _at_once = BATCH_PROMPTS
    _stops = 0

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """One reply to each prompt, decoded in even batches of prompts of similar length."""
        for prompt in prompts:
            self._check_asked(prompt, sampling, constraint)
        answers: dict[int, Answer] = {}
        order = sorted(range(len(prompts)), key=lambda number: -len(prompts[number]))
        size = math.ceil(len(order) / max(1, math.ceil(len(order) / self._at_once)))
        for start in range(0, len(order), size):
            numbers = order[start:start + size]
            replies = [self._reply(prompts[number], sampling) for number in numbers]
            for _ in self._run([prompts[number] for number in numbers], replies, sampling, end_ids):
                pass
            answers |= {number: reply.answer() for number, reply in zip(numbers, replies, strict=True)}
        return [answers[number] for number in range(len(prompts))]

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, then the Answer."""
        self._check_asked(prompt_ids, sampling, constraint)
        return self._stream(prompt_ids, sampling, end_ids)

    def cancel(self) -> None:
        """Stop generations under way after the token being made; their answers end with "length"."""
        self._stops += 1

    @abstractmethod
    def _check_asked(self, prompt: Sequence[int], sampling: Sampling, constraint: Constraint | None) -> None:
        """Raise for what cannot be answered."""

    @abstractmethod
    def _decode(self, prompts: Sequence[Sequence[int]], sampling: Sampling, finished: set[int]) -> Iterator[dict[int, int]]:
        """The next token of each row that is not finished, step after step, until the reader has put all rows into `finished`."""

    def _reply(self, prompt: Sequence[int], sampling: Sampling) -> Reply:
        return Reply(len(prompt), sampling, model=self.name)

    def _stream(self, prompt_ids: Sequence[int], sampling: Sampling, end_ids: Sequence[int]) -> Iterator[str | Answer]:
        reply = self._reply(prompt_ids, sampling)
        for piece in self._run([prompt_ids], [reply], sampling, end_ids):
            if piece:
                yield piece
        yield reply.answer()

    def _run(self, prompts: Sequence[Sequence[int]], replies: Sequence[Reply], sampling: Sampling, end_ids: Sequence[int]) -> Iterator[str]:
        """Decode all rows to their ends; gives each piece of text as it comes."""
        finished: set[int] = set()
        stops = self._stops
        for tokens in self._decode(prompts, sampling, finished):
            for row, token in tokens.items():
                piece = replies[row].add(token, self._vocabulary.bytes_of(token), end_ids)
                if self._stops != stops and not replies[row].is_finished:
                    piece += replies[row].end("length")
                if replies[row].is_finished:
                    finished.add(row)
                yield piece
