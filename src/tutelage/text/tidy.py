"""Text without the damage of files: broken encodings, odd spaces, invisible characters. No word, digit or quote is lost."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

import ftfy

from tutelage.core.edits import Edit, Step, replaced
from tutelage.text.rules import Rule, Tidied, by_letter, by_line, by_pattern, counted, run

HalfWidth = Literal["letters", "digits", "spaces"]

# A lossy repair would guess at letters that are gone.
_MOJIBAKE_ONLY = ftfy.TextFixerConfig(restore_byte_a0=True, replace_lossy_sequences=False, decode_inconsistent_utf8=True,
                                      fix_c1_controls=True)

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_ZERO_WIDTH = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ODD_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f]")
_FULL_WIDTH: dict[HalfWidth, str] = {"letters": "\uff21-\uff3a\uff41-\uff5a", "digits": "\uff10-\uff19", "spaces": "\u3000"}
_TO_HALF = {**{code: chr(code - 0xfee0) for code in range(0xff10, 0xff5b)}, 0x3000: " "}
_MOST_BLANK_LINES = 2
_BLANK_LINES = re.compile(r"\n{4,}")


def tidy(text: str, half_width: Iterable[HalfWidth] = ()) -> Tidied:
    """The text with UTF-8 that was read as something else repaired, in Unicode form NFC, with plain line ends and spaces.

    Invisible and control characters and spaces at line ends go, three or more blank lines become two, and none begins or
    ends the text. Full-width characters of the kinds in `half_width` become the usual ones. Tidying twice changes nothing.
    """
    rules = (*repairs(half_width), *LAYOUT)
    steps: list[Step] = []
    while True:
        done = run(text, rules)
        steps += done.steps
        # Only outside ASCII may one repair bring to light what an earlier one looks for.
        if not done.steps or done.text.isascii():
            return Tidied(done.text, _in_order(counted(steps), rules), tuple(steps))
        text = done.text


def repairs(half_width: Iterable[HalfWidth] = ()) -> tuple[Rule, ...]:
    """The rules that repair characters."""
    kinds = "".join(_FULL_WIDTH[kind] for kind in _FULL_WIDTH if kind in set(half_width))
    wide = (Rule("full_width", by_letter(re.compile(f"[{kinds}]+"), _TO_HALF)),) if kinds else ()
    return (*_REPAIRS, *wide)


def _in_order(changes: dict[str, int], rules: Iterable[Rule]) -> dict[str, int]:
    return {rule.name: changes[rule.name] for rule in rules if rule.name in changes}


def _trailing(text: str) -> list[Edit]:
    edits: list[Edit] = []
    start = 0
    for line in text.split("\n"):
        kept = len(line.rstrip())
        if kept < len(line):
            edits.append(replaced(start + kept, line[kept:], ""))
        start += len(line) + 1
    return edits


def _blank(text: str) -> list[Edit]:
    kept = _MOST_BLANK_LINES + 1
    return [replaced(match.start() + kept, match[0][kept:], "") for match in _BLANK_LINES.finditer(text)]


def _outer(text: str) -> list[Edit]:
    inner = text.lstrip("\n")
    head = len(text) - len(inner)
    edits = [replaced(0, text[:head], "")] if head else []
    end = len(text.rstrip("\n"))
    if head <= end < len(text):
        edits.append(replaced(end, text[end:], ""))
    return edits


_REPAIRS = (
    Rule("line_ends", by_pattern(_LINE_ENDS, "\n")),
    Rule("lone_surrogates", by_pattern(_SURROGATES, "\ufffd")),
    Rule("mojibake", by_line("mojibake", lambda line: ftfy.fix_encoding(line, _MOJIBAKE_ONLY))),
    Rule("control_characters", by_pattern(_CONTROL, "")),
    Rule("zero_width_characters", by_pattern(_ZERO_WIDTH, "")),
    Rule("non_breaking_spaces", by_pattern(_ODD_SPACES, " ")),
    Rule("unicode_form", by_line("unicode_form", lambda line: unicodedata.normalize("NFC", line))),
)
LAYOUT = (Rule("trailing_spaces", _trailing), Rule("blank_lines", _blank), Rule("outer_blank_lines", _outer))
