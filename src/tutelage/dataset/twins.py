"""Who resembles whom among candidates: the basis of duplicates, families, pools and the leak table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from tutelage.core.history import Fate
from tutelage.dataset.examples import Candidate
from tutelage.text.leaks import LEAK_SIMILARITY
from tutelage.text.similarity import Pair, near_pairs


class Twins:
    """All pairs of candidates with J >= 0.5 (or `near_duplicate`, if that is less). Equal texts, letter case and white space
    apart, have one number.
    """

    def __init__(self, candidates: Sequence[Candidate], near_duplicate: float) -> None:
        self._near_duplicate = near_duplicate
        self._key = {row.id: " ".join(row.text.lower().split()) for row in candidates}
        self._first: dict[str, int] = {}
        for position, row in enumerate(candidates):
            self._first.setdefault(self._key[row.id], position)
        self._number = {key: number for number, key in enumerate(self._first)}
        firsts = [candidates[position] for position in self._first.values()]
        self.pairs = near_pairs([row.text for row in firsts], [row.language for row in firsts], min(near_duplicate, LEAK_SIMILARITY))
        self._near: dict[int, dict[int, float]] = defaultdict(dict)
        for pair in self.pairs:
            self._near[pair.left][pair.right] = pair.similarity
            self._near[pair.right][pair.left] = pair.similarity

    def number(self, candidate: Candidate) -> int:
        """The same number for the same text."""
        return self._number[self._key[candidate.id]]

    def twin(self, candidate: Candidate, taken: Mapping[int, Candidate]) -> tuple[Candidate, float] | None:
        """The taken row that has the same text or is a near-duplicate of the candidate, and their J; None if there is none."""
        number = self.number(candidate)
        if number in taken:
            return taken[number], 1.0
        near = [(other, similarity) for other, similarity in self._near[number].items() if similarity >= self._near_duplicate
                and other in taken]
        return (taken[min(near)[0]], min(near)[1]) if near else None

    def greatest(self, number: int, others: Collection[int]) -> float:
        """The greatest J of a text with any of `others`: 1.0 for itself, 0.0 if none has 0.5."""
        if number in others:
            return 1.0
        return max((similarity for other, similarity in self._near[number].items() if other in others), default=0.0)

    def row_pairs(self, candidates: Sequence[Candidate]) -> list[Pair]:
        """The pairs by position among `candidates`, and each further row of a text paired with the first one."""
        positions = list(self._first.values())
        pairs = [Pair(min(ends), max(ends), pair.similarity) for pair in self.pairs
                 for ends in [(positions[pair.left], positions[pair.right])]]
        same = ((self._first[self._key[row.id]], position) for position, row in enumerate(candidates))
        return pairs + [Pair(first, position, 1.0) for first, position in same if first != position]


def duplicate(row: Candidate, twin: Candidate, similarity: float, is_same: bool) -> Fate:
    """The fate of a row whose twin was kept."""
    return Fate(row=row.id, what="dropped", reason="exact duplicate" if is_same else "near duplicate", cause=twin.id,
                detail=f"J = {similarity:.3f}")
