"""Opens what is served: within the memory budget, each engine in a process of its own, or where a service answers for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from tutelage.core.engine import Engine, Tokenizer
from tutelage.endpoint.budget import SCORERS, MemoryBudget
from tutelage.endpoint.elsewhere import open_elsewhere
from tutelage.endpoint.settings import EndpointSettings
from tutelage.endpoint.shared_base import SharedBase
from tutelage.engine.child_engine import ChildEngine, Tell
from tutelage.engine.gguf_adapter import parts_of
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary


class Opener:
    """Opens the copy at a path under a name. `tell` hears of each death of an engine and of each new start.

    Copies that are adapters on the same base copy share one process. With `endpoint.engine: vllm` a service answers, which takes nothing
    of the budget.
    """

    def __init__(self, settings: EndpointSettings, *, tell: Tell) -> None:
        self._settings = settings
        self._tell = tell
        self._shared: dict[Path, SharedBase] = {}
        self.budget = MemoryBudget(settings)

    def __call__(self, path: Path, name: str) -> Engine:
        """The engine, loaded and warm. Raises InputError, before anything is loaded, if its memory does not fit the budget."""
        if self._settings.engine == "vllm":
            return open_elsewhere(path, name, self._settings, tell=self._tell)
        parts = parts_of(path)
        if parts.adapter:
            return self._base(parts.weights).join(parts.adapter, name)
        give_back = self.budget.take(path)
        try:
            vocabulary = LlamaVocabulary(path)
            engine = self._child(path, name, (), vocabulary, give_back)
        except BaseException:
            give_back()
            raise
        # Freed when nobody holds the engine any more: a request may still spell tokens after its process has ended.
        weakref.finalize(engine, vocabulary.close).atexit = False
        return cast(Engine, engine)

    def expect(self, path: Path) -> None:
        """Say before the first call that this copy will be opened too: adapters on one base are then loaded together."""
        parts = parts_of(path)
        if parts.adapter and self._settings.engine != "vllm":
            self._base(parts.weights).expect(parts.adapter)

    def _base(self, weights: Path) -> SharedBase:
        if weights not in self._shared:  # its vocabulary is kept, for as long as the service runs
            self._shared[weights] = SharedBase(LlamaVocabulary(weights), partial(self._open_shared, weights))
        return self._shared[weights]

    def _open_shared(self, weights: Path, adapters: Sequence[Path]) -> ChildEngine:
        give_back = self.budget.take(weights, adapters)
        try:
            return self._child(weights, weights.stem, adapters, self._shared[weights].vocabulary, give_back)
        except BaseException:
            give_back()
            raise

    def _child(self, path: Path, name: str, adapters: Sequence[Path], vocabulary: Tokenizer,
               closed: Callable[[], None]) -> ChildEngine:
        settings = self._settings
        return ChildEngine(partial(GgufEngine, path, name=name, context_length=settings.context_length, parallel=settings.parallel,
                                   threads=settings.threads, scorers=SCORERS, adapters=tuple(adapters)),
                           vocabulary=vocabulary, tell=self._tell, closed=closed)
