"""Resemblance of texts: THE definition of J, near-duplicate pairs, families, and train rows that resemble held-out ones.

J of two texts is the Jaccard index of their shingles: the number of shingles in both over the number in either, 0 to 1.
Shingles are runs of 5 words (lower case; a word is a run of letters and digits) in English and other spaced languages,
and runs of 4 characters (white space removed) in Chinese. A text shorter than one run has one shingle, all of it; a text
without words has none and resembles nothing. Pairs are exact: none at or above the threshold is missed, none below is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tutelage.core.errors import InputError
from tutelage.text.similarity_join import Lists, rarest, slices
from tutelage.text.similarity_order import Ordered, Rows, ordered
from tutelage.text.similarity_pairs import Found, Groups, inside, keepers, near, near_each_other
from tutelage.text.similarity_runs import SharedRun, boilerplate_runs, long_runs, long_runs_all, shared_runs
from tutelage.text.similarity_shingles import Batch, Integers, Shingles, Width, hashed

__all__ = ["NearIndex", "Pair", "SharedRun", "Shingles", "boilerplate_runs", "contained", "families", "jaccard", "long_runs",
           "long_runs_all", "near_pairs", "resembling", "shared_runs", "shingle_all", "shingles"]

WIDTH = Width(words=5, characters=4, is_short_one_run=True)


class Pair(NamedTuple):
    """Two texts by their positions, and their J (or the share that is contained). Within one set of texts, `left` < `right`."""

    left: int
    right: int
    similarity: float


def shingles(text: str, language: str) -> Shingles:
    """The shingles of a text as sorted hashes, the same in every process. `language` is "en", "zh" or "other"."""
    return next(hashed([text], [language], WIDTH)).flat


def shingle_all(texts: Sequence[str], languages: Sequence[str]) -> list[Shingles]:
    """The shingles of each text, in less time than one by one."""
    return [row for batch in hashed(texts, languages, WIDTH) for row in np.split(batch.flat, np.cumsum(batch.sizes)[:-1])]


def jaccard(a: Shingles, b: Shingles) -> float:
    """J of two texts, from their shingles. 0.0 if either has none."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common) if common else 0.0


def near_pairs(texts: Sequence[str], languages: Sequence[str], threshold: float) -> list[Pair]:
    """All pairs of texts with J >= threshold, by position. Raises InputError unless 0 < threshold <= 1."""
    index = NearIndex(threshold)
    index.add(texts, languages)
    return sorted(index.pairs())


def resembling(train: Sequence[Shingles], held_out: Sequence[Shingles], threshold: float) -> list[Pair]:
    """All pairs of a training text (`left`) and a held-out text (`right`) with J >= threshold, by their positions in each.

    Raises InputError unless 0 < threshold <= 1.
    """
    _check(threshold)
    sides = _Sides(train, held_out)
    found = [sides.rows_that_are_equal()]
    lists = Lists(rarest(sides.rows, sides.right, threshold))
    for _, _, (left, right) in lists.meeting(rarest(sides.rows, sides.left, threshold)):
        found.append(near(sides.rows, sides.left[left], sides.right[right], threshold))
    return sides.pairs(found)


def contained(train: Sequence[Shingles], held_out: Sequence[Shingles], threshold: float) -> list[Pair]:
    """All pairs of a training text (`left`) and a held-out text (`right`) of which the smaller one is in the larger one.

    That is, the shingles of both over those of the one that has fewer, given as `similarity`, are at least the threshold.
    Raises InputError unless 0 < threshold <= 1.
    """
    _check(threshold)
    sides = _Sides(train, held_out)
    found = [sides.rows_that_are_equal()]
    for inner, outer in ((sides.left, sides.right), (sides.right, sides.left)):
        for smaller, larger, share in inside(sides.rows, inner, outer, threshold):
            # Rows of the same size are found in both directions; the first counts.
            fresh = np.ones(len(share), dtype=bool) if inner is sides.left else sides.rows.sizes[smaller] < sides.rows.sizes[larger]
            pair = (smaller, larger) if inner is sides.left else (larger, smaller)
            found.append(Found(pair[0][fresh], pair[1][fresh], share[fresh]))
    return sides.pairs(found)


def families(count: int, pairs: Iterable[Pair]) -> list[int]:
    """For each of `count` texts its family: texts that pairs connect, directly or not. A family's name is its first position."""
    parent = list(range(count))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for left, right, _ in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    return [root(position) for position in range(count)]


class NearIndex:
    """Texts, given batch by batch, of which those that resemble each other are wanted. Positions run on from batch to batch.

    Without `scratch` the shingles are kept in memory, 8 bytes for each word of English or character of Chinese; with it they are
    kept in files of that folder, which vanish with the index. Raises InputError unless 0 < threshold <= 1.
    """

    def __init__(self, threshold: float, *, scratch: Path | None = None) -> None:
        _check(threshold)
        self._threshold = threshold
        self._rows = Rows(scratch)
        self._ordered: Ordered | None = None

    def add(self, texts: Sequence[str], languages: Sequence[str]) -> None:
        """Add texts."""
        self._ordered = None
        for batch in hashed(texts, languages, WIDTH):
            self._rows.append(batch)

    def pairs(self) -> Iterator[Pair]:
        """All pairs with J >= threshold, in no order. A thousand texts that resemble each other have half a million; see `links`."""
        rows = self._in_order()
        groups = Groups(rows.firsts, np.arange(len(rows.firsts)))
        for first in np.flatnonzero(groups.sizes > 1).tolist():
            yield from (Pair(left, right, 1.0) for left, right in combinations(groups.members(first), 2))
        for found in near_each_other(rows, self._threshold):
            for several in groups.crossed(found, groups):
                yield from _pairs(several)

    def links(self) -> Iterator[Pair]:
        """As `pairs`, but of texts with equal shingles only the first is paired with others, and with each of its copies.

        Enough for `families`, and linear in the number of copies.
        """
        rows = self._in_order()
        copies = np.flatnonzero(rows.firsts != np.arange(len(rows.firsts)))
        yield from (Pair(first, copy, 1.0) for first, copy in zip(rows.firsts[copies].tolist(), copies.tolist(), strict=True))
        for found in near_each_other(rows, self._threshold):
            yield from _pairs(found)

    def twins(self, ranked: Sequence[int] | Integers) -> list[Pair]:
        """Of these texts, the best first, those that go (`left`), the kept one that each resembles most (`right`), and their J.

        A text goes if it resembles one that is kept before it. So no two that are kept resemble each other, and a chain
        A ~ B ~ C does not join A and C. Nearly linear in the number of texts, however many of them resemble each other.
        """
        rows, (chosen, firsts, best) = self._in_order(), self._chosen(ranked)
        heads = firsts[best[firsts] == chosen]
        kept = keepers(rows, heads[rows.sizes[heads] > 0], self._threshold)
        keeper = best[kept.keeper[firsts]]
        goes = keeper != chosen
        return sorted(map(Pair, chosen[goes].tolist(), keeper[goes].tolist(), kept.similarity[firsts[goes]].tolist()))

    def insides(self, ranked: Sequence[int], share: float) -> list[Pair]:
        """Of these texts, the best first, those of whose shingles at least the share is in another (`left`, `right`, the share).

        The other one has as many shingles or more; of several the one with the greatest share is named, and of these the best.
        Of texts with the same shingles only the best is looked at. Raises InputError unless 0 < share <= 1.
        """
        _check(share)
        rows, (chosen, firsts, best) = self._in_order(), self._chosen(ranked)
        heads = firsts[best[firsts] == chosen]
        heads = heads[rows.sizes[heads] > 0]
        rank = np.zeros(len(rows.firsts), dtype=np.int64)
        rank[heads] = np.arange(len(heads))
        found = [Found(heads[:0], heads[:0], np.zeros(0)), *inside(rows, heads, heads, share)]
        inner, outer, part = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((rank[outer], -part, inner))
        is_smaller = (rows.sizes[inner] < rows.sizes[outer]) | (rank[inner] > rank[outer])
        order = order[is_smaller[order]]
        _, firsts_of = np.unique(inner[order], return_index=True)
        order = order[firsts_of]
        return sorted(map(Pair, best[inner[order]].tolist(), best[outer[order]].tolist(), part[order].tolist()))

    def sizes(self) -> Integers:
        """How many shingles each text has."""
        return self._rows.sizes

    def _in_order(self) -> Ordered:
        if self._ordered is None:
            self._ordered = ordered(self._rows)
        return self._ordered

    def _chosen(self, ranked: Sequence[int] | Integers) -> tuple[Integers, Integers, Integers]:
        """The texts as an array, the first row with the shingles of each, and for each first row the best text of it."""
        chosen = np.asarray(ranked, dtype=np.int64)
        firsts = self._in_order().firsts[chosen]
        best = np.zeros(len(self._in_order().firsts), dtype=np.int64)
        best[firsts[::-1]] = chosen[::-1]
        return chosen, firsts, best


class _Sides:
    """Training rows and held-out rows in one order of rarity: `left` and `right` are the first rows of each side."""

    def __init__(self, train: Sequence[Shingles], held_out: Sequence[Shingles]) -> None:
        rows = Rows()
        for side in (train, held_out):
            sizes = np.fromiter(map(len, side), dtype=np.int64, count=len(side))
            for start, end in slices(sizes):
                rows.append(Batch(np.concatenate(side[start:end]), sizes[start:end]))
        self.rows = ordered(rows)
        self._border = len(train)
        firsts = np.where(self.rows.sizes > 0, self.rows.firsts, -1)
        self.left, self.right = (np.unique(part[part >= 0]) for part in (firsts[:self._border], firsts[self._border:]))

    def rows_that_are_equal(self) -> Found:
        """First rows of both sides, for they have the same shingles."""
        both = np.intersect1d(self.left, self.right, assume_unique=True)
        return Found(both, both, np.ones(len(both)))

    def pairs(self, found: Sequence[Found]) -> list[Pair]:
        """All pairs of rows for these of first rows, sorted, by their positions on each side."""
        positions = np.arange(len(self.rows.firsts))
        train, held_out = (Groups(self.rows.firsts, side) for side in (positions[:self._border], positions[self._border:]))
        return sorted(Pair(left, right - self._border, similarity)
                      for pairs in found for several in train.crossed(pairs, held_out)
                      for left, right, similarity in zip(*(side.tolist() for side in several), strict=True))


def _pairs(found: Found) -> Iterator[Pair]:
    left, right = np.minimum(found.left, found.right).tolist(), np.maximum(found.left, found.right).tolist()
    return map(Pair, left, right, found.similarity.tolist())


def _check(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise InputError(f"the similarity threshold is {threshold}; it must be above 0 and at most 1. Use 0.8 for near-duplicates.")
