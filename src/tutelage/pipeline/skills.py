"""Skills that the pipeline hands to rooms which may not import them: counting a model's tokens, trimming its vocabulary, opening it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

from tutelage.core.engine import Tokenizer
from tutelage.dataset.augment.asking import Speaker
from tutelage.engine.bases import Base, find_base, folder_chat_format

CountTokens = Callable[[Sequence[str]], list[int]]
# Texts that an engine writes at once.
STREAMS = 4


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


def open_speaker(name: str) -> Speaker:
    """The model of this name, folder or .gguf file, ready to write; whoever asked for it closes its engine."""
    base = find_base(name)
    if base.gguf:
        from tutelage.engine.gguf_engine import GgufEngine

        return Speaker(GgufEngine(Path(base.gguf), name=base.name, parallel=STREAMS), base.chat_format)
    from tutelage.engine.torch_engine import TorchEngine

    return Speaker(TorchEngine(Path(base.folder), name=base.name), base.chat_format)


def trim_base(base: Path, folder: Path, counted: Collection[int], *, least: int) -> None:
    """Write the model folder of a base again with the tokens that training counted (`Trim` in training/trim.py)."""
    from tutelage.model.trim import trim

    trim(base, folder, counted, folder_chat_format(base), least=least)
