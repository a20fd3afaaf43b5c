"""Engines that need no model, for tests of processes: one counts, one dies, one cannot be opened."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tutelage.core.errors import ContextTooLong, InputError
from tutelage.core.records import Answer, Sampling


class Counting:
    """Writes numbers, a piece each. `marks` is a folder into which it writes how far it came. A prompt that begins with 13 kills it."""

    def __init__(self, marks: Path, *, name: str = "counting", seconds: float = 0.0) -> None:
        self.name, self.context_length = name, 1000
        self._marks, self._seconds = marks, seconds
        if (marks / "closed for repairs").exists():
            raise InputError(f"{name}: closed for repairs.")

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               new_argument: str = "") -> Iterator[str | Answer]:
        if len(prompt_ids) > self.context_length:
            raise ContextTooLong(f"the prompt has {len(prompt_ids)} tokens")
        return self._stream(prompt_ids, sampling, new_argument)

    def _stream(self, prompt_ids: Sequence[int], sampling: Sampling, mark: str) -> Iterator[str | Answer]:
        text = ""
        for number in range(sampling.max_tokens):
            if prompt_ids[0] == 13 and number == 3:
                os.abort()
            time.sleep(self._seconds)
            (self._marks / "made").write_text(str(number + 1))
            piece = f"{number}{mark} "
            text += piece
            yield piece
        yield Answer(text=text, token_ids=tuple(range(sampling.max_tokens)), prompt_tokens=len(prompt_ids), finish_reason="length",
                     model=self.name)

    def added_later(self, first: int, *, second: int) -> int:
        """An ability that the protocol does not know."""
        return first * second

    def broken(self) -> None:
        """Fails with an error that does not survive pickling."""
        raise Odd(1, 2)

    def close(self) -> None:
        pass


class Odd(Exception):
    """Takes two arguments and keeps one: it cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"odd {one}")


class Words:
    """A vocabulary of numbers that stand in a text."""

    def tokenize(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def special(self, token: str) -> int:
        return 0

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return " ".join(map(str, token_ids))
