"""The protocol that every engine speaks: torch, GGUF, replay; later ONNX and outside services."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tutelage.core.errors import TutelageError
from tutelage.core.records import Answer, Constraint, Sampling, TokenChance, TokenScore


class CannotDo(TutelageError):
    """This engine lacks the asked ability; the message names an engine that has it."""

    exit_code = 2


class Tokenizer(Protocol):
    """What chat rendering needs of a vocabulary."""

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text: nothing is added, and special tokens written in the text stay plain text."""
        ...

    def special(self, token: str) -> int:
        """The id of a special token such as "<|im_end|>". Raises InputError if the vocabulary has none of that name."""
        ...

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        ...


@runtime_checkable
class Engine(Tokenizer, Protocol):
    """A model that answers. Prompts are token ids made by `core.chat.render`; an engine never renders."""

    name: str
    context_length: int

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """One reply to each prompt, in order; a reply ends before the first of `end_ids` or of `sampling.stop`.

        With a `constraint` each reply is, or is the beginning of, a text that its grammar derives.
        Raises ContextTooLong if a prompt and `sampling.max_tokens` do not fit; nothing is cut. Raises CannotDo where the engine
        cannot hold replies to a constraint.
        """
        ...

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Iterator[str | Answer]:
        """Pieces of text as they come, whole characters only, and at the end the Answer; the pieces joined are its text.

        Closing the iterator cancels the generation.
        """
        ...

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """For each row of token ids, the scores of the tokens from its start (>= 1) to its end, each given all before it."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit-length vectors, shape (texts, width), float32. Raises CannotDo where the engine has none."""
        ...

    def load_adapter(self, name: str, folder: str) -> None:
        """Make an adapter answer under `name`. Raises CannotDo where the engine cannot."""
        ...

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter. Raises CannotDo where the engine cannot."""
        ...

    def memory_bytes(self) -> int:
        """Bytes that weights and caches take at most."""
        ...

    def cancel(self) -> None:
        """Stop generations under way, within a token."""
        ...

    def close(self) -> None:
        """Free everything. Further calls are errors."""
        ...


@runtime_checkable
class HasOwnProcess(Protocol):
    """An engine that holds its model in a process of its own, where nothing else is."""

    @property
    def pid(self) -> int | None:
        """Number of that process; None while there is none."""
        ...


@runtime_checkable
class EmbedsTokens(Protocol):
    """An ability that some engines have beside `Engine`: vectors of texts that are tokens already."""

    def vectors(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit-length vectors of rows of token ids, shape (rows, width), float32.

        Raises InputError for an empty row, ContextTooLong for one that does not fit; nothing is cut.
        """
        ...


@runtime_checkable
class TellsChances(Protocol):
    """An ability that some engines have beside `Engine`: they tell what else could have stood in each place."""

    def chances(self, row: Sequence[int], start: int, *, likeliest: int) -> list[TokenChance]:
        """For the tokens of a row from its start (>= 1) on: their scores, with as many of the likeliest tokens as asked."""
        ...


@runtime_checkable
class SharesPrompts(Protocol):
    """An ability that some engines have beside `Engine`: several replies to one prompt, which is read once."""

    def stream_each(self, prompt_ids: Sequence[int], samplings: Sequence[Sampling], *, end_ids: Sequence[int],
                    constraint: Constraint | None = None) -> Generator[str | Answer, None, None]:
        """One reply after another, each as `Engine.stream` gives it. Closing it cancels the one under way; those after it are not made."""
        ...
