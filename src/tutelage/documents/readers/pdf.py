"""PDF files to text: paragraphs with their page, without running headers and footers; scans by their pictures, if that is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from tutelage.core.files import short_hash
from tutelage.core.records import Place
from tutelage.documents.readers.opened import Opened, failed, title_of, too_large
from tutelage.documents.readers.pdf_lines import Line, lines_of, running
from tutelage.documents.readers.pdf_paragraphs import Paragraph, paragraphs
from tutelage.documents.readers.recognised import recognised_lines
from tutelage.documents.rows import ReadOptions, Recognised, Row, Unreadable, Unsure

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

# A page of a scan has a stamp or a page number at most.
LEAST_CHARACTERS = 20
END_BYTES = 4096
# What PDFium gives for letters whose font does not say which they are.
_NO_LETTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ue000-\uf8ff\ufffd\uffff]")
NO_LETTERS_SHARE = 0.2
PASSWORD = 4
# A line of a picture of which the recogniser is less sure is told. Of 119 lines on five pages of ours, clear to blurred, 33 were read
# wrongly; 20 of these are below it, and 11 of those that were read rightly.
SURE = 0.98
OCR = ("Set documents.recognise: true to read its pages from their pictures (`pip install tutelage[ocr]`, rapidocr), or let the program of "
       "your scanner recognise it, and save it as text.")


@dataclass
class _Read:
    """The pages of a file as far as they are read: their lines, what was left out, and how many characters there are in all."""

    pages: list[list[Line]] = field(default_factory=list)
    removed: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    unread: int = 0


def read_pdf(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """The text of the file; each paragraph has its page among the places."""
    import pypdfium2 as pdfium

    digest = opened.sha256()
    if opened.size > options.max_bytes_a_document:
        yield failed(opened.file, too_large(opened.size, options.max_bytes_a_document), sha256=digest)
        return
    opened.stream.seek(max(0, opened.size - END_BYTES))
    if b"%%EOF" not in opened.stream.read(END_BYTES):
        yield failed(opened.file, Unreadable("broken PDF", "It has no end mark: it is cut off, or no PDF. Download or print it anew."),
                     sha256=digest)
        return
    opened.stream.seek(0)
    try:
        document = pdfium.PdfDocument(opened.stream)
    except pdfium.PdfiumError as error:
        yield failed(opened.file, _unopened(error.err_code), sha256=digest)
        return
    try:
        read = _pages(document, options)
    finally:
        document.close()
    if isinstance(read, Unreadable):
        yield failed(opened.file, read, sha256=digest)
        return
    kept, edges = running(read.pages)
    text, places = _written(paragraphs(kept))
    yield Row(id=short_hash(opened.file.name, text), name=opened.file.name, source=opened.file.source, source_sha256=digest, text=text,
              title=title_of(text), encoding="utf-8", places=places, removed=tuple(sorted((read.removed + edges).items())),
              permission=opened.file.permission, recognised=_recognised(kept))


def _unopened(code: int | None) -> Unreadable:
    if code == PASSWORD:
        return Unreadable("encrypted", "It is locked by a password. Save it without one.")
    return Unreadable("broken PDF", "It is cut off, or no PDF. Download or print it anew.")


def _pages(document: PdfDocument, options: ReadOptions) -> _Read | Unreadable:
    import pypdfium2 as pdfium

    read = _Read()
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError:
            read.removed["broken page"] += 1
            read.pages.append([])
            continue
        try:
            _take(page, read, options)
        finally:
            page.close()
        if read.characters > options.max_characters_a_row:
            return Unreadable("too large", f"Its text has more than {options.max_characters_a_row:,} characters. Divide it.")
    return _problem(read, options) or read


def _take(page: PdfPage, read: _Read, options: ReadOptions) -> None:
    """The lines of a page: its own, or those of its picture where it has none that can be read."""
    lines = lines_of(page)
    said, unread = _characters(lines), sum(len(_NO_LETTER.findall(line.text)) for line in lines)
    if options.recognise and (said < LEAST_CHARACTERS or unread > NO_LETTERS_SHARE * said):
        lines, unsure = recognised_lines(page)
        said, unread = _characters(lines), 0
        read.removed["unsure line of a picture"] += unsure
    read.characters += said
    read.unread += unread
    read.removed["page without text"] += said < LEAST_CHARACTERS
    read.pages.append(lines)


def _characters(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _problem(read: _Read, options: ReadOptions) -> Unreadable | None:
    """Why there is no text in the pages, if there is none."""
    pages, without = len(read.pages) - read.removed["broken page"], read.removed["page without text"]
    if not pages:
        return Unreadable("broken PDF", "None of its pages can be read. Download or print it anew.")
    if without > pages / 2 and options.recognise:
        return Unreadable("no text", f"{without} of {pages} pages have no text, and none was recognised in their pictures. Scan them anew, "
                          "upright and with 300 dots an inch, or leave the file out.")
    if without > pages / 2:
        return Unreadable("no text", f"{without} of {pages} pages have no text: it is a scan. {OCR}")
    if read.unread > NO_LETTERS_SHARE * read.characters:
        return Unreadable("no text", f"Its fonts do not say which letters they draw. {OCR}")
    return None


def _recognised(pages: Sequence[Sequence[Line]]) -> Recognised | None:
    """What of the text was recognised, None for nothing."""
    found = [(number, line.text, line.confidence) for number, page in enumerate(pages, 1) for line in page if line.confidence is not None]
    if not found:
        return None
    unsure = tuple(Unsure(page, text, round(confidence, 3)) for page, text, confidence in found if confidence < SURE)
    return Recognised(len({page for page, _, _ in found}), len(found), round(fmean(confidence for _, _, confidence in found), 3), unsure)


def _written(found: list[Paragraph]) -> tuple[str, tuple[Place, ...]]:
    places = []
    at = 0
    for number, paragraph in enumerate(found, 1):
        sure = paragraph.confidence
        places.append(Place(start=at, end=at + len(paragraph.text), page=paragraph.page, paragraph=str(number), number=paragraph.number,
                            confidence=None if sure is None else round(sure, 3)))
        at += len(paragraph.text) + 2
    return "\n\n".join(paragraph.text for paragraph in found), tuple(places)
