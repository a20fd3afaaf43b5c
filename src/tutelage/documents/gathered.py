"""All rows that are fit, on the disk, and what comparing them shows: twins of the same kind and label, and texts under two labels."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple

from tutelage.core.records import Document, Kind
from tutelage.documents.dedupe import Giant, Twin, TwinSearch

# Of these kinds the label is part of what is learned: the same text under another label is no copy.
LABELLED: tuple[Kind, ...] = ("clause", "feedback")
SEARCH_BATCH = 500


class Conflict(NamedTuple):
    """A row whose text another row has under another label."""

    position: int
    other: str
    labels: tuple[str, str]


class Kinship(NamedTuple):
    """Two rows that stay, by position, and how close they are: the share contained, or the J of their comparable forms."""

    position: int
    other: int
    share: float


class Gathered:
    """Fit rows in the order in which they came; their documents lie in a file, not in memory.

    `threshold` is the J from which on two rows are twins, `contained` and `are_alike` are those of TwinSearch. With
    `are_conflicts_left_out` rows whose text has two labels are no
    candidates for twins: they all go.
    """

    def __init__(self, folder: Path, threshold: float, *, contained: float | None = None, are_alike: bool = False,
                 are_conflicts_left_out: bool = False) -> None:
        self._folder, self._threshold, self._are_left_out = folder, threshold, are_conflicts_left_out
        self._contained, self._are_alike = contained, are_alike
        self._path = folder / "fit.jsonl"
        self._file: IO[bytes] = self._path.open("wb")
        self._searches: dict[tuple[Kind, str], _Search] = {}
        self._labels: dict[bytes, list[tuple[str, str]]] = {}
        self._labelled: list[tuple[int, bytes, str]] = []
        self.rows = 0

    def add(self, line: bytes, document: Document) -> None:
        """Add a row and its line of JSON."""
        self._file.write(line)
        if document.kind in LABELLED:
            digest = _digest(document)
            self._labels.setdefault(digest, []).append((document.id, document.label))
            self._labelled.append((self.rows, digest, document.label))
        if document.kind not in LABELLED or not self._are_left_out:
            self._search(self.rows, document)
        self.rows += 1

    def conflicts(self) -> list[Conflict]:
        """The rows whose text occurs under another label as well, by position."""
        found = []
        for position, digest, label in self._labelled:
            other = next(((row, theirs) for row, theirs in self._labels[digest] if theirs != label), None)
            if other:
                found.append(Conflict(position, other[0], (label, other[1])))
        return found

    def twins(self) -> list[Twin]:
        """The rows that go because a kept one of the same kind and label resembles them, by position."""
        self._file.flush()
        if self._are_left_out and self._labelled:
            left_out = {conflict.position for conflict in self.conflicts()}
            labelled = {position for position, _, _ in self._labelled} - left_out
            for position, document in enumerate(self.documents()):
                if position in labelled:
                    self._search(position, document)
        return sorted(twin for search in self._searches.values() for twin in search.twins())

    def contained(self) -> list[Kinship]:
        """The rows that stay and are mostly contained in another one that stays, by position."""
        return sorted(kinship for search in self._searches.values() for kinship in search.contained())

    def alike(self) -> list[Kinship]:
        """The rows that stay and say the same as another one that stays, with other names and figures, by position."""
        return sorted(kinship for search in self._searches.values() for kinship in search.alike())

    @property
    def giant(self) -> Giant | None:
        """The largest cluster that is suspiciously large, None if none is."""
        giants = [giant for search in self._searches.values() if (giant := search.giant)]
        return max(giants, key=lambda giant: giant.rows, default=None)

    def lines(self) -> Iterator[bytes]:
        """The line of each row."""
        self._file.flush()
        with self._path.open("rb") as file:
            yield from file

    def documents(self) -> Iterator[Document]:
        """Each row."""
        yield from map(Document.model_validate_json, self.lines())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _search(self, position: int, document: Document) -> None:
        key = (document.kind, document.label if document.kind in LABELLED else "")
        if key not in self._searches:
            folder = self._folder / f"search{len(self._searches)}"
            folder.mkdir(exist_ok=True)
            self._searches[key] = _Search(TwinSearch(self._threshold, scratch=folder, containment=self._contained, alike=self._are_alike))
        self._searches[key].add(position, document)


class _Search:
    """A search for twins among some of the rows, fed in batches; positions are those among all rows."""

    def __init__(self, search: TwinSearch) -> None:
        self._twins = search
        self._positions = array("q")
        self._waiting: list[Document] = []

    def add(self, position: int, document: Document) -> None:
        self._positions.append(position)
        self._waiting.append(document)
        if len(self._waiting) == SEARCH_BATCH:
            self._flush()

    def _flush(self) -> None:
        self._twins.add(self._waiting)
        self._waiting = []

    def twins(self) -> list[Twin]:
        self._flush()
        return [twin._replace(dropped=self._positions[twin.dropped], kept=self._positions[twin.kept]) for twin in self._twins.twins()]

    def contained(self) -> list[Kinship]:
        return [Kinship(self._positions[inner], self._positions[outer], share) for inner, outer, share in self._twins.contained()]

    def alike(self) -> list[Kinship]:
        return [Kinship(self._positions[row], self._positions[other], similarity) for row, other, similarity in self._twins.alike()]

    @property
    def giant(self) -> Giant | None:
        giant = self._twins.giant
        return giant._replace(kept=self._positions[giant.kept]) if giant else None


def _digest(document: Document) -> bytes:
    return blake2b(f"{document.kind}\0{document.text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
