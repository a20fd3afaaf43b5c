"""PDF files to text: paragraphs with their page, without running headers and footers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tutelage.core.files import short_hash
from tutelage.core.records import Place
from tutelage.documents.readers.opened import Opened, failed, title_of, too_large
from tutelage.documents.readers.pdf_lines import Line, lines_of, running
from tutelage.documents.readers.pdf_paragraphs import Paragraph, paragraphs
from tutelage.documents.rows import ReadOptions, Row, Unreadable

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# A page of a scan has a stamp or a page number at most.
LEAST_CHARACTERS = 20
END_BYTES = 4096
# What PDFium gives for letters whose font does not say which they are.
_NO_LETTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ue000-\uf8ff\ufffd\uffff]")
NO_LETTERS_SHARE = 0.2
PASSWORD = 4
OCR = ("Tutelage does not read pictures of text. Recognise it first, for example with `pip install tutelage[ocr]` (rapidocr) or the "
       "program of your scanner, and save it as text.")


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
        outcome = _pages(document, options)
    finally:
        document.close()
    if isinstance(outcome, Unreadable):
        yield failed(opened.file, outcome, sha256=digest)
        return
    pages, removed = outcome
    kept, edges = running(pages)
    text, places = _written(paragraphs(kept))
    yield Row(id=short_hash(opened.file.name, text), name=opened.file.name, source=opened.file.source, source_sha256=digest, text=text,
              title=title_of(text), encoding="utf-8", places=places, removed=tuple(sorted((removed + edges).items())),
              permission=opened.file.permission)


def _unopened(code: int | None) -> Unreadable:
    if code == PASSWORD:
        return Unreadable("encrypted", "It is locked by a password. Save it without one.")
    return Unreadable("broken PDF", "It is cut off, or no PDF. Download or print it anew.")


def _pages(document: PdfDocument, options: ReadOptions) -> tuple[list[list[Line]], Counter[str]] | Unreadable:
    import pypdfium2 as pdfium

    pages: list[list[Line]] = []
    removed: Counter[str] = Counter()
    characters = unread = 0
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError:
            removed["broken page"] += 1
            continue
        lines = lines_of(page)
        page.close()
        said = sum(len(line.text) for line in lines)
        characters += said
        unread += sum(len(_NO_LETTER.findall(line.text)) for line in lines)
        if characters > options.max_characters_a_row:
            return Unreadable("too large", f"Its text has more than {options.max_characters_a_row:,} characters. Divide it.")
        removed["page without text"] += said < LEAST_CHARACTERS
        pages.append(lines)
    if not pages:
        return Unreadable("broken PDF", "None of its pages can be read. Download or print it anew.")
    if removed["page without text"] > len(pages) / 2:
        return Unreadable("no text", f"{removed['page without text']} of {len(pages)} pages have no text: it is a scan. {OCR}")
    if unread > NO_LETTERS_SHARE * characters:
        return Unreadable("no text", f"Its fonts do not say which letters they draw. {OCR}")
    return pages, +removed


def _written(found: list[Paragraph]) -> tuple[str, tuple[Place, ...]]:
    places = []
    at = 0
    for number, paragraph in enumerate(found, 1):
        places.append(Place(start=at, end=at + len(paragraph.text), page=paragraph.page, paragraph=str(number), number=paragraph.number))
        at += len(paragraph.text) + 2
    return "\n\n".join(paragraph.text for paragraph in found), tuple(places)
