"""The text inside a paragraph of a Word file, before or after its tracked changes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from tutelage.documents.readers.docx_package import MATH, MC, W, children, is_on

if TYPE_CHECKING:
    from lxml.etree import _Element

View = Literal["accept", "reject"]
# What a view leaves out: the old text after the changes, the new text before them.
GONE: dict[View, tuple[str, str]] = {"accept": ("del", "moveFrom"), "reject": ("ins", "moveTo")}
LEFT_OUT: dict[View, str] = {"accept": "tracked deletion", "reject": "tracked insertion"}
_CHARACTERS = {W + "tab": "\t", W + "ptab": "\t", W + "br": "\n", W + "cr": "\n", W + "noBreakHyphen": "-"}
_CHANGES = frozenset(W + name for name in ("ins", "del", "moveFrom", "moveTo"))
_DRAWN = frozenset(W + name for name in ("drawing", "pict", "object"))
# Symbol fonts: empty and ticked boxes of Wingdings; whatever else they draw is a bullet to a reader.
_SYMBOLS = {"F06F": "☐", "F0A8": "☐", "F071": "☐", "F0FE": "☒", "F0FD": "☒", "F0FC": "✓", "F052": "☑"}


class Runs:
    """Reads the paragraphs of one part in order; fields may go over several of them."""

    def __init__(self, view: View) -> None:
        self.view: View = view
        self.removed: Counter[str] = Counter()
        self.notes: list[tuple[str, str]] = []
        self._gone = frozenset(W + name for name in GONE[view])
        # Of each open field, whether its instruction is being read, which is no text.
        self._fields: list[bool] = []
        self._boxes: list[_Element] = []

    def text(self, paragraph: _Element) -> str:
        """The text of a paragraph, without that of its text boxes."""
        pieces: list[str] = []
        self._read(paragraph, pieces)
        return "".join(pieces)

    def boxes(self) -> list[_Element]:
        """The text boxes that were met since the last call."""
        found, self._boxes = self._boxes, []
        return found

    def properties(self, paragraph: _Element) -> _Element | None:
        """The properties of a paragraph in this view."""
        own = paragraph.find(W + "pPr")
        before = own.find(f"{W}pPrChange/{W}pPr") if own is not None and self.view == "reject" else None
        return own if before is None else before

    def has_no_mark(self, paragraph: _Element) -> bool:
        """Whether the end of the paragraph is not there in this view, so that its text goes on in the next one."""
        mark = paragraph.find(f"{W}pPr/{W}rPr")
        return mark is not None and any(mark.find(W + name) is not None for name in GONE[self.view])

    def is_gone(self, properties: _Element | None, *, prefix: str = "") -> bool:
        """Whether a row or cell of a table with these properties is not there in this view."""
        names = ("cellDel",) if prefix and self.view == "accept" else ("cellIns",) if prefix else GONE[self.view]
        return properties is not None and any(properties.find(W + name) is not None for name in names)

    def _read(self, element: _Element, pieces: list[str]) -> None:
        for child in children(element):
            tag = child.tag
            if tag == W + "r":
                if is_on(child.find(W + "rPr"), "vanish"):
                    self.removed["hidden text"] += 1
                else:
                    self._read(child, pieces)
            elif tag in _CHANGES:
                if tag in self._gone:
                    self.removed[LEFT_OUT[self.view]] += 1
                else:
                    self._read(child, pieces)
            elif tag == W + "fldChar":
                self._field(child.get(W + "fldCharType"))
            elif tag in _DRAWN:
                self._boxes += _boxes_of(child)
            elif not any(self._fields):
                self._say(child, pieces)

    def _say(self, child: _Element, pieces: list[str]) -> None:
        tag = child.tag
        if tag == W + "t" or tag == W + "delText":
            pieces.append(child.text or "")
        elif tag in _CHARACTERS:
            pieces.append(_CHARACTERS[tag])
        elif tag == W + "sym":
            code = (child.get(W + "char") or "").upper()
            pieces.append(_SYMBOLS.get(code) or ("•" if code.startswith("F") else chr(int(code, 16)) if _is_code(code) else ""))
        elif tag in (W + "footnoteReference", W + "endnoteReference"):
            self.notes.append((tag.removeprefix(W).removesuffix("Reference"), child.get(W + "id") or ""))
        elif tag in (MATH + "oMath", MATH + "oMathPara"):
            pieces.extend(text.text or "" for text in child.iter(MATH + "t"))

    def _field(self, kind: str | None) -> None:
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()


def _is_code(code: str) -> bool:
    return 2 <= len(code) <= 4 and all(digit in "0123456789ABCDEF" for digit in code) and not "D800" <= code <= "DFFF"


def _boxes_of(drawn: _Element) -> list[_Element]:
    """The text boxes inside a drawing; those inside them are found when they are read."""
    found = []
    for child in drawn:
        if child.tag == W + "txbxContent":
            found.append(child)
        elif child.tag == MC + "AlternateContent":
            chosen = next((part for part in child if part.tag in (MC + "Choice", MC + "Fallback")), None)
            found += _boxes_of(chosen) if chosen is not None else []
        elif isinstance(child.tag, str):
            found += _boxes_of(child)
    return found
