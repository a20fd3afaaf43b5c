"""Pairs of rows of shingles, as arrays: those that resemble each other, those inside each other, and which rows to keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tutelage.text.similarity_join import Earlier, Lists, rarest, shared, slices, whole
from tutelage.text.similarity_order import Ordered
from tutelage.text.similarity_shingles import Integers, bounds, stretches


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
    hopeful = (left != right) & (most >= (threshold - 1e-6) * (both - most))
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
