"""Opens what is served: within the memory budget, each engine in a process of its own."""

from __future__ import annotations

import weakref
from functools import partial
from pathlib import Path

from tutelage.core.engine import Engine
from tutelage.endpoint.budget import SCORERS, MemoryBudget
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.child_engine import Tell, open_apart
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.llama_library import LlamaVocabulary


class Opener:
    """Opens a GGUF file under a name. `tell` hears of each death of an engine and of each new start."""

    def __init__(self, settings: EndpointSettings, *, tell: Tell) -> None:
        self._settings = settings
        self._tell = tell
        self.budget = MemoryBudget(settings)

    def __call__(self, path: Path, name: str) -> Engine:
        """The engine, loaded and warm. Raises InputError, before anything is loaded, if its memory does not fit the budget."""
        give_back = self.budget.take(path)
        settings = self._settings
        try:
            vocabulary = LlamaVocabulary(path)
            engine = open_apart(partial(GgufEngine, path, name=name, context_length=settings.context_length, parallel=settings.parallel,
                                        threads=settings.threads, scorers=SCORERS),
                                vocabulary=vocabulary, tell=self._tell, closed=give_back)
        except BaseException:
            give_back()
            raise
        # Freed when nobody holds the engine any more: a request may still spell tokens after its process has ended.
        weakref.finalize(engine, vocabulary.close).atexit = False
        return engine
