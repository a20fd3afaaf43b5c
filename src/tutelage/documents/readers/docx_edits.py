"""The paragraphs of a Word file that tracked changes touch: each as it is after them and as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.documents.readers.docx_package import W14, W, children
from tutelage.documents.readers.docx_runs import Runs

if TYPE_CHECKING:
    from lxml.etree import _Element


@dataclass(frozen=True)
class Edit:
    """A changed paragraph without its number; "" where it is not there at all. The id is that of its first paragraph."""

    after: str
    before: str
    identifier: str


@dataclass
class _Side:
    """One view of the paragraphs that are joined so far."""

    runs: Runs
    text: str = ""
    is_open: bool = False

    def add(self, paragraph: _Element, *, is_there: bool) -> None:
        if not is_there:
            return
        self.text += ("\n" if self.text and not self.is_open else "") + self.runs.text(paragraph)
        self.is_open = self.runs.has_no_mark(paragraph)
        self.runs.boxes()


def edits_of(document: _Element) -> Iterator[Edit]:
    """All changed paragraphs in order. Paragraphs that a change joins or splits are one edit together."""
    after, before = _Side(Runs("accept")), _Side(Runs("reject"))
    identifier = ""
    for number, (paragraph, is_after, is_before) in enumerate(_paragraphs(document, after.runs, before.runs), 1):
        identifier = identifier or paragraph.get(W14 + "paraId") or str(number)
        after.add(paragraph, is_there=is_after)
        before.add(paragraph, is_there=is_before)
        # A paragraph that one view does not know at all stands alone: the next one did not change.
        is_whole = (not after.is_open or not after.text) and (not before.is_open or not before.text)
        if is_whole:
            if after.text.strip() != before.text.strip():
                yield Edit(after.text.strip(), before.text.strip(), identifier)
            after.text, before.text, identifier = "", "", ""
            after.is_open = before.is_open = False
    if after.text.strip() != before.text.strip():
        yield Edit(after.text.strip(), before.text.strip(), identifier)


def _paragraphs(container: _Element, after: Runs, before: Runs, *, is_after: bool = True,
                is_before: bool = True) -> Iterator[tuple[_Element, bool, bool]]:
    """All paragraphs, also those in tables, and whether each is there after and before the changes."""
    for child in children(container):
        if child.tag == W + "p":
            yield child, is_after, is_before
        elif child.tag in (W + "body", W + "tbl", W + "tr", W + "tc"):
            prefix, properties = ("cell", child.find(W + "tcPr")) if child.tag == W + "tc" else ("", child.find(W + "trPr"))
            yield from _paragraphs(child, after, before, is_after=is_after and not after.is_gone(properties, prefix=prefix),
                                   is_before=is_before and not before.is_gone(properties, prefix=prefix))
