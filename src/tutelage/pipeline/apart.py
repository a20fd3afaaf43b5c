"""Engines in processes of their own: what one takes is its own, and goes with it; nothing an earlier one left is counted for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tutelage.core.engine import Engine, Tokenizer
from tutelage.engine.child_engine import open_apart


def torch_apart(folder: Path, *, name: str, adapter: Path | None = None) -> Engine:
    """The PyTorch engine of a model folder, with or without an adapter."""
    from tutelage.engine.vocabulary import Vocabulary

    return _apart(partial(_torch, folder, name, adapter), Vocabulary(folder))


def gguf_apart(path: Path, *, name: str, context_length: int, parallel: int) -> Engine:
    """The engine of a GGUF file."""
    from tutelage.engine.llama_library import LlamaVocabulary

    vocabulary = LlamaVocabulary(path)
    try:
        return _apart(partial(_gguf, path, name, context_length, parallel), vocabulary, vocabulary.close)
    except BaseException:
        vocabulary.close()
        raise


def onnx_apart(folder: Path, *, name: str) -> Engine:
    """The engine of an ONNX copy."""
    from tutelage.engine.vocabulary import Vocabulary

    return _apart(partial(_onnx, folder, name), Vocabulary(folder))


def _apart(open_engine: Callable[[], Engine], vocabulary: Tokenizer, closed: Callable[[], None] = lambda: None) -> Engine:
    """That its process died is said by the error of the call that was lost, so nothing is told beside it."""
    return open_apart(open_engine, vocabulary=vocabulary, tell=lambda key, facts: None, closed=closed)


def _torch(folder: Path, name: str, adapter: Path | None) -> Engine:
    from tutelage.engine.torch_engine import TorchEngine

    return TorchEngine(folder, name=name, adapter=adapter)


def _gguf(path: Path, name: str, context_length: int, parallel: int) -> Engine:
    from tutelage.engine.gguf_engine import GgufEngine

    return GgufEngine(path, name=name, context_length=context_length, parallel=parallel)


def _onnx(folder: Path, name: str) -> Engine:
    from tutelage.engine.onnx_engine import OnnxEngine

    return OnnxEngine(folder, name=name)
