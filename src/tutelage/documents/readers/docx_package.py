"""A Word file as a package: its parts as XML that cannot reach out, and what each relationship leads to."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from tutelage.documents.readers.zips import BROKEN, open_zip, unpack
from tutelage.documents.rows import ReadOptions, Unreadable

if TYPE_CHECKING:
    from lxml.etree import _Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_OLE = b"\xd0\xcf\x11\xe0"
# The strict form of the format differs in the names of its namespaces only.
_STRICT = ((b"http://purl.oclc.org/ooxml/wordprocessingml/main", W[1:-1].encode()),
           (b"http://purl.oclc.org/ooxml/officeDocument/relationships", R[1:-1].encode()),
           (b"http://purl.oclc.org/ooxml/officeDocument/math", MATH[1:-1].encode()))
SAVE_AS_DOCX = "Open it in Word and save it anew as .docx."


class BadPart(Exception):
    """A part of the file cannot be read."""

    def __init__(self, problem: Unreadable) -> None:
        super().__init__(problem.reason)
        self.problem = problem


@dataclass(frozen=True)
class Related:
    """What a relationship leads to; of an external one nothing is ever read."""

    kind: str
    target: str


@dataclass
class Package:
    """The parts of a Word file. `external` counts relationships that lead out of it."""

    archive: zipfile.ZipFile
    limit: int
    ratio: int
    external: int = 0
    _names: dict[str, str] = field(default_factory=dict)

    def part(self, name: str) -> _Element | None:
        """The root of a part, None if there is none. Raises BadPart."""
        from lxml import etree

        stored = self._names.get(name.lower())
        if stored is None:
            return None
        info = self.archive.getinfo(stored)
        if info.file_size > self.limit or info.file_size > max(1 << 20, info.compress_size * self.ratio):
            raise BadPart(Unreadable("too large", f"{name} unpacks to {info.file_size / 1e6:,.1f} MB. {SAVE_AS_DOCX}",
                                     expected=f"at most {self.limit / 1e6:,.1f} MB, and {self.ratio} times the packed size"))
        data = io.BytesIO()
        try:
            unpack(self.archive, info, data)
        except BROKEN as error:
            raise BadPart(Unreadable("broken Word file", f"{name} cannot be unpacked ({str(error)[:80]}). {SAVE_AS_DOCX}")) from None
        content = data.getvalue()
        for strict, usual in _STRICT:
            content = content.replace(strict, usual)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
                                 remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(content, parser)
        except (etree.LxmlError, ValueError) as error:
            raise BadPart(Unreadable("broken Word file", f"{name} is no XML ({str(error)[:120]}). {SAVE_AS_DOCX}")) from None
        if root.getroottree().docinfo.doctype:
            raise BadPart(Unreadable("XML entities", f"{name} has a document type, by which XML can be made to explode or to fetch files. "
                                     f"No program that writes Word files adds one. {SAVE_AS_DOCX}"))
        return root

    def related(self, name: str) -> dict[str, Related]:
        """The relationships of a part ("" for the package), by id, without external ones, which are counted."""
        folder, base = posixpath.split(name)
        root = self.part(posixpath.join(folder, "_rels", f"{base}.rels"))
        found = {}
        for relation in root if root is not None else ():
            if relation.get("TargetMode") == "External":
                self.external += 1
                continue
            target = relation.get("Target") or ""
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[relation.get("Id") or ""] = Related((relation.get("Type") or "").rpartition("/")[2], path)
        return found


def open_package(stream: BinaryIO, options: ReadOptions) -> Package | Unreadable:
    """The package, or why it is none."""
    if stream.read(4) == _OLE:
        return Unreadable("no Word file", "It is locked by a password, or an old .doc with a new name. " + SAVE_AS_DOCX)
    stream.seek(0)
    archive = open_zip(stream)
    if isinstance(archive, Unreadable):
        return Unreadable("broken Word file", f"It is no .docx, or cut off. {SAVE_AS_DOCX}")
    if len(archive.infolist()) > options.max_members:
        return Unreadable("too large", f"It has {len(archive.infolist()):,} parts. {SAVE_AS_DOCX}")
    return Package(archive, options.max_bytes_a_document, options.max_ratio, _names={name.lower(): name for name in archive.namelist()})


def is_on(element: _Element | None, name: str) -> bool:
    """Whether a switch such as w:vanish is set below these properties."""
    switch = element.find(W + name) if element is not None else None
    return switch is not None and switch.get(W + "val") not in ("0", "false", "off", "none")


def value(element: _Element | None, path: str) -> str:
    """The w:val of the first element at a path such as "numPr/numId", "" if there is none."""
    found = element.find("/".join(W + step for step in path.split("/"))) if element is not None else None
    return (found.get(W + "val") or "") if found is not None else ""


def children(element: _Element) -> Iterator[_Element]:
    """The elements below, with one choice of each alternative, and without the wrappers that mean nothing to a text."""
    for child in element:
        if child.tag == MC + "AlternateContent":
            chosen = child.find(MC + "Choice")
            chosen = chosen if chosen is not None else child.find(MC + "Fallback")
            if chosen is not None:
                yield from children(chosen)
        elif child.tag in _WRAPPERS:
            inner = child.find(W + "sdtContent") if child.tag == W + "sdt" else child
            if inner is not None:
                yield from children(inner)
        elif isinstance(child.tag, str):
            yield child


_WRAPPERS = frozenset(W + name for name in ("sdt", "customXml", "smartTag", "hyperlink", "dir", "bdo", "fldSimple", "ruby", "rubyBase"))
