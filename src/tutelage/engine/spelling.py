"""Token ids of text and text of token ids, for each engine that has a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from tutelage.core.engine import Tokenizer

Words = TypeVar("Words", bound=Tokenizer)


class Spelling(Generic[Words]):
    """What of an engine its vocabulary answers alone."""

    _vocabulary: Words

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens written in it stay plain text."""
        return self._vocabulary.tokenize(text)

    def special(self, token: str) -> int:
        """The id of a special token."""
        return self._vocabulary.special(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        return self._vocabulary.detokenize(token_ids)
