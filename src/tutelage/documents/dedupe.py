"""Near-duplicates: the longest of those that resemble each other is kept, and each other one names it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tutelage.core.records import Document
from tutelage.text.similarity import near_pairs


class Twin(NamedTuple):
    """A document that goes, the one kept in its place (both as positions), their J, and whether the texts are equal."""

    dropped: int
    kept: int
    similarity: float
    is_exact: bool


def twins(documents: Sequence[Document], threshold: float) -> list[Twin]:
    """Which documents go, by position. Those kept have J < threshold with each other; each that goes has J >= threshold with
    the kept one that it names, which is at least as long (of equally long ones the first by name is kept).

    A chain A ~ B ~ C does not join A and C: C goes only if it resembles a document that is kept.
    """
    by_rank = sorted(range(len(documents)), key=lambda position: (-len(documents[position].text), documents[position].name))
    copies: dict[str, list[int]] = defaultdict(list)
    for position in by_rank:
        copies[documents[position].text].append(position)
    firsts = [positions[0] for positions in copies.values()]
    resembled: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for left, right, similarity in near_pairs([documents[position].text for position in firsts],
                                              [documents[position].language for position in firsts], threshold):
        resembled[right].append((similarity, left))
    gone: set[int] = set()
    found: list[Twin] = []
    for rank, first in enumerate(firsts):
        # What this one resembles is at least as long, so it is decided already.
        kept = [(similarity, -other) for similarity, other in resembled[rank] if other not in gone]
        similarity, keeper = (max(kept)[0], firsts[-max(kept)[1]]) if kept else (1.0, first)
        if kept:
            gone.add(rank)
        found += [Twin(position, keeper, similarity, is_exact=keeper == first)
                  for position in copies[documents[first].text] if position != keeper]
    return sorted(found)
