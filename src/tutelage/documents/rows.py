"""What readers give and cleaning takes: one text or one row of a data file, or the problem why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.records import Image, Kind, Message, Place


@dataclass(frozen=True)
class Unreadable:
    """Why a file or a row of it gives no text: a short reason that can be counted, and what a person should know and do.

    `field` is the field of the row that is wrong, `expected` what should stand there; "" where that does not apply.
    """

    reason: str
    suggestion: str
    field: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Row:
    """One text as it was read, or the `problem` why there is none. `is_guess`: the file itself does not state its encoding.

    `kind`, `messages`, `rejected`, `label`, `tools` and `images` are those of core.records.Document; of a row that is no plain
    text, `text` is "" (cleaning fills it). `places` lie in `text`. `removed` says what a reader left out
    itself, such as running headers (reason, how often).
    """

    id: str
    name: str
    source: str
    source_sha256: str
    text: str = ""
    title: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    encoding: str = ""
    is_guess: bool = False
    problem: Unreadable | None = None
    kind: Kind = "text"
    messages: tuple[Message, ...] = ()
    rejected: str = ""
    label: str = ""
    tools: str = ""
    images: tuple[Image, ...] = ()
    places: tuple[Place, ...] = ()
    removed: tuple[tuple[str, int], ...] = ()
    permission: str = "everyone"
