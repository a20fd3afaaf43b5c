"""Text without the damage of files: broken encodings, odd spaces, invisible characters. No word, digit or quote is lost."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import ftfy

# A lossy repair would guess at letters that are gone.
_MOJIBAKE_ONLY = ftfy.TextFixerConfig(restore_byte_a0=True, replace_lossy_sequences=False, decode_inconsistent_utf8=True,
                                      fix_c1_controls=True)

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_ZERO_WIDTH = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ODD_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f]")
_BLANK_LINES = re.compile(r"\n{4,}")


@dataclass(frozen=True)
class Tidied:
    """The text and what was changed in it: name of the change -> how often. Without changes the text is the one given."""

    text: str
    changes: dict[str, int] = field(default_factory=dict)


def tidy(text: str) -> Tidied:
    """The text with UTF-8 that was read as something else repaired, in Unicode form NFC, with plain line ends and spaces.

    Invisible and control characters and spaces at line ends go, three or more blank lines become two, and none begins or
    ends the text. Tidying a second time changes nothing.
    """
    changes: Counter[str] = Counter()
    while True:
        before = text
        for name, change in _STEPS:
            text, count = change(text)
            changes[name] += count
        # Only outside ASCII may one repair bring to light what an earlier step looks for.
        if text.isascii() or text == before:
            return Tidied(text, {name: changes[name] for name, _ in _STEPS if changes[name]})


def _by_line(text: str, change: Callable[[str], str]) -> tuple[str, int]:
    """The text with each line changed, and how many lines differ."""
    before = text.split("\n")
    after = [change(line) for line in before]
    return "\n".join(after), sum(old != new for old, new in zip(before, after, strict=True))


def _mojibake(text: str) -> tuple[str, int]:
    return _by_line(text, lambda line: line if line.isascii() else ftfy.fix_encoding(line, _MOJIBAKE_ONLY))


def _composed(text: str) -> tuple[str, int]:
    return _by_line(text, lambda line: unicodedata.normalize("NFC", line))


def _trailing(text: str) -> tuple[str, int]:
    return _by_line(text, str.rstrip)


def _outer(text: str) -> tuple[str, int]:
    inner = text.strip("\n")
    return inner, text.startswith("\n") + text.endswith("\n") if inner else bool(text)


def _by_pattern(pattern: re.Pattern[str], replacement: str) -> Callable[[str], tuple[str, int]]:
    return lambda text: pattern.subn(replacement, text)


_STEPS: tuple[tuple[str, Callable[[str], tuple[str, int]]], ...] = (
    ("line_ends", _by_pattern(_LINE_ENDS, "\n")),
    ("lone_surrogates", _by_pattern(_SURROGATES, "\ufffd")),
    ("mojibake", _mojibake),
    ("control_characters", _by_pattern(_CONTROL, "")),
    ("zero_width_characters", _by_pattern(_ZERO_WIDTH, "")),
    ("non_breaking_spaces", _by_pattern(_ODD_SPACES, " ")),
    ("unicode_form", _composed),
    ("trailing_spaces", _trailing),
    ("blank_lines", _by_pattern(_BLANK_LINES, "\n\n\n")),
    ("outer_blank_lines", _outer),
)
