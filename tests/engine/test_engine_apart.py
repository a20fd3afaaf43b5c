"""An engine in a process of its own: its methods go over the wire as they are, and its death is told and mended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from stub_engines import Counting, Words

from tutelage.core.errors import ContextTooLong, InputError, ServiceUnavailable
from tutelage.core.records import Answer, Sampling
from tutelage.engine.child_engine import ChildEngine, kind_of


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


class Place:
    """An engine apart, what was told of it, and what it leaves on the way."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.told, self.closed = folder, [], []
        self.engine: Any = ChildEngine(partial(Counting, folder, **settings), vocabulary=Words(),
                                       tell=lambda key, facts: self.told.append((key, facts)), closed=lambda: self.closed.append(True))

    def stream(self, count: int, prompt: tuple[int, ...] = (1, 2), **more: object) -> Iterator[str | Answer]:
        return self.engine.stream(prompt, Sampling(max_tokens=count), end_ids=(), **more)

    def kill(self) -> None:
        os.kill(self.engine.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("apart"))
    yield place
    place.engine.close()


@pytest.fixture
def slow(tmp_path):
    place = Place(tmp_path, seconds=0.02)
    yield place
    place.engine.close()


def test_it_answers_from_another_process_under_its_own_name(shared):
    *pieces, answer = shared.stream(4)
    assert pieces == ["0 ", "1 ", "2 ", "3 "]
    assert answer == Answer(text="0 1 2 3 ", token_ids=(0, 1, 2, 3), prompt_tokens=2, finish_reason="length", model="counting")
    assert (shared.engine.name, shared.engine.context_length) == ("counting", 1000)
    assert shared.engine.is_ready()
    assert kind_of(shared.engine) == kind_of(Counting(shared.folder)) == "Counting"


def test_new_arguments_and_new_abilities_pass_as_they_are(shared):
    assert list(shared.stream(2, new_argument="!"))[:2] == ["0! ", "1! "]
    assert shared.engine.added_later(6, second=7) == 42
    assert not hasattr(shared.engine, "score")  # what the engine lacks is lacking here too
    with pytest.raises(TypeError, match="unexpected keyword argument 'third'"):
        shared.engine.added_later(6, third=7)


def test_what_it_refuses_is_raised_here_before_the_first_piece(shared):
    with pytest.raises(ContextTooLong, match="the prompt has 1001 tokens"):
        shared.stream(1, prompt=(1,) * 1001)
    with pytest.raises(RuntimeError, match="Odd: odd 1"):
        shared.engine.broken()


def test_the_vocabulary_answers_here(shared):
    assert (shared.engine.tokenize("7 8"), shared.engine.detokenize([9]), shared.engine.special("<x>")) == ([7, 8], "9", 0)


def test_a_stream_that_is_closed_makes_no_more_pieces(slow):
    pieces = slow.stream(500)
    assert next(pieces) == "0 "
    pieces.close()
    made = int((slow.folder / "made").read_text())
    time.sleep(0.2)
    assert int((slow.folder / "made").read_text()) <= made + 2
    assert next(slow.stream(1)) == "0 "


def test_killed_it_tells_who_waits_and_comes_back_in_less_than_ten_seconds(slow):
    first, second = slow.stream(500), slow.stream(500)
    assert (next(first), next(second)) == ("0 ", "0 ")
    slow.kill()
    began = time.monotonic()
    for pieces in (first, second):
        with pytest.raises(ServiceUnavailable, match=r"counting: its engine ended \(SIGKILL\) before it could answer this; it is starting"):
            list(pieces)
    assert not slow.engine.is_ready()
    with pytest.raises(ServiceUnavailable, match="counting: its engine ended and is starting again"):
        slow.stream(1)
    assert slow.engine.tokenize("7") == [7]
    wait_for(slow.engine.is_ready)
    assert time.monotonic() - began < 10
    assert next(slow.stream(1)) == "0 "
    assert slow.engine.restarts() == 1
    assert [key for key, _ in slow.told] == ["run.engine_died", "run.engine_back"]
    assert slow.told[0][1] == {"name": "counting", "why": "SIGKILL", "seconds": 0.1}


def test_while_it_cannot_be_opened_it_tries_again_with_longer_pauses(slow):
    (slow.folder / "closed for repairs").touch()
    slow.kill()
    wait_for(lambda: len(slow.told) >= 3, 20)
    (slow.folder / "closed for repairs").unlink()
    assert [facts["seconds"] for _, facts in slow.told[:3]] == [0.1, 0.2, 0.4]
    assert slow.told[1][1]["why"] == "counting: closed for repairs."
    wait_for(slow.engine.is_ready, 20)


def test_a_crash_within_the_engine_is_told_with_its_signal(slow):
    with pytest.raises(ServiceUnavailable, match=r"its engine ended \(SIGABRT\)"):
        list(slow.stream(9, prompt=(13,)))


def test_closed_its_process_ends_and_it_does_not_come_back(tmp_path):
    place = Place(tmp_path)
    pid = place.engine.pid
    place.engine.close()
    wait_for(lambda: bool(place.closed))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert place.told == []
    assert not place.engine.is_ready()


def test_an_engine_that_cannot_be_opened_says_why_and_leaves_nothing(tmp_path):
    (tmp_path / "closed for repairs").touch()
    with pytest.raises(InputError, match=r"counting: closed for repairs\."):
        Place(tmp_path)


def test_an_opener_that_ends_its_process_is_told(tmp_path):
    with pytest.raises(ServiceUnavailable, match=r"ended before it was loaded \(exit code 3\)"):
        ChildEngine(partial(os._exit, 3), vocabulary=Words(), tell=lambda key, facts: None)
