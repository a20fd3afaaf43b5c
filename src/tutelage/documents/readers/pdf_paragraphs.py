"""Lines of PDF pages joined to paragraphs: hyphens and line ends go, numbered lines and headings stay on their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tutelage.documents.readers.pdf_lines import Line

# Chinese and Japanese characters and their punctuation, which need no space between lines.
_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\u3000-\u303f]")
NUMBERED = re.compile(
    r"(第[一二三四五六七八九十百零〇\d]{1,6}[条章节款]|[一二三四五六七八九十]{1,3}[、.．]|[（(][一二三四五六七八九十]{1,3}[）)]"
    r"|(?:Article|Section|ARTICLE|SECTION|Clause)\s+[\dIVXLA-Z][\dIVXLA-Z.]*"
    r"|\d{1,3}(?:\.\d{1,3})+\.?(?=\s|[^\d.\s])|\d{1,3}[.)、．](?=\s|[^\d\s])|[（(](?:[a-zA-Z]|[ivxIVX]{1,5}|\d{1,3})[)）]"
    r"|[a-zA-Z][.)](?=\s)|[•●▪◦–-](?=\s))")
_TERMINAL = tuple(".。;；:：!！?？”\"")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+|[^\W\d_]+")
# Of these a hyphen is part of the word, wherever the line ends.
_HYPHEN_STAYS = frozenset({"non", "self", "third", "co", "well", "first", "second", "cross", "sub"})
# Of the usual distance of lines; of the height of letters where a page has too few lines to have a usual one.
GAP, WIDE_GAP = 1.35, 2.5
# A page with fewer lines says little of its margins.
FEW_LINES = 5


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, the page (from 1) on which it begins, and the number that it begins with; `confidence` as that of its least sure
    line."""

    text: str
    page: int
    number: str
    confidence: float | None = None


@dataclass(frozen=True)
class _Shape:
    """What is usual on a page: the right edge, and the distance of lines (0 for not known)."""

    right: float
    step: float


def paragraphs(pages: Sequence[Sequence[Line]]) -> list[Paragraph]:
    """The paragraphs of all pages; one that goes on over a page break is one."""
    words = _words(pages)
    made: list[Paragraph] = []
    open_lines: list[Line] = []
    began = 0
    shape = before = _Shape(0, 0)
    usual = sorted(_right(page) for page in pages if page)
    for number, page in enumerate(pages, 1):
        before, shape = shape, _shape(page, usual)
        for position, line in enumerate(page):
            if open_lines and (_begins(open_lines, line, shape) if position else _begins_page(open_lines[-1], line, before)):
                made.append(_made(open_lines, began, words))
                open_lines = []
            began = began if open_lines else number
            open_lines.append(line)
    if open_lines:
        made.append(_made(open_lines, began, words))
    return made


def _shape(page: Sequence[Line], usual: Sequence[float]) -> _Shape:
    if not page:
        return _Shape(0, 0)
    steps = [above.base - below.base for above, below in pairwise(page) if 0 < above.base - below.base < 4 * above.height]
    right = _right(page)
    return _Shape(max(right, _most(usual)) if len(page) < FEW_LINES else right, median(steps) if steps else 0)


def _right(page: Sequence[Line]) -> float:
    """The right edge; a few lines may stick out."""
    return _most(sorted(line.right for line in page))


def _most(ordered: Sequence[float]) -> float:
    return ordered[int(0.9 * len(ordered))]


def _begins(open_lines: Sequence[Line], line: Line, shape: _Shape) -> bool:
    """Whether a line begins a paragraph, given those of the open one on the same page."""
    last = open_lines[-1]
    if last.is_hyphenated:
        return False
    step = last.base - line.base
    if _is_item(last, line) or step < -last.height or step > (GAP * shape.step or WIDE_GAP * last.height):
        return True
    if not 0.8 < line.height / last.height < 1.25 or _would_have_fitted(last, line, shape.right):
        return True
    slack = 0.8 * line.height
    is_indented = line.left > last.left + slack
    is_hanging = len(open_lines) == 1 and NUMBERED.match(last.text) is not None
    if is_indented:
        return not is_hanging
    return line.left < last.left - slack and len(open_lines) > 1


def _begins_page(last: Line, line: Line, before: _Shape) -> bool:
    if last.is_hyphenated:
        return False
    is_going_on = line.text[:1].islower() or _WIDE.match(line.text) is not None or not last.text.endswith(_TERMINAL)
    return (_is_item(last, line) or last.text.endswith(_TERMINAL) or not is_going_on
            or _would_have_fitted(last, line, before.right))


def _is_item(last: Line, line: Line) -> bool:
    """Whether a line begins with a number of its own; one in brackets may stand inside a sentence that goes on."""
    number = NUMBERED.match(line.text)
    return number is not None and (line.text[0] not in "(（" or last.text.endswith(_TERMINAL))


def _would_have_fitted(last: Line, line: Line, right: float) -> bool:
    """Whether the first word of a line had room at the end of the one before: then the line was ended on purpose."""
    width = (line.right - line.left) / max(1, len(line.text))
    first = line.text[:2] if _WIDE.match(line.text) else line.text.split(" ")[0]
    return last.right + (len(first) + 2) * width < right


def _made(lines: Sequence[Line], page: int, words: Counter[str]) -> Paragraph:
    text = ""
    for position, line in enumerate(lines):
        text = _joined(text, line.text, lines[position - 1], words) if position else line.text
    if lines[-1].is_hyphenated:
        text += "-"
    number = NUMBERED.match(text)
    return Paragraph(text, page, number[1].strip() if number and number[1].strip(" •●▪◦–-") else "",
                     min((line.confidence for line in lines if line.confidence is not None), default=None))


def _joined(text: str, more: str, last: Line, words: Counter[str]) -> str:
    if last.is_hyphenated or (text.endswith("-") and len(text) > 1 and text[-2].isalpha()):
        return _unhyphenated(text.removesuffix("-"), more, words)
    if _WIDE.match(text[-1:]) or _WIDE.match(more):
        return text + more
    return f"{text} {more}"


def _unhyphenated(text: str, more: str, words: Counter[str]) -> str:
    """Without the hyphen, unless the document itself writes the word with one, or the next part does not begin like the rest of a word."""
    head = re.search(r"[^\W\d_]+$", text)
    tail = re.match(r"[^\W\d_]+", more)
    if head is None or tail is None or not more[:1].islower():
        return f"{text}-{more}"
    whole, parted = (head[0] + tail[0]).lower(), f"{head[0]}-{tail[0]}".lower()
    has_hyphen = words[parted] > words[whole] or (head[0].lower() in _HYPHEN_STAYS and not words[whole])
    return f"{text}-{more}" if has_hyphen else text + more


def _words(pages: Sequence[Sequence[Line]]) -> Counter[str]:
    """How often each word stands inside a line."""
    return Counter(word.lower() for page in pages for line in page for word in _WORD.findall(line.text))
