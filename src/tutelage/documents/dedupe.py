"""Near-duplicates: the longest of those that resemble each other is kept, and each other one names it.

Beside those that go, two kinds of kinship are reported and nothing is dropped for them: a document that is contained in a
longer one, and documents that say the same with other names and figures.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tutelage.core.records import Document
from tutelage.text.comparable import comparable
from tutelage.text.similarity import NearIndex

# A cluster of more than this share of the rows, and of more than so many, is rather a threshold that is too low (or a form
# that was filled in again and again) than copies of one text.
GIANT_SHARE = 0.1
GIANT_ROWS = 50


class Twin(NamedTuple):
    """A document that goes, the one kept in its place (both as positions), their J, whether the texts are equal, and the share
    of the dropped one's shingles that the kept one has (or the other way round, if that has fewer)."""

    dropped: int
    kept: int
    similarity: float
    is_exact: bool
    containment: float


class Contained(NamedTuple):
    """A kept document (`inner`) of whose shingles the given share is in another kept one that has at least as many (`outer`)."""

    inner: int
    outer: int
    share: float


class Alike(NamedTuple):
    """A kept document and another kept one that says the same with other names and figures: J of their comparable forms."""

    row: int
    other: int
    similarity: float


class Giant(NamedTuple):
    """The largest cluster: the kept document, how many rows the cluster has with it, and their share of all rows."""

    kept: int
    rows: int
    share: float


def twins(documents: Sequence[Document], threshold: float) -> list[Twin]:
    """Which documents go, by position; see `TwinSearch.twins`."""
    search = TwinSearch(threshold)
    search.add(documents)
    return search.twins()


class TwinSearch:
    """Documents, given batch by batch, among which twins are searched. Positions run on; the texts are not kept.

    `threshold` is the J from which on two documents are twins, `containment` the share from which on a document counts as
    contained in another (None: not searched), `alike` whether comparable forms are compared too. With `scratch` shingles are
    kept in files of that folder instead of in memory. Raises InputError unless thresholds are above 0 and at most 1.
    """

    def __init__(self, threshold: float, *, scratch: Path | None = None, containment: float | None = None, alike: bool = False) -> None:
        self._containment = containment
        self._texts = NearIndex(threshold, scratch=scratch)
        self._forms = NearIndex(threshold, scratch=scratch) if alike else None
        self._named = _Named()
        self._twins: list[Twin] | None = None

    def add(self, documents: Sequence[Document]) -> None:
        """Add documents."""
        self._twins = None
        languages = [document.language for document in documents]
        self._texts.add([document.text for document in documents], languages)
        if self._forms:
            self._forms.add([comparable(document.text, document.language) for document in documents], languages)
        self._named.add(documents)

    def twins(self) -> list[Twin]:
        """Which documents go, by position. Those kept have J < threshold with each other; each that goes has J >= threshold with
        the kept one that it names, which is at least as long (of equally long ones the first by name is kept).

        A chain A ~ B ~ C does not join A and C: C goes only if it resembles a document that is kept.
        """
        if self._twins is None:
            self._twins = self._found()
        return self._twins

    def contained(self) -> list[Contained]:
        """The kept documents that are contained in another kept one, by position. Empty if `containment` is None."""
        if self._containment is None:
            return []
        return [Contained(*pair) for pair in self._texts.insides(self._kept(), self._containment)]

    def alike(self) -> list[Alike]:
        """The kept documents that say the same as a longer kept one with other names and figures. Empty unless `alike` was asked."""
        return [Alike(*pair) for pair in self._forms.twins(self._kept())] if self._forms else []

    @property
    def giant(self) -> Giant | None:
        """The largest cluster, if it is more than a tenth of all rows and has more than 50."""
        if not self.twins():
            return None
        kept, gone = Counter(twin.kept for twin in self.twins()).most_common(1)[0]
        rows, share = gone + 1, (gone + 1) / len(self._named)
        return Giant(kept, rows, share) if rows > GIANT_ROWS and share > GIANT_SHARE else None

    def _kept(self) -> list[int]:
        gone = {twin.dropped for twin in self.twins()}
        return [position for position in self._named.by_rank().tolist() if position not in gone]

    def _found(self) -> list[Twin]:
        firsts = self._named.firsts()
        ranked = self._named.by_rank()
        near = {pair.left: pair for pair in self._texts.twins(ranked[firsts[ranked] == ranked])}
        sizes = self._texts.sizes()
        found = []
        for position, first in enumerate(firsts.tolist()):
            if first in near:
                _, kept, similarity = near[first]
                found.append(Twin(position, kept, similarity, False, _contained(similarity, int(sizes[first]), int(sizes[kept]))))
            elif first != position:
                found.append(Twin(position, first, 1.0, True, 1.0))
        return found


class _Named:
    """Length, name and digest of each document, in about a tenth of the memory that objects take."""

    def __init__(self) -> None:
        self._lengths, self._name_ends = array("q"), array("q")
        self._names, self._digests = bytearray(), bytearray()

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            self._lengths.append(len(document.text))
            self._names += document.name.encode("utf-8", "surrogatepass")
            self._name_ends.append(len(self._names))
            self._digests += blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def by_rank(self) -> npt.NDArray[np.int64]:
        """All positions: the longest text first, of equally long ones the first by name."""
        lengths = np.array(self._lengths, dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        sizes = np.unique(-lengths, return_counts=True)[1]
        for start, end in pairwise([0, *np.cumsum(sizes).tolist()]):
            if end - start > 1:
                order[start:end] = sorted(order[start:end].tolist(), key=self._name)
        return order

    def firsts(self) -> npt.NDArray[np.int64]:
        """For each document the best one with the same text, which may be itself."""
        ranked = self.by_rank()
        digests = np.frombuffer(bytes(self._digests), dtype=np.uint64).reshape(-1, 2)[ranked]
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        is_new = np.ones(len(order), dtype=np.bool_)
        is_new[1:] = np.any(digests[order[1:]] != digests[order[:-1]], axis=1)
        firsts = np.empty(len(order), dtype=np.int64)
        firsts[ranked[order]] = ranked[order[is_new]][np.cumsum(is_new) - 1]
        return firsts

    def _name(self, position: int) -> bytes:
        return bytes(self._names[self._name_ends[position - 1] if position else 0:self._name_ends[position]])


def _contained(similarity: float, size: int, other: int) -> float:
    """The share of the smaller one's shingles that both have: J = shared / (size + other - shared) tells how many are shared."""
    return round(similarity * (size + other) / (1 + similarity)) / min(size, other)
