"""What readers give and cleaning takes: one text or one row of a data file, or the problem why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutelage.core.records import Image, Kind, Message, Place

TrackedChanges = Literal["accept", "reject", "pairs"]
MEBIBYTE = 1 << 20


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
class ReadOptions:
    """How files are read, and how large anything in them may be.

    `tracked_changes` of Word files: the text after them, the text before them, or the text after them plus one row of kind
    "edit" for each changed paragraph. The limits keep the memory bounded whatever a file says of itself.
    """

    tracked_changes: TrackedChanges = "accept"
    recognise: bool = False
    """Whether pages of PDF files without text are read from their picture."""
    max_characters_a_row: int = 10_000_000
    """Longest row of a .jsonl, .json, .csv or .parquet file."""
    max_bytes_a_document: int = 64 * MEBIBYTE
    """Largest file that becomes one text, and largest part of a Word file."""
    max_bytes_unpacked: int = 4096 * MEBIBYTE
    """All members of a zip file together."""
    max_members: int = 100_000
    """Members of a zip file."""
    max_ratio: int = 200
    """How often larger than its packed form a zip member may be; texts reach 20, repetitive tables 100."""


@dataclass(frozen=True)
class Unsure:
    """A line of a picture that may be read wrongly: its page (from 1), what was read, and the recogniser's confidence (0 to 1)."""

    page: int
    text: str
    confidence: float


@dataclass(frozen=True)
class Recognised:
    """What was read from pictures of pages: how many pages and lines, how sure on average (0 to 1), and the lines that are unsure."""

    pages: int
    lines: int
    confidence: float
    unsure: tuple[Unsure, ...] = ()


@dataclass(frozen=True)
class Row:
    """One text as it was read, or the `problem` why there is none. `is_guess`: the file itself does not state its encoding.

    `kind`, `messages`, `rejected`, `label`, `tools` and `images` are those of core.records.Document; of a conversation, `text` is
    "" (cleaning fills it). `places` lie in `text`. `removed` says what a reader left out
    itself, such as running headers (reason, how often). `recognised` is None unless text was read from pictures.
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
    recognised: Recognised | None = None
