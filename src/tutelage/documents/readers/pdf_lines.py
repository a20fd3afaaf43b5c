"""The lines of a PDF page with where they stand, in the order in which they are read."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

# PDFium's marks of a hyphen that ends a line, and the soft hyphen.
HYPHENS = "\x02\ufffe\u00ad"
EDGE_LINES = 3
# A line at the edge of this many pages and this share of them is a running header or footer; odd and even pages may differ.
EDGE_PAGES = 3
EDGE_SHARE = 0.4
_DIGITS = re.compile(r"[0-9０-９]+|[一二三四五六七八九十百]+(?=页)|(?<=第)[一二三四五六七八九十百]+|\b[ivxl]+\b")
_PAGE_NUMBER = re.compile(r"(?<![\d.])\d{1,4}(?![\d.])")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Line:
    """One line: its text, left and right end, base line (higher is further up), height of its letters, whether it ends in a hyphen.

    `confidence` (0 to 1) of a line that was recognised in a picture; None for one of the file's own text.
    """

    text: str
    left: float
    right: float
    base: float
    height: float
    is_hyphenated: bool = False
    confidence: float | None = None


def lines_of(page: PdfPage) -> list[Line]:
    """The lines of a page. Raises pypdfium2.PdfiumError for a page that cannot be read."""
    import pypdfium2.raw as raw

    text_page = page.get_textpage()
    try:
        found: list[Line] = []
        begin, count = 0, text_page.count_chars()
        codes = [raw.FPDFText_GetUnicode(text_page, index) for index in range(count)]
        for index, code in enumerate([*codes, 0x0A]):
            is_hyphen = 0 < code < 0x110000 and chr(code) in HYPHENS
            if code not in (0x0A, 0x0D) and not is_hyphen:
                continue
            line = _line(text_page, codes, begin, index, is_hyphenated=is_hyphen)
            if line:
                found.append(line)
            begin = index + 1
        return found if page.get_rotation() else _ordered(found)
    finally:
        text_page.close()


def _line(text_page: object, codes: Sequence[int], begin: int, end: int, *, is_hyphenated: bool) -> Line | None:
    import pypdfium2.raw as raw

    seen = [index for index in range(begin, end) if codes[index] > 0x20]
    if not seen:
        return None
    units = (code for code in codes[seen[0]:seen[-1] + 1] if code and code < 0x110000)
    text = "".join(map(chr, units)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    first, last = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text_page, seen[0], first)
    raw.FPDFText_GetLooseCharBox(text_page, seen[-1], last)
    left, base = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text_page, seen[0], left, base)
    return Line(_SPACES.sub(" ", text).strip(), min(first.left, last.left), max(first.right, last.right), base.value,
                max(first.top - first.bottom, last.top - last.bottom, 1.0), is_hyphenated)


def _ordered(lines: list[Line]) -> list[Line]:
    """From top to bottom, unless lines stand side by side: then the file's own order tells columns from tables."""
    falling = sorted(lines, key=lambda line: -line.base)
    is_beside = any(below.base > above.base - above.height / 2 for above, below in pairwise(falling))
    return lines if is_beside else falling


def running(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], Counter[str]]:
    """The pages without the headers and footers that repeat on them, digits aside; and how many lines of each went."""
    edges = [_edges(page) for page in pages]
    gone = _repeated([list(header) + list(footer) for header, footer in edges])
    removed = Counter({name: sum(id(line) in gone for edge in edges for line in edge[position])
                       for position, name in enumerate(("running header", "running footer"))})
    return [[line for line in page if id(line) not in gone] for page in pages], +removed


def _repeated(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Lines that stand on many pages, and lines whose number counts the pages, such as those of one chapter."""
    found: dict[str, list[tuple[int, Line]]] = {}
    for position, page in enumerate(edges):
        for line in page:
            found.setdefault(_key(line), []).append((position, line))
    gone: set[int] = set()
    for lines in found.values():
        pages = len({position for position, _ in lines})
        if pages >= EDGE_PAGES and pages >= EDGE_SHARE * len(edges):
            gone |= {id(line) for _, line in lines}
            continue
        offsets = Counter(number - position for position, line in lines for number in _numbers(line))
        steady = {offset for offset, count in offsets.items() if count >= EDGE_PAGES}
        gone |= {id(line) for position, line in lines if any(number - position in steady for number in _numbers(line))}
    return gone


def _numbers(line: Line) -> set[int]:
    return {int(digits) for digits in _PAGE_NUMBER.findall(line.text)}


def _edges(page: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    """The uppermost and the lowest lines, no line among both."""
    falling = sorted(page, key=lambda line: -line.base)
    half = (len(falling) + 1) // 2
    return falling[:min(EDGE_LINES, half)], falling[max(half, len(falling) - EDGE_LINES):]


def _key(line: Line) -> str:
    return _DIGITS.sub("#", _SPACES.sub("", line.text.lower()))
