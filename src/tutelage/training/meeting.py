"""Several machines that train together: the first calls in the shared work folder, each of the others answers and starts its processes."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import TypeVar

from tutelage.core.errors import InputError, Paused
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.training.launch import POLLED, Call, Launch
from tutelage.training.settings import Devices
from tutelage.training.signals import StopRequests

CALL, GO, STOP = "call.json", "go.json", "stop"
Said = TypeVar("Said", bound=Record)


class _Answer(Record):
    """What a machine says to a call. `word` is another for each answer, so that none of an earlier run counts."""

    start: str
    word: str


class _Go(Record):
    """What the first machine says when all have answered: their words."""

    start: str
    words: tuple[str, ...]


def new_call(devices: Devices, processes: int) -> Call:
    """A call for so many processes on all machines together, at a free port of this one."""
    if devices.machines == 1:
        return Call(start=uuid.uuid4().hex, machines=1, processes=processes, meeting="")
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    return Call(start=uuid.uuid4().hex, machines=devices.machines, processes=processes // devices.machines,
                meeting=f"{devices.address or socket.gethostname()}:{port}")


@contextmanager
def calling(scratch: Path) -> Iterator[None]:
    """Context of a training in whose `scratch` the others are called; afterwards they know that it is over."""
    try:
        yield
    finally:
        (scratch / CALL).unlink(missing_ok=True)


def gather(scratch: Path, call: Call, stop: StopRequests, events: Events) -> None:
    """Call the other machines and wait until all have answered. Raises Paused after SIGTERM or SIGINT."""
    if call.machines == 1:
        return
    (scratch / GO).unlink(missing_ok=True)
    for number in range(1, call.machines):
        _answer_file(scratch, number).unlink(missing_ok=True)
    write_whole(scratch / CALL, call.model_dump_json())
    lacking = list(range(1, call.machines))
    for number in lacking:
        events.note("training", "training.calling", machine=number + 1, machines=call.machines, folder=str(scratch.parents[1]))
    words: dict[int, str] = {}
    while len(words) < len(lacking):
        if stop.asked:
            raise Paused(f"training: stopped by {stop.asked} while it waited for {len(lacking) - len(words)} of {call.machines} machines. "
                         "Run the same command again to go on.")
        words |= {number: answer.word for number in lacking if (answer := _read(_answer_file(scratch, number), _Answer))
                  and answer.start == call.start}
        time.sleep(POLLED)
    write_whole(scratch / GO, _Go(start=call.start, words=tuple(words.values())).model_dump_json())


def join(work: Path, machine: int, events: Events) -> None:
    """Take part in the next training of `work` that calls, as the machine of this number (the second is 2), until it is over.

    Raises InputError for a number that is not called, and Paused after SIGTERM or SIGINT, which pause the training too.
    """
    events.note("training", "training.joining", machine=machine, folder=str(work))
    started, answered, word = "", "", uuid.uuid4().hex
    with StopRequests() as stop:
        while True:
            if stop.asked:
                raise Paused(f"join: stopped by {stop.asked}. Run the same command again to take part.")
            found = _called(work)
            if found is None and started:
                events.note("training", "training.joined", machine=machine)
                return
            if found is not None:
                scratch, call = found
                if call.start not in (started, answered):
                    _require(machine, call)
                    write_whole(_answer_file(scratch, machine - 1), _Answer(start=call.start, word=word).model_dump_json())
                    answered = call.start
                if call.start != started and _goes(scratch, call, word):
                    started = call.start
                    _take_part(scratch, call, machine, stop, events)
            time.sleep(POLLED)


def _take_part(scratch: Path, call: Call, machine: int, stop: StopRequests, events: Events) -> None:
    """Start this machine's processes and wait for their end; what went wrong with them is told, and by the first machine too."""
    events.note("training", "training.joins", machine=machine, machines=call.machines, processes=call.processes)
    launch = Launch(scratch, call, machine=machine - 1)
    launch.start()
    try:
        while launch.is_alive():
            if stop.asked and not (scratch / STOP).exists():
                write_whole(scratch / STOP, stop.asked)
            time.sleep(POLLED)
    except BaseException:
        write_whole(scratch / STOP, Signals.SIGINT.name)  # no process goes on alone
        raise
    if launch.failure is not None:
        events.warning("training", "training.join_failed", machine=machine, reason=launch.told())


def _require(machine: int, call: Call) -> None:
    if not 2 <= machine <= call.machines:
        raise InputError(f"join: the number of this machine is {machine}; the training wants {call.machines} machines, of which the first "
                         f"runs `tutelage make`. Give a number from 2 to {call.machines}.")


def _called(work: Path) -> tuple[Path, Call] | None:
    """The scratch folder of a training of `work` that calls, and its call. One runs at a time: a work folder is held by its run."""
    found = ((path.parent, call) for path in sorted((work / "training").glob(f".*.scratch/{CALL}")) if (call := _read(path, Call)))
    return next(found, None)


def _goes(scratch: Path, call: Call, word: str) -> bool:
    """Whether the first machine has heard this one's answer to the call, and starts."""
    go = _read(scratch / GO, _Go)
    return go is not None and go.start == call.start and word in go.words


def _answer_file(scratch: Path, number: int) -> Path:
    return scratch / f"answer-{number}.json"


def _read(path: Path, kind: type[Said]) -> Said | None:
    """What stands in a file that another machine may take away at any time; None if it has."""
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
