"""HTML pages to text: blocks on lines of their own, lists numbered, tables row by row, without scripts and navigation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.core.files import short_hash
from tutelage.documents.decode import Decoded, decode
from tutelage.documents.readers.numerals import number_in
from tutelage.documents.readers.opened import TITLE_CHARACTERS, Opened, decoded_whole, failed, title_of
from tutelage.documents.rows import ReadOptions, Row, Unreadable

if TYPE_CHECKING:
    from lxml.etree import _Element

_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
# The pages of mainland China name the small character set and use the large one.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "big5": "big5hkscs", "iso-8859-1": "cp1252", "latin1": "cp1252"}
_META_BYTES = 4096
_BLOCKS = frozenset(["address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li",
    "main", "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"])
_LEFT_OUT = {"script": "script", "style": "style", "nav": "navigation", "noscript": "script", "template": "script",
             "iframe": "embedded page", "object": "embedded page", "svg": "drawing", "math": "formula", "select": "form field",
             "button": "form field", "textarea": "form field", "head": "", "title": ""}
_LIST_STYLES = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_SPACE = re.compile(r"[ \t\r\n\f]+")
CELL = " | "


def read_html(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """The text of the page, and its title."""
    from lxml import etree
    from lxml.html import HTMLParser, document_fromstring

    whole = decoded_whole(opened, options, _decoded)
    if isinstance(whole, Row):
        yield whole
        return
    digest, decoded = whole
    # "Huge" trees are those of 2,048 levels instead of 256; old pages leave hundreds of inline elements open.
    parser = HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        page = document_fromstring(_DECLARATION.sub("", decoded.text).replace("\0", ""), parser=parser)
    except (etree.LxmlError, ValueError):
        yield failed(opened.file, Unreadable("broken HTML", "There is no page in it. Open it in a browser and save it anew."),
                     sha256=digest)
        return
    if any(error.level_name == "FATAL" for error in parser.error_log):
        yield failed(opened.file, Unreadable("broken HTML", "Its elements are nested too deeply: text would be lost. "
                                             "Open it in a browser and save it anew.", expected="at most 2,048 levels"), sha256=digest)
        return
    writer = _Writer()
    writer.write(page)
    title = " ".join((page.findtext(".//title") or "").split()) or title_of(writer.text)
    yield Row(id=short_hash(opened.file.name, writer.text), name=opened.file.name, source=opened.file.source, source_sha256=digest,
              text=writer.text, title=title[:TITLE_CHARACTERS], encoding=decoded.encoding, is_guess=decoded.is_guess,
              removed=tuple(sorted(writer.removed.items())), permission=opened.file.permission)


def _decoded(data: bytes) -> Decoded | Unreadable:
    """A byte order mark says more than the page, the page more than a guess; a page whose bytes are something else is guessed."""
    meta = _META.search(data, 0, _META_BYTES)
    if meta and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        stated = meta[1].decode("ascii").lower()
        try:
            return Decoded(data.decode(_WIDER.get(stated, stated)), stated, is_guess=False)
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


@dataclass
class _List:
    """A list that is open: the number of its next item and how it is written ("" for a bullet)."""

    next: int
    style: str


class _Writer:
    """Walks over a page without recursion, however deep it is nested, and collects its text."""

    def __init__(self) -> None:
        self.removed: Counter[str] = Counter()
        self._parts: list[str] = []
        self._lists: list[_List] = []
        self._preformatted = 0
        self._cells = 0
        self._mark = ""

    @property
    def text(self) -> str:
        lines = (line.strip(" ") if not line.startswith("\0") else line[1:].rstrip() for line in "".join(self._parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def write(self, page: _Element) -> None:
        from lxml import etree

        walk = etree.iterwalk(page, events=("start", "end"))
        for event, element in walk:
            tag = str(element.tag).lower()
            if event == "start":
                if tag in _LEFT_OUT or _is_hidden(element):
                    reason = _LEFT_OUT.get(tag, "hidden text")
                    self.removed.update([reason] if reason else [])
                    walk.skip_subtree()
                else:
                    self._start(tag, element)
                    self._say(element.text)
            else:
                if not (tag in _LEFT_OUT or _is_hidden(element)):
                    self._end(tag)
                if element is not page:
                    self._say(element.tail)

    def _start(self, tag: str, element: _Element) -> None:
        if tag in ("ol", "ul", "menu", "dir"):
            style = _LIST_STYLES.get(element.get("type", "1"), "decimal") if tag == "ol" else ""
            self._lists.append(_List(_whole(element.get("start"), 1), style))
        if tag in ("td", "th"):
            self._parts.append(CELL if self._cells else "")
            self._cells += 1
        elif tag in _BLOCKS and not (self._cells and tag in ("p", "div")):
            self._break()
        if tag == "tr":
            self._cells = 0
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "li":
            self._mark = self._item(element)
        elif tag == "pre":
            self._preformatted += 1

    def _end(self, tag: str) -> None:
        if tag in ("ol", "ul", "menu", "dir") and self._lists:
            self._lists.pop()
        if tag == "pre":
            self._preformatted -= 1
        if tag == "tr":
            self._cells = 0
        if tag in _BLOCKS and not (self._cells and tag in ("p", "div")):
            self._break(is_paragraph=tag in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "pre"))

    def _item(self, element: _Element) -> str:
        if not self._lists:
            return "• "
        here = self._lists[-1]
        if not here.style:
            return "• "
        number = _whole(element.get("value"), here.next)
        here.next = number + 1
        return f"{number_in(here.style, number)}. "

    def _break(self, *, is_paragraph: bool = False) -> None:
        if self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\n")
        if is_paragraph and self._parts and not self._mark:
            self._parts.append("\n")

    def _say(self, said: str | None) -> None:
        if not said:
            return
        if self._preformatted:
            said = "\n".join(f"\0{line}" for line in said.split("\n")) if "\n" in said else said
        else:
            said = _SPACE.sub(" ", said)
            if not said.strip(" ") and (not self._parts or self._parts[-1].endswith(("\n", " "))):
                return
        self._parts += [self._mark, said] if self._mark else [said]
        self._mark = ""


def _is_hidden(element: _Element) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return element.get("hidden") is not None or "display:none" in style or "visibility:hidden" in style


def _whole(stated: str | None, otherwise: int) -> int:
    return int(stated) if stated and re.fullmatch(r"-?\d{1,6}", stated) else otherwise
