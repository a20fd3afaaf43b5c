"""Pairs of rows of shingles, as arrays: those that resemble each other, those inside each other, and which rows to keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tutelage.text.similarity_join import SLACK, Earlier, Lists, rarest, shared, slices, whole
from tutelage.text.similarity_order import Ordered
from tutelage.text.similarity_shingles import Integers, Truths, bounds, stretches

# So many meetings are looked at before rows are decided: those of undecided rows with each other are compared in vain.
_UNDECIDED = 1 << 17


class Found(NamedTuple):
    """Pairs of rows, as arrays of the same length."""

    left: Integers
    right: Integers
    similarity: npt.NDArray[np.float64]


class Groups:
    """Rows by the first row with the same shingles: of all rows, or of some."""

    def __init__(self, firsts: Integers, rows: Integers) -> None:
        self._rows = rows[np.argsort(firsts[rows], kind="stable")]
        self.sizes = np.bincount(firsts[rows], minlength=len(firsts))
        self._starts = bounds(self.sizes)

    def members(self, first: int) -> list[int]:
        """All rows of the group."""
        members: list[int] = self._rows[self._starts[first]:self._starts[first + 1]].tolist()
        return members

    def crossed(self, found: Found, others: Groups) -> Iterator[Found]:
        """Each row of the left group with each row of the right group, which is one of `others`."""
        counts = self.sizes[found.left] * others.sizes[found.right]
        for start, end in slices(counts):
            pair = np.repeat(np.arange(start, end), counts[start:end])
            place = stretches(np.zeros(end - start, dtype=np.int64), counts[start:end])
            width = others.sizes[found.right[pair]]
            left = self._rows[self._starts[found.left[pair]] + place // width]
            right = others._rows[others._starts[found.right[pair]] + place % width]
            yield Found(left, right, found.similarity[pair])


def near(rows: Ordered, left: Integers, right: Integers, threshold: float) -> Found:
    """Those of these pairs of rows with J >= threshold. Rows that equal each other are left out."""
    both = rows.sizes[left] + rows.sizes[right]
    most = np.minimum(rows.lengths(left), rows.lengths(right))
    hopeful = (left != right) & (most >= (threshold - SLACK) * (both - most))
    left, right, both = left[hopeful], right[hopeful], both[hopeful]
    common = shared(rows, left, right)
    similarity = common / (both - common)
    is_near = similarity >= threshold
    return Found(left[is_near], right[is_near], similarity[is_near])


def inside(rows: Ordered, inner: Integers, outer: Integers, threshold: float) -> Iterator[Found]:
    """Pairs of an inner row (`left`) and an outer row of at least its size (`right`) that has the threshold's share of its shingles.

    Both lists are of first rows; a row is not found in itself.
    """
    lists = Lists(rarest(rows, inner, threshold))
    for start, end in slices(rows.lengths(outer)):
        probing = outer[start:end]
        for _, _, (place, listed) in lists.meeting(whole(rows, probing)):
            large, small = probing[place], inner[listed]
            hopeful = (rows.sizes[small] <= rows.sizes[large]) & (small != large)
            large, small = large[hopeful], small[hopeful]
            share = shared(rows, small, large) / rows.sizes[small]
            is_inside = share >= threshold
            yield Found(small[is_inside], large[is_inside], share[is_inside])


def near_each_other(rows: Ordered, threshold: float) -> Iterator[Found]:
    """All pairs of first rows with J >= threshold, each once."""
    firsts = rows.first_rows()
    chosen = firsts[np.argsort(rows.sizes[firsts], kind="stable")]
    earlier = Earlier(rarest(rows, chosen, threshold))
    start = 0
    while start < len(earlier):
        end = earlier.end_of_slice(start)
        left, right = earlier.candidates(start, end)
        yield near(rows, chosen[left], chosen[right], threshold)
        start = end


class Kept(NamedTuple):
    """For each row the row that is kept in its place (itself if it is kept), and J of the two."""

    keeper: Integers
    similarity: npt.NDArray[np.float64]


def keepers(rows: Ordered, ranked: Integers, threshold: float) -> Kept:
    """Which of the `ranked` first rows are kept: one after the other, each that resembles no row kept before it.

    One that is not kept names the kept row before it that it resembles most (the earlier of two). Only kept rows are looked
    up, so a thousand rows that resemble each other cost a thousand comparisons and not half a million.
    """
    kept = Kept(np.arange(len(rows.sizes)), np.ones(len(rows.sizes)))
    rank_of = np.zeros(len(rows.sizes), dtype=np.int64)
    rank_of[ranked] = np.arange(len(ranked))

    def close(left: Integers, right: Integers) -> Found:
        found = near(rows, ranked[left], ranked[right], threshold)
        return Found(rank_of[found.left], rank_of[found.right], found.similarity)

    earlier = Earlier(rarest(rows, ranked, threshold))
    is_gone = np.zeros(len(ranked), dtype=np.bool_)
    start, met = 0, 0
    while start < len(ranked):
        end = earlier.end_of_slice(start, _UNDECIDED)
        left, right = earlier.candidates(start, end)
        met += earlier.meetings(start, end)
        left, right = left[~is_gone[right]], right[~is_gone[right]]
        is_decided = right < start
        to_kept = close(left[is_decided], right[is_decided])
        is_gone[to_kept.left] = True
        left, right = left[~is_decided], right[~is_decided]
        is_open = ~is_gone[left] & ~is_gone[right]
        among = close(left[is_open], right[is_open])
        for later, sooner in zip(among.left.tolist(), among.right.tolist(), strict=True):
            if not is_gone[sooner]:
                is_gone[later] = True
        is_late = ~is_open & ~is_gone[right]
        _name(kept, ranked, is_gone, [to_kept, among, close(left[is_late], right[is_late])])
        if met > earlier.cost_of_forgetting:
            earlier.forget(is_gone)
            met = 0
        start = end
    return kept


def _name(kept: Kept, ranked: Integers, is_gone: Truths, found: list[Found]) -> None:
    """Write down for each row that goes the kept one that it resembles most; `found` are pairs of ranks."""
    left, right, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    is_named = is_gone[left] & ~is_gone[right]
    left, right, similarity = left[is_named], right[is_named], similarity[is_named]
    best = np.lexsort((right, -similarity, left))
    left, right, similarity = left[best], right[best], similarity[best]
    is_best = np.ones(len(left), dtype=np.bool_)
    is_best[1:] = left[1:] != left[:-1]
    kept.keeper[ranked[left[is_best]]] = ranked[right[is_best]]
    kept.similarity[ranked[left[is_best]]] = similarity[is_best]
