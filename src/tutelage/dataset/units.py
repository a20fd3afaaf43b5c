"""Units: documents that are assigned to a part together, because they belong together or hold near-duplicates of each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tutelage.dataset.examples import Candidate
from tutelage.text.similarity import Pair

FAMILY_SIMILARITY = 0.8
# One family must not swallow the set: beyond either cap it is not joined further, and the search for leaks does the rest.
DOCUMENTS_A_UNIT = 50
SHARE_A_UNIT = 0.02


def units_of(rows: Sequence[Candidate], pairs: Iterable[Pair]) -> list[str]:
    """For each row the name of its unit. `pairs` are all pairs of rows (by position) with their J.

    Rows of one group are one unit. Units whose rows resemble each other at J >= 0.8 are joined, the most alike first, while
    the joined one stays within 50 documents and 2 % of the rows. A unit is named after its first group in sorted order.
    """
    groups = [row.stays_with for row in rows]
    sizes = Counter(groups)
    family = _Families(sizes, documents=DOCUMENTS_A_UNIT, rows=SHARE_A_UNIT * len(rows))
    for pair in sorted(pairs, key=lambda pair: (-pair.similarity, *sorted((groups[pair.left], groups[pair.right])))):
        if pair.similarity < FAMILY_SIMILARITY:
            break
        family.join(groups[pair.left], groups[pair.right])
    return [family.name(group) for group in groups]


def sizes_of(units: Mapping[str, str], rows: Sequence[Candidate]) -> dict[int, int]:
    """How many units there are of each number of documents. `units` is by row id."""
    documents: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        documents[units[row.id]].add(row.stays_with)
    return dict(sorted(Counter(len(members) for members in documents.values()).items()))


class _Families:
    """Groups joined while the caps allow it."""

    def __init__(self, sizes: Mapping[str, int], *, documents: int, rows: float) -> None:
        self._parent = {group: group for group in sizes}
        self._rows = dict(sizes)
        self._documents = dict.fromkeys(sizes, 1)
        self._caps = documents, rows

    def name(self, group: str) -> str:
        while self._parent[group] != group:
            self._parent[group] = self._parent[self._parent[group]]
            group = self._parent[group]
        return group

    def join(self, left: str, right: str) -> None:
        first, second = sorted((self.name(left), self.name(right)))
        documents, rows = self._documents[first] + self._documents[second], self._rows[first] + self._rows[second]
        if first == second or documents > self._caps[0] or rows > self._caps[1]:
            return
        self._parent[second] = first
        self._documents[first], self._rows[first] = documents, rows
