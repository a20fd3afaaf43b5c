"""E-mail addresses replaced by placeholders. What is kept says where an address stood, never which one it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from tutelage.core.records import Record

Kind = Literal["email", "disguised_email"]


class Span(Record):
    """One masked place: `start` and `length` count characters of the text before masking."""

    start: int
    length: int
    kind: Kind
    placeholder: str


class Masked(Record):
    """The text with placeholders, and where they were put."""

    text: str
    spans: tuple[Span, ...]


_LOCAL = r"[A-Za-z0-9_][A-Za-z0-9._%+'-]{0,127}"
_LABEL = r"[A-Za-z0-9-]{1,63}"
_END = r"[A-Za-z]{2,24}(?![A-Za-z0-9_])"
_DOT_MARK = r"(?:[ ]?[\[({<][ ]?(?i:dot)[ ]?[\])}>][ ]?)"
_DOT_WORD = r"(?:[ ](?:dot|DOT)[ ])"
_DOT = rf"(?:\.|{_DOT_MARK}|{_DOT_WORD})"
_NAME = rf"[A-Za-z0-9_%+-]{{1,64}}+(?:{_DOT}[A-Za-z0-9_%+-]{{1,64}}+){{0,5}}"
_DOMAIN = rf"{_LABEL}(?:{_DOT}{_LABEL}){{0,5}}{_DOT}{_END}"
# An ordinary word before "at" makes a sentence ("available at example dot com"), not an address.
_PROSE = (r"(?<![A-Za-z0-9_])(?!(?i:available|contact|contacted|found|hosted|located|look|me|obtained|published|see|site|us|visit"
          r"|website|write)[ ])")

_ADDRESS = re.compile(rf"""
    (?P<email>{_LOCAL}(?:@{{1,2}}|＠)(?:{_LABEL}\.){{1,6}}[A-Za-z]{{2,24}})
  | (?P<marked>{_NAME})[ ]?[\[({{<][ ]?(?i:at)[ ]?[\])}}>][ ]?(?P<marked_domain>{_DOMAIN})
  | (?P<joined>[A-Za-z0-9.%+-]{{1,64}}+)_(?:AT|at)_(?P<joined_domain>{_DOMAIN})
  | (?P<shouted>(?=[A-Z0-9._%+-]{{0,64}}[a-z]){_NAME})[ ]AT[ ](?P<shouted_domain>{_DOMAIN})
  | {_PROSE}(?P<spoken>{_NAME})[ ]at[ ](?P<spoken_domain>{_LABEL}(?:{_DOT_WORD}{_LABEL}){{0,5}}{_DOT_WORD}{_END})
  | (?<=<)(?P<bracketed>{_NAME})[ ]at[ ](?P<bracketed_domain>{_DOMAIN})(?=>)
""", re.VERBOSE)
# A line without any of these has no address, and most lines have none: this saves nine tenths of the time.
_HINT = re.compile(r"""
    [@＠] | [\[({<][ ]?(?i:at)[ ]?[\])}>] | _(?:AT|at)_
  | [ ]AT[ ](?:[^\s.]+[.][A-Za-z]|[^\s]+[ ]?[\[({<]?(?i:dot)) | [ ]at[ ](?:[^\s]+[ ]?[\[({<]?(?:dot|DOT)|[^\s>]+>)
""", re.VERBOSE)


# A text without any of these has no line with a hint: this saves most of what is left. The second and third are looked for in lower case.
_SIGNS = ("@", "＠", "_at_", "_AT_", " AT ")
_BRACKETS = tuple(f"at{space}{bracket}" for space in ("", " ") for bracket in "])}>")
_DOTS = ("dot", ">")


def mask_emails(text: str) -> Masked:
    """The text with each e-mail address replaced by [EMAIL_1], [EMAIL_2], ...: one number an address within the text.

    Found are plain addresses, next to Chinese characters too, and the usual disguises: name [at] domain [dot] com,
    name_AT_domain.com, name AT domain DOT com, name at domain dot com, <name at domain.com>. Anything less sure stays.
    """
    numbers: dict[str, int] = {}
    spans: list[Span] = []
    pieces: list[str] = []
    end = 0
    for match in _found(text):
        number = numbers.setdefault(_plain(match), len(numbers) + 1)
        placeholder = f"[EMAIL_{number}]"
        spans.append(Span(start=match.start(), length=match.end() - match.start(), placeholder=placeholder,
                          kind="email" if match["email"] else "disguised_email"))
        pieces += [text[end:match.start()], placeholder]
        end = match.end()
    return Masked(text="".join(pieces) + text[end:], spans=tuple(spans))


def email_addresses(text: str) -> list[str]:
    """The addresses that `mask_emails` finds, without their disguise and in lower case, in order."""
    return [_plain(match) for match in _found(text)]


def _found(text: str) -> Iterator[re.Match[str]]:
    """Addresses in order. None goes over the end of a line, so only lines with a hint are searched."""
    if not _has_signs(text):
        return
    searched = 0
    for hint in _HINT.finditer(text):
        if hint.start() >= searched:
            start = text.rfind("\n", 0, hint.start()) + 1
            end = text.find("\n", hint.end())
            searched = end if end >= 0 else len(text)
            yield from _ADDRESS.finditer(text, start, searched)


def _has_signs(text: str) -> bool:
    if any(sign in text for sign in _SIGNS):
        return True
    small = text.lower()
    return any(sign in small for sign in _BRACKETS) or (" at " in small and any(sign in small for sign in _DOTS))


def _plain(match: re.Match[str]) -> str:
    """The address without its disguise, in lower case."""
    if match["email"]:
        return re.sub("[@＠]+", "@", match["email"]).lower()
    name, domain = (part for part in match.groups() if part is not None)
    return re.sub(_DOT, ".", f"{name}@{domain}").lower()
