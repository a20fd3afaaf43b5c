"""What pages and mark-up leave in a text and no clause says: page numbers, source lines, signature lines, emphasis, tags."""

from __future__ import annotations

import re

_FILED = r"Source:[ \t][^\n]{2,80}?,[ \t](?:\d{1,2}-[A-Z]{1,3}\d?|[A-Z]{1,3}-\d{1,2}[A-Z]{0,3})(?:/A)?,[ \t]\d{1,2}/\d{1,2}/\d{4}"
PAGE_LINE = re.compile(
    rf"\s*(?:[-–—]?\s?(?:Page\s+)?\d{{1,3}}(?:\s+of\s+\d{{1,3}})?\s?[-–—]?|[ivx]{{1,5}}|[A-Z]-\d{{1,2}}"
    rf"|(?:\d{{1,3}}\s+)?{_FILED}|第?\s?\d{{1,3}}\s?页.{{0,12}}"
    r"|\[?(?:the )?(?:remainder|rest|balance) of (?:this |the )?page[^\n]{0,60}"
    r"|\[?signature pages?[^\n]{0,40}\]?(?:\s\d{1,3})?)\s*", re.IGNORECASE)
EMPHASIS = re.compile(r"\*\*|(?<!_)__(?!_)")  # a longer run of underscores is a blank to fill in
TAG = re.compile(r"</?(?:span|a|b|i|u|em|strong|sup|sub|font|br)\b[^<>\n]{0,200}>", re.IGNORECASE)
HIDDEN = re.compile(rf"{TAG.pattern}|{EMPHASIS.pattern}|(?:(?<=\s)\d{{1,3}}\s+)?{_FILED}"
                    r"|(?<=[.;:][\s\"”)])\s?\d{1,3}\s*\Z", re.IGNORECASE)  # a page number behind the last sentence
SIGNATURE = re.compile(r"\W*(?:/s/|(?:by|name|title|its|signed|signature|witness"
                       r"|print(?:ed)? name|dated?)\s*:|in witness where ?of\b)", re.IGNORECASE)
RECITAL = re.compile(r"\W*(?:whereas\b|now,? therefore\b|w ?i ?t ?n ?e ?s ?s ?e ?t ?h\b)", re.IGNORECASE)


def is_page_line(line: str) -> bool:
    """Whether a line is a page number, the source line of a filing, or the like."""
    return bool(PAGE_LINE.fullmatch(line))


def shown(text: str) -> str:
    """The text as a reader sees it: without emphasis, inline tags, and page lines."""
    if "\n" in text:
        text = "\n".join(line for line in text.split("\n") if not is_page_line(line))
    return HIDDEN.sub("", text)


def shown_places(text: str) -> list[int]:
    """Where in the text the visible characters of `shown(text)` stand, spaces and marks apart."""
    hidden = bytearray(len(text))
    start = 0
    for line in text.split("\n"):
        if "\n" in text and is_page_line(line):
            hidden[start:start + len(line)] = b"\1" * len(line)
        start += len(line) + 1
    for match in HIDDEN.finditer(text):
        hidden[match.start():match.end()] = b"\1" * len(match[0])
    return [place for place, letter in enumerate(text) if not hidden[place] and not letter.isspace() and letter not in "*_"]
