"""An engine in a process of its own, started again when it dies: what kills the engine does not kill the service."""

from __future__ import annotations

import itertools
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from multiprocessing.connection import Connection
from typing import Protocol, cast, runtime_checkable

from tutelage.core.engine import Engine, Tokenizer
from tutelage.core.errors import ServiceUnavailable, TutelageError
from tutelage.engine.child_wire import Call, Opened, Stop, Told
from tutelage.engine.spelling import Spelling

PROCESS = "tutelage.engine.child_process"
CLOSE_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds before a new start; doubled while it goes on dying
STEADY_SECONDS = 30.0  # a process that lived so long was sound

OpenEngine = Callable[[], Engine]
Tell = Callable[[str, dict[str, object]], None]


@runtime_checkable
class Restarts(Protocol):
    """An engine that may be gone for a moment and comes back by itself."""

    def is_ready(self) -> bool:
        """Whether it can answer now."""
        ...

    def restarts(self) -> int:
        """How often it came back."""
        ...


@runtime_checkable
class StandsFor(Protocol):
    """An engine through which another one answers, of the class `kind`."""

    kind: str


class Child:
    """One process with one engine. Safe with threads. `ended` is called once, from a thread of its own, when the process is gone."""

    def __init__(self, open_engine: OpenEngine, ended: Callable[[Child], None]) -> None:
        self._ended = ended
        self._numbers = itertools.count(1)
        self._calls: dict[int, queue.SimpleQueue[Told | None]] = {}  # None: the process is gone
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._is_over = False
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-m", PROCESS, str(theirs.fileno())], pass_fds=[theirs.fileno()],
                                             stdin=subprocess.DEVNULL, start_new_session=True)
        self._wire = Connection(ours.detach())
        self.opened = self._open(open_engine)
        self.began = time.monotonic()
        threading.Thread(target=self._listen, name="engine", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether the process is gone."""
        return self._is_over

    def call(self, method: str, *arguments: object, **named: object) -> object:
        """What the engine's method gives; a generator where it gives one.

        Raises what it raises, and ServiceUnavailable if the process dies.
        """
        number, answers = next(self._numbers), queue.SimpleQueue[Told | None]()
        with self._lock:
            if self._is_over:
                raise ServiceUnavailable(self.how())
            self._calls[number] = answers
        self._send(Call(number, method, arguments, named))
        told = self._take(number, answers)
        if told.kind == "stream":
            return self._pieces(number, answers)
        self._calls.pop(number, None)
        return told.value

    def close(self) -> None:
        """Let the process end; what it is working on is lost. Does not wait: `ended` tells when it is gone."""
        with self._sending:
            if self._is_over:
                return
            end = socket.socket(fileno=self._wire.fileno())
        try:
            end.shutdown(socket.SHUT_RDWR)  # closing alone would leave our own listener waiting
        except OSError:
            return  # the other end is gone already
        finally:
            end.detach()

    def _open(self, open_engine: OpenEngine) -> Opened:
        try:
            self._wire.send(sys.path)
            self._wire.send(open_engine)
            first: Opened | Told = self._wire.recv()
        except (EOFError, OSError):
            self._process.wait()
            raise ServiceUnavailable(f"the engine's process ended before it was loaded ({self.how()}). Look for its last lines above; "
                                     "is there enough memory?") from None
        if isinstance(first, Opened):
            return first
        self._process.wait()
        assert isinstance(first.value, BaseException)
        raise first.value

    def _pieces(self, number: int, answers: queue.SimpleQueue[Told | None]) -> Generator[object, None, None]:
        told: Told | None = None
        try:
            while (told := self._take(number, answers)).kind != "end":
                yield told.value
        finally:
            if self._calls.pop(number, None) is not None and (told is None or told.kind != "end"):
                self._send(Stop(number))

    def _take(self, number: int, answers: queue.SimpleQueue[Told | None]) -> Told:
        told = answers.get()
        if told is None:
            raise ServiceUnavailable(self.how())
        if told.kind == "error":
            self._calls.pop(number, None)
            assert isinstance(told.value, BaseException)
            raise told.value
        return told

    def _send(self, frame: Call | Stop) -> None:
        data = pickle.dumps(frame)
        try:
            with self._sending:
                self._wire.send_bytes(data)
        except OSError:
            return  # the process is gone: the listener tells everybody who waits

    def _listen(self) -> None:
        while True:
            try:
                told: Told = self._wire.recv()
            except (EOFError, OSError):
                break
            if answers := self._calls.get(told.number):
                answers.put(told)
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock, self._sending:
            self._is_over = True
            self._wire.close()
        for answers in list(self._calls.values()):
            answers.put(None)
        self._ended(self)

    def how(self) -> str:
        """How the process ended."""
        code = self._process.poll()
        if code is None:
            return "it is being closed"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class ChildEngine(Spelling[Tokenizer]):
    """The engine that `open_engine` opens, in a process of its own; `open_engine` must survive pickling.

    Besides the methods below it has all public methods of that engine, with their own arguments: each call goes over the wire as it is.
    `vocabulary` answers here what needs no process, so that prompts are counted while the engine is busy or gone. `tell` gets one line for
    each death and each new start. `closed` is called once the process is gone for good.
    """

    def __init__(self, open_engine: OpenEngine, *, vocabulary: Tokenizer, tell: Tell,
                 closed: Callable[[], None] = lambda: None) -> None:
        self._open_engine, self._vocabulary, self._tell, self._closed = open_engine, vocabulary, tell, closed
        self._closing = threading.Event()
        self._pause = FIRST_PAUSE
        self._restarts = 0
        self._child: Child | None = Child(open_engine, self._ended)
        opened = self._child.opened
        self.name, self.kind, self.context_length = opened.name, opened.kind, opened.context_length
        # Attributes of the object, not a hook for missing ones: isinstance() with a protocol sees only those.
        for ability in opened.abilities:
            if not hasattr(type(self), ability):  # those below are answered here
                setattr(self, ability, partial(self._call, ability))

    def is_ready(self) -> bool:
        """Whether its process is there and loaded."""
        return self._child is not None

    def restarts(self) -> int:
        """How often its process died and came back."""
        return self._restarts

    def close(self) -> None:
        """End the process. Answers under way are lost; the door closes an engine only after its last user."""
        self._closing.set()
        if child := self._child:
            child.close()

    @property
    def pid(self) -> int | None:
        """Number of its process; None while there is none."""
        child = self._child
        return child.pid if child else None

    def _call(self, method: str, *arguments: object, **named: object) -> object:
        child = self._child
        if child is None:
            raise ServiceUnavailable(f"{self.name}: its engine ended and is starting again. Send the request again in a few seconds.")
        try:
            found = child.call(method, *arguments, **named)
        except ServiceUnavailable as error:
            raise self._lost(child, error) from None
        return self._guarded(child, found) if isinstance(found, Generator) else found

    def _guarded(self, child: Child, pieces: Generator[object, None, None]) -> Generator[object, None, None]:
        try:
            yield from pieces
        except ServiceUnavailable as error:
            raise self._lost(child, error) from None

    def _lost(self, child: Child, error: ServiceUnavailable) -> ServiceUnavailable:
        """What the engine itself could not serve stays as it is; what was lost with its process is told as that."""
        if not child.is_over:
            return error
        return ServiceUnavailable(f"{self.name}: its engine ended ({error}) before it could answer this; it is starting again. "
                                  "Send the request again in a few seconds.")

    def _ended(self, child: Child) -> None:
        """Start again, until it holds or nobody wants it any more. Runs in the thread that saw the process end."""
        self._child = None
        if time.monotonic() - child.began > STEADY_SECONDS:
            self._pause = FIRST_PAUSE
        why = child.how()
        while not self._closing.is_set():
            self._tell("run.engine_died", {"name": self.name, "why": why, "seconds": self._pause})
            if self._closing.wait(self._pause):
                break
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            try:
                self._child = Child(self._open_engine, self._ended)
            except (TutelageError, OSError) as error:
                why = str(error)
                continue
            self._restarts += 1
            self._tell("run.engine_back", {"name": self.name})
            if self._closing.is_set():
                self._child.close()
            return
        self._closed()


def open_apart(open_engine: OpenEngine, *, vocabulary: Tokenizer, tell: Tell,
               closed: Callable[[], None] = lambda: None) -> Engine:
    """A ChildEngine, as the engine that it stands for."""
    return cast(Engine, ChildEngine(open_engine, vocabulary=vocabulary, tell=tell, closed=closed))


def kind_of(engine: Engine) -> str:
    """The class of the engine that answers, also of one in a process of its own."""
    return engine.kind if isinstance(engine, StandsFor) else type(engine).__name__
