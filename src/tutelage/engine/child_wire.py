"""What goes over the wire between an engine's process and ours: calls of the engine's own methods, and what they gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Call:
    """A call of one of the engine's methods, by its own name and with its own arguments."""

    number: int
    method: str
    arguments: tuple[object, ...] = ()
    named: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """Nobody wants the rest of what this call gives."""

    number: int


@dataclass(frozen=True)
class Told:
    """What a call gave: one `result`, or a `stream` whose pieces follow until its `end`, or an `error` at any time."""

    number: int
    kind: Literal["result", "stream", "piece", "end", "error"]
    value: object = None


@dataclass(frozen=True)
class Opened:
    """The first word of the process: its engine, of the class `kind`, is loaded. `abilities` are the methods that may be called."""

    name: str
    kind: str
    context_length: int
    abilities: tuple[str, ...]
