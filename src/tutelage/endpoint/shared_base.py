"""Several models with one base in memory: an engine's process holds the base with the adapters of all, and each model is a view of it.

An adapter that joins is opened in a second process with all others, warm before it takes over; answers under way end in the first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from tutelage.core.engine import CannotDo, Tokenizer
from tutelage.core.errors import ServiceUnavailable
from tutelage.core.records import Answer, Constraint, Sampling, TokenChance, TokenScore
from tutelage.engine.child_engine import ChildEngine
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.spelling import Spelling

OpenShared = Callable[[Sequence[Path]], ChildEngine]


@dataclass
class _Held:
    """A process with the adapters in it. It ends when it was replaced and its last call is over."""

    engine: ChildEngine
    adapters: tuple[Path, ...]
    calls: int = field(default=0)
    is_replaced: bool = field(default=False)


class SharedBase:
    """A base and the models on it. `open_shared` opens a process with these adapters. Safe with threads."""

    def __init__(self, vocabulary: Tokenizer, open_shared: OpenShared) -> None:
        self.vocabulary, self._open = vocabulary, open_shared
        self._held: _Held | None = None
        self._expected: list[Path] = []
        self._views: list[AdapterView] = []
        self._lock = threading.Lock()
        self._joining = threading.Lock()

    def expect(self, adapter: Path) -> None:
        """Open this one too when the first joins: at the start of a service nobody needs a second process then."""
        with self._lock:
            self._expected.append(adapter)

    def join(self, adapter: Path, name: str) -> AdapterView:
        """The model of that adapter. Raises what opening raises; then the models on this base go on as before."""
        with self._joining:
            with self._lock:
                held = self._held
                wanted = dict.fromkeys([*(view.adapter for view in self._views), *self._expected, adapter])
            if held is None or adapter not in held.adapters:
                self._replace(_Held(self._open(list(wanted)), tuple(wanted)))
            view = AdapterView(self, adapter, name)
            with self._lock:
                self._expected = []
                self._views.append(view)
            return view

    def leave(self, view: AdapterView) -> None:
        """This model is not wanted any more; the last one ends the process."""
        with self._joining:
            with self._lock:
                if view not in self._views:
                    return
                self._views.remove(view)
                is_last = not self._views
            if is_last:
                self._replace(None)

    @property
    def engine(self) -> ChildEngine:
        """The process that answers now. Raises ServiceUnavailable if there is none."""
        if held := self._held:
            return held.engine
        raise ServiceUnavailable("the engine of this model was closed a moment ago. Send the request again.")

    @contextmanager
    def using(self, adapter: Path) -> Iterator[tuple[GgufEngine, int]]:
        """The engine, and the adapter's number in it; it stays open until the block ends even if it is replaced meanwhile."""
        with self._lock:
            held = self._held
            if held is None:
                raise ServiceUnavailable("the engine of this model was closed a moment ago. Send the request again.")
            held.calls += 1
        try:
            # Its process has all methods of the engine that it stands for, with their own arguments.
            yield cast(GgufEngine, held.engine), held.adapters.index(adapter)
        finally:
            with self._lock:
                held.calls -= 1
            self._close_if_free(held)

    def _replace(self, held: _Held | None) -> None:
        with self._lock:
            former, self._held = self._held, held
            if former:
                former.is_replaced = True
        if former:
            self._close_if_free(former)

    def _close_if_free(self, held: _Held) -> None:
        with self._lock:
            is_free = held.is_replaced and held.calls == 0
        if is_free:
            held.engine.close()


class AdapterView(Spelling[Tokenizer]):
    """One model on a shared base, as an engine of its own. Closing it leaves the others."""

    kind = GgufEngine.__name__

    def __init__(self, shared: SharedBase, adapter: Path, name: str) -> None:
        self.name, self.adapter = name, adapter
        self.context_length = shared.engine.context_length
        self._shared, self._vocabulary = shared, shared.vocabulary

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, end_ids: Sequence[int],
                 constraint: Constraint | None = None) -> list[Answer]:
        """One reply to each prompt."""
        with self._shared.using(self.adapter) as (engine, number):
            answers = engine.generate(prompts, sampling, end_ids=end_ids, constraint=constraint, adapter=number)
        return [self._named(answer) for answer in answers]

    def stream(self, prompt_ids: Sequence[int], sampling: Sampling, *, end_ids: Sequence[int],
               constraint: Constraint | None = None) -> Generator[str | Answer, None, None]:
        """Pieces of text as they come, then the Answer."""
        with self._shared.using(self.adapter) as (engine, number):
            for piece in engine.stream(prompt_ids, sampling, end_ids=end_ids, constraint=constraint, adapter=number):
                yield self._named(piece) if isinstance(piece, Answer) else piece

    def stream_each(self, prompt_ids: Sequence[int], samplings: Sequence[Sampling], *, end_ids: Sequence[int],
                    constraint: Constraint | None = None) -> Generator[str | Answer, None, None]:
        """Replies to one prompt, which is read once."""
        with self._shared.using(self.adapter) as (engine, number):
            for piece in engine.stream_each(prompt_ids, samplings, end_ids=end_ids, constraint=constraint, adapter=number):
                yield self._named(piece) if isinstance(piece, Answer) else piece

    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """Log-probabilities of each row's tokens from its start on."""
        with self._shared.using(self.adapter) as (engine, number):
            return engine.score(rows, starts, adapter=number)

    def chances(self, row: Sequence[int], start: int, *, likeliest: int) -> list[TokenChance]:
        """What else could have stood in the place of each token."""
        with self._shared.using(self.adapter) as (engine, number):
            return engine.chances(row, start, likeliest=likeliest, adapter=number)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, by this model."""
        with self._shared.using(self.adapter) as (engine, number):
            return engine.embed(texts, adapter=number)

    def vectors(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Vectors of token ids, by this model."""
        with self._shared.using(self.adapter) as (engine, number):
            return engine.vectors(rows, adapter=number)

    def load_adapter(self, name: str, folder: str) -> None:
        """Not offered: adapters join by their recipes."""
        raise CannotDo(f"adapter {name!r}: models join a shared base by their recipes. Deploy it, and serve it with --also.")

    def unload_adapter(self, name: str) -> None:
        """Not offered."""
        raise CannotDo(f"adapter {name!r}: models leave a shared base with their recipes.")

    def memory_bytes(self) -> int:
        """That of the shared process."""
        with self._shared.using(self.adapter) as (engine, _):
            return engine.memory_bytes()

    def cancel(self) -> None:
        """Stop what is under way on this base."""
        with self._shared.using(self.adapter) as (engine, _):
            engine.cancel()

    def is_ready(self) -> bool:
        """Whether the process is there and loaded."""
        return self._shared.engine.is_ready()

    def restarts(self) -> int:
        """How often the process died and came back."""
        return self._shared.engine.restarts()

    @property
    def pid(self) -> int | None:
        """Number of the process that this model shares."""
        return self._shared.engine.pid

    def close(self) -> None:
        """Leave the base; the last model ends its process."""
        self._shared.leave(self)

    def _named(self, answer: Answer) -> Answer:
        return answer.model_copy(update={"model": self.name})
