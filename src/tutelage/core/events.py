"""One stream of progress events, and the listeners that hear it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

from pydantic import Field

from tutelage.core.records import Record

Fact = str | int | float | bool | None
Kind = Literal["plan", "started", "step", "note", "warning", "finished", "failed", "verdict"]


class Event(Record):
    """Something that a stage tells. `key` names a text of the message catalogue; `facts` fill it."""

    at: float
    stage: str
    kind: Kind
    key: str = ""
    facts: dict[str, Fact] = Field(default_factory=dict)


Listener = Callable[[Event], None]


class Events:
    """Sends each event to all listeners, in order. Library code never prints: it sends events."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def send(self, stage: str, kind: Kind, key: str = "", **facts: Fact) -> None:
        """Send one event now."""
        event = Event(at=time.time(), stage=stage, kind=kind, key=key, facts=facts)
        for listener in self._listeners:
            listener(event)

    def note(self, stage: str, key: str, **facts: Fact) -> None:
        """A fact worth a line."""
        self.send(stage, "note", key, **facts)

    def warning(self, stage: str, key: str, **facts: Fact) -> None:
        """What will be worse, and how to avoid it."""
        self.send(stage, "warning", key, **facts)

    def step(self, stage: str, *, done: float, total: float, **facts: Fact) -> None:
        """Progress: `done` of `total` units of work."""
        self.send(stage, "step", "", done=done, total=total, **facts)


class JsonLines:
    """Listener that appends each event to a file, one JSON object a line, flushed so that a page can follow it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        """Append the event."""
        self._file.write(json.dumps(event.model_dump(), ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; later events are an error."""
        self._file.close()


class Recorder:
    """Listener that keeps the events in memory, for tests and for the Python API."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)
