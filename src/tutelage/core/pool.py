"""Work shared among processes: results come in the order of the tasks, whatever the number of processes.

The processes are started as a command of their own and speak through pipes. So they need nothing of the program that started them,
neither its main module (a notebook, a test, a script without a guard) nor its threads, which a fork would copy in the middle of their work.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import BinaryIO, Self, TypeVar, cast

from tutelage.core.errors import TutelageError

Task = TypeVar("Task")
Result = TypeVar("Result")
# How many tasks a process has ahead: enough to be never idle, few enough to stay small in memory.
AHEAD = 2
PROGRAM = "from tutelage.core.pool import serve; serve()"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def results(work: Callable[[Task], Result], tasks: Iterable[Task], processes: int, *, setting: str) -> Iterator[Result]:
    """`work` of each task, in order. With one process or none it is done here.

    `work` is a function of a module, and tasks and results can be pickled. At most a few tasks a process are taken ahead. What `work`
    raises is raised here. Raises TutelageError, which names the `setting` to lower, if a process ends in the middle of its work; the
    others are ended.
    """
    if processes < 2:
        yield from map(work, tasks)
        return
    waiting: deque[Future[Result]] = deque()
    threads = ThreadPoolExecutor(processes)
    with _Processes(processes, setting) as started:
        try:
            for task in tasks:
                waiting.append(threads.submit(started.run, work, task))
                if len(waiting) > AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


class _Processes:
    """Processes that wait for work."""

    def __init__(self, count: int, setting: str) -> None:
        self._setting = setting
        paths = os.pathsep.join(path for path in sys.path if path)
        self._all = [subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env={**os.environ, "PYTHONPATH": paths}) for _ in range(count)]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._all:
            self._idle.put(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait()
            _pipe(process.stdout).close()
            try:
                _pipe(process.stdin).close()
            except BrokenPipeError:
                continue

    def run(self, work: Callable[[Task], Result], task: Task) -> Result:
        """The result of one task, from the first process that is idle."""
        process = self._idle.get()
        try:
            pickle.dump((work, task), _pipe(process.stdin), pickle.HIGHEST_PROTOCOL)
            _pipe(process.stdin).flush()
            is_done, answer = pickle.load(_pipe(process.stdout))
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            code = process.wait()
            raise TutelageError(f"a process that shared the work on documents ended in the middle of it (exit code {code}; -9: killed, "
                                f"mostly for lack of memory). Nothing was lost: run the same command again, with {self._setting}: 1."
                                ) from None
        finally:
            self._idle.put(process)
        if is_done:
            return cast(Result, answer)
        raise answer if isinstance(answer, TutelageError) else TutelageError(f"the work failed in a process of its own:\n{answer}")


def _pipe(pipe: object) -> BinaryIO:
    return cast(BinaryIO, pipe)


def serve() -> None:
    """What a process does: tasks from standard input, results to standard output, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever prints must not speak into the results.
    os.dup2(2, 1)
    while True:
        try:
            work, task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_answer(work, task), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _answer(work: Callable[[Task], Result], task: Task) -> tuple[bool, Result | TutelageError | str]:
    try:
        return True, work(task)
    except TutelageError as error:
        return False, error
    except Exception:  # noqa: BLE001 (told whole to the process that asked, which raises it)
        return False, traceback.format_exc()
