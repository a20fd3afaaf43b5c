"""Word files to text: numbered paragraphs, tables and notes, before or after tracked changes; comments and headers beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.core.files import short_hash
from tutelage.documents.readers.docx_body import Body, Paragraph, written
from tutelage.documents.readers.docx_edits import edits_of
from tutelage.documents.readers.docx_numbering import Numbering
from tutelage.documents.readers.docx_package import SAVE_AS_DOCX, BadPart, Package, R, Related, W, open_package
from tutelage.documents.readers.docx_runs import Runs, View
from tutelage.documents.readers.opened import TITLE_CHARACTERS, Opened, failed, title_of
from tutelage.documents.rows import ReadOptions, Row, Unreadable

if TYPE_CHECKING:
    from lxml.etree import _Element

DOCUMENT, STYLES, NUMBERING, COMMENTS = "officeDocument", "styles", "numbering", "comments"
NOTES = {"footnote": "footnotes", "endnote": "endnotes"}
EDGES = {"headerReference": "header", "footerReference": "footer"}
# Lines and separators that Word keeps among the notes.
_NO_NOTE = ("separator", "continuationSeparator", "continuationNotice")


@dataclass(frozen=True)
class _Parts:
    """The parts of a file that matter, read as XML."""

    package: Package
    document: _Element
    related: dict[str, Related]

    def of_kind(self, kind: str) -> _Element | None:
        """The first related part of a kind, None if there is none."""
        target = next((related.target for related in self.related.values() if related.kind == kind), "")
        return self.package.part(target) if target else None


def read_docx(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """The text of the file; with `options.tracked_changes` "pairs" also each changed paragraph, after and before."""
    digest = opened.sha256()
    package = open_package(opened.stream, options)
    if isinstance(package, Unreadable):
        yield failed(opened.file, package, sha256=digest)
        return
    with package.archive:
        try:
            parts = _parts(package)
            view: View = "reject" if options.tracked_changes == "reject" else "accept"
            yield _text(opened, digest, parts, view)
            if options.tracked_changes == "pairs":
                for number, edit in enumerate(edits_of(parts.document), 1):
                    name = f"{opened.file.name}#{number}:{edit.identifier}"
                    yield Row(id=short_hash(name, edit.after, edit.before), name=name, source=opened.file.source, source_sha256=digest,
                              text=edit.after, rejected=edit.before, kind="edit", title=title_of(edit.after or edit.before),
                              encoding="utf-8", permission=opened.file.permission)
        except BadPart as bad:
            yield failed(opened.file, bad.problem, sha256=digest)


def _parts(package: Package) -> _Parts:
    name = next((related.target for related in package.related("").values() if related.kind == DOCUMENT), "word/document.xml")
    document = package.part(name)
    if document is None or document.find(W + "body") is None:
        raise BadPart(Unreadable("no Word file", f"It has no {name}: it is no Word document. {SAVE_AS_DOCX}"))
    return _Parts(package, document, package.related(name))


def _text(opened: Opened, digest: str, parts: _Parts, view: View) -> Row:
    runs = Runs(view)
    numbering, styles = parts.of_kind(NUMBERING), parts.of_kind(STYLES)
    body = parts.document.find(W + "body")
    lines = list(Body(runs, Numbering(numbering, styles)).lines(body, "body")) if body is not None else []
    lines += _notes(parts, runs, Numbering(numbering, styles))
    text, places = written(lines)
    removed = Counter(runs.removed)
    metadata = []
    for name, said in (*_edges(parts, view, Numbering(numbering, styles)), ("comments", _comments(parts, view))):
        if said:
            metadata.append((name, "\n".join(said)))
            removed["comment" if name == "comments" else name] += len(said)
    if parts.package.external:
        removed["external link"] = parts.package.external
    return Row(id=short_hash(opened.file.name, text), name=opened.file.name, source=opened.file.source, source_sha256=digest, text=text,
               title=_title(lines, text), metadata=tuple(metadata), encoding="utf-8", places=places, removed=tuple(sorted(removed.items())),
               permission=opened.file.permission)


def _title(lines: list[list[Paragraph]], text: str) -> str:
    titled = (paragraph.text for line in lines for paragraph in line if paragraph.style == "title")
    return " ".join(next(titled, "").split())[:TITLE_CHARACTERS] or title_of(text)


def _notes(parts: _Parts, runs: Runs, numbering: Numbering) -> Iterator[list[Paragraph]]:
    """Footnotes, then endnotes, in the order in which the text refers to them."""
    for kind, part in NOTES.items():
        root = parts.of_kind(part)
        notes = {note.get(W + "id") or "": note for note in root.iter(W + kind) if note.get(W + "type") not in _NO_NOTE} \
            if root is not None else {}
        wanted = [identifier for of_kind, identifier in runs.notes if of_kind == kind]
        body = Body(Runs(runs.view), numbering)
        for identifier in dict.fromkeys(wanted):
            if identifier in notes:
                yield from body.lines(notes[identifier], "footnote")
        runs.removed.update(body.runs.removed)


def _edges(parts: _Parts, view: View, numbering: Numbering) -> list[tuple[str, list[str]]]:
    """The headers and footers of all sections, each text once."""
    found: dict[str, list[str]] = {name: [] for name in EDGES.values()}
    for tag, name in EDGES.items():
        identifiers = dict.fromkeys(reference.get(R + "id") or "" for reference in parts.document.iter(W + tag))
        for identifier in identifiers:
            root = parts.package.part(parts.related[identifier].target) if identifier in parts.related else None
            lines = Body(Runs(view), numbering).lines(root, name) if root is not None else ()
            said = " / ".join(paragraph.text.replace("\n", " ") for line in lines for paragraph in line if paragraph.text)
            if said and said not in found[name]:
                found[name].append(said)
    return list(found.items())


def _comments(parts: _Parts, view: View) -> list[str]:
    root = parts.of_kind(COMMENTS)
    if root is None:
        return []
    body = Body(Runs(view), Numbering(None, None))
    said = (" ".join(paragraph.text for line in body.lines(comment, "comment") for paragraph in line)
            for comment in root.iter(W + "comment"))
    return [comment.replace("\n", " ") for comment in said if comment]
