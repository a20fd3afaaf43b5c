"""The paragraphs and tables of a part of a Word file in the order in which they are read, each paragraph with its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.core.records import Place
from tutelage.documents.readers.docx_numbering import Number, Numbering
from tutelage.documents.readers.docx_package import W14, W, children
from tutelage.documents.readers.docx_runs import Runs

if TYPE_CHECKING:
    from lxml.etree import _Element

CELL = " | "
_CONTENTS = re.compile(r"toc ?\d|table of figures")
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True)
class Paragraph:
    """One paragraph: its text, its number, its id (Word's own, else its place in the file from 1 on), and the part it stands in."""

    text: str
    number: Number | None
    identifier: str
    part: str
    style: str = ""

    @property
    def written(self) -> str:
        """The number, then the text."""
        if self.number is None or not self.text:
            return self.text
        return f"{self.number.shown}{' ' if self.number.has_space else ''}{self.text}"


class Body:
    """Walks over one part. The lines that it gives are paragraphs, or the cells of one row of a table."""

    def __init__(self, runs: Runs, numbering: Numbering) -> None:
        self.runs, self._numbering, self._count = runs, numbering, 0

    def lines(self, container: _Element, part: str) -> Iterator[list[Paragraph]]:
        """All lines of a container, those without text left out."""
        carried = ""
        last: _Element | None = None
        for block in children(container):
            if block.tag == W + "p":
                self._count += 1
                carried, last = carried + self.runs.text(block), block
                if not self.runs.has_no_mark(block):
                    yield from self._paragraph(block, carried, part)
                    carried, last = "", None
            elif block.tag == W + "tbl":
                if carried and last is not None:
                    yield from self._paragraph(last, carried, part)
                carried, last = "", None
                yield from self._table(block)
            elif block.tag == W + "altChunk":
                self.runs.removed["embedded file"] += 1
        if carried and last is not None:
            yield from self._paragraph(last, carried, part)

    def _paragraph(self, block: _Element, text: str, part: str) -> Iterator[list[Paragraph]]:
        properties = self.runs.properties(block)
        style = self._numbering.style_name(properties)
        number = self._numbering.of(properties)
        text = "\n".join(_SPACES.sub(" ", line).strip(" \t") for line in text.split("\n")).strip("\n")
        boxes = self.runs.boxes()
        if text and _CONTENTS.match(style):
            self.runs.removed["table of contents"] += 1
        elif text:
            yield [Paragraph(text, number, block.get(W14 + "paraId") or str(self._count), part, style)]
        for box in boxes:
            yield from self.lines(box, part)

    def _table(self, table: _Element) -> Iterator[list[Paragraph]]:
        for row in children(table):
            if row.tag != W + "tr" or self.runs.is_gone(row.find(W + "trPr")):
                continue
            cells = [list(self.lines(cell, "table")) for cell in children(row)
                     if cell.tag == W + "tc" and not self.runs.is_gone(cell.find(W + "tcPr"), prefix="cell")]
            if all(len(cell) <= 1 and all(len(line) == 1 and "\n" not in line[0].text for line in cell) for cell in cells):
                line = [cell[0][0] if cell else Paragraph("", None, "", "table") for cell in cells]
                while line and not line[-1].text:
                    line.pop()
                if line:
                    yield line
            else:
                yield from (line for cell in cells for line in cell)


def written(lines: list[list[Paragraph]]) -> tuple[str, tuple[Place, ...]]:
    """The text of the lines, paragraphs apart by an empty line and rows of a table by a line end; with the place of each paragraph."""
    pieces: list[str] = []
    places: list[Place] = []
    at = 0
    for position, line in enumerate(lines):
        if position:
            is_row = line[0].part == "table" and lines[position - 1][0].part == "table"
            pieces.append("\n" if is_row else "\n\n")
            at += len(pieces[-1])
        for column, paragraph in enumerate(line):
            if column:
                pieces.append(CELL)
                at += len(CELL)
            said = paragraph.written
            if said:
                places.append(Place(start=at, end=at + len(said), paragraph=paragraph.identifier, part=paragraph.part,
                                    number=paragraph.number.full if paragraph.number else ""))
            pieces.append(said)
            at += len(said)
    return "".join(pieces), tuple(places)
