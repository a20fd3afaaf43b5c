"""Skills that the pipeline hands to rooms which may not import them: counting a model's tokens, opening an engine by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tutelage.core.engine import Tokenizer
from tutelage.engine.bases import Base

CountTokens = Callable[[Sequence[str]], list[int]]


def token_counter(base: Base) -> CountTokens:
    """Counts the tokens of texts as the base model spells them. Its vocabulary is opened at the first call, its weights never."""
    @cache
    def vocabulary() -> Tokenizer:
        return open_vocabulary(base)

    return lambda texts: [len(vocabulary().tokenize(text)) for text in texts]


def open_vocabulary(base: Base) -> Tokenizer:
    """The vocabulary of a base model, without its weights."""
    if base.gguf:
        from tutelage.engine.llama_library import LlamaVocabulary

        return LlamaVocabulary(Path(base.gguf))
    from tutelage.engine.vocabulary import Vocabulary

    return Vocabulary(Path(base.folder))
