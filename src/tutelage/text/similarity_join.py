"""Which rows of shingles may resemble each other, and how many shingles two rows share. Exact: nothing at or above a threshold is missed.

Two rows of which one has at least a share t of its shingles in the other have a shingle in common among the rarest
(1 - t) * size + 1 of it. So those are listed, shingle by shingle, and only rows that meet in a list are compared.
Source: Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search", https://doi.org/10.1145/1242572.1242591.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tutelage.text.similarity_order import Ordered
from tutelage.text.similarity_shingles import Integers, Shingles, Truths, bounds, sort_each, stretches

Places = npt.NDArray[np.int32]

# So many numbers are handled at once; the peak is about 100 bytes for each.
AT_ONCE = 1 << 21
# Shares such as 0.8 * 10 must not round up to 9 shingles.
SLACK = 1e-9


class Candidates(NamedTuple):
    """Pairs of positions in the two lists that were searched: each pair once, sorted."""

    left: Integers
    right: Integers


class Stretches(NamedTuple):
    """Shingles of several rows, one row after the other, and how many each row has."""

    shingles: Shingles
    lengths: Integers


def rarest(rows: Ordered, chosen: Integers, threshold: float) -> Stretches:
    """Of each chosen row the rarest (1 - threshold) * size + 1 shingles, without those that no other row has."""
    sizes, lengths = rows.sizes[chosen], rows.lengths(chosen)
    needed = sizes - np.ceil(threshold * sizes - SLACK).astype(np.int64) + 1
    taken = np.clip(needed - (sizes - lengths), 0, lengths)
    found, at = np.empty(int(taken.sum()), dtype=np.uint64), 0
    for start, end in slices(taken):
        part = rows.flat.take(rows.starts[chosen[start:end]], taken[start:end])
        found[at:at + len(part)] = part
        at += len(part)
    return Stretches(found, taken)


def repeated(listed: Stretches, most: int = AT_ONCE) -> Stretches:
    """The same without the shingles that stand in the list once: through them no two rows meet.

    Counted exactly, about `most` shingles at once, so that it takes little more memory than the list.
    """
    count = 1
    while count * most < len(listed.shingles):
        count *= 2
    is_met = np.zeros(len(listed.shingles), dtype=np.bool_)
    for part in range(count):
        places = np.flatnonzero(listed.shingles & np.uint64(count - 1) == np.uint64(part))
        places = places[np.argsort(listed.shingles[places], kind="stable")]
        ordered = listed.shingles[places]
        is_same = ordered[1:] == ordered[:-1]
        is_met[places[1:][is_same]] = True
        is_met[places[:-1][is_same]] = True
    kept = bounds(is_met.astype(np.int64))[bounds(listed.lengths)]
    return Stretches(listed.shingles[is_met], np.diff(kept))


def whole(rows: Ordered, chosen: Integers) -> Stretches:
    """Of each chosen row all shingles that other rows may have."""
    lengths = rows.lengths(chosen)
    return Stretches(rows.flat.take(rows.starts[chosen], lengths), lengths)


def shared(rows: Ordered, left: Integers, right: Integers) -> Integers:
    """For each pair of different rows how many shingles both have."""
    counts = np.zeros(len(left), dtype=np.int64)
    for start, end in slices(rows.lengths(left) + rows.lengths(right)):
        counts[start:end] = _shared(rows, left[start:end], right[start:end])
    return counts


def slices(sizes: Integers, most: int = AT_ONCE) -> Iterator[tuple[int, int]]:
    """Stretches of positions whose sizes sum to `most` at most, or that are one position."""
    ends, start = np.cumsum(sizes), 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        end = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
        yield start, end
        start = end


def _shared(rows: Ordered, left: Integers, right: Integers) -> Integers:
    both = whole(rows, np.stack([left, right], axis=1).ravel())
    pairs = bounds(both.lengths)[::2]
    sort_each(both.shingles, pairs)
    # A row has a shingle once at most, so it is in both if it equals the one before it.
    is_again = np.zeros(len(both.shingles) + 1, dtype=np.int64)
    np.cumsum(both.shingles[1:] == both.shingles[:-1], out=is_again[2:])
    return is_again[pairs[1:]] - is_again[np.minimum(pairs[:-1] + 1, pairs[1:])]


class Lists:
    """For each shingle the places of the rows that have it among their rarest, in ascending order."""

    def __init__(self, rarest_of: Stretches) -> None:
        order = np.argsort(rarest_of.shingles, kind="stable")
        self._shingles = rarest_of.shingles[order]
        self._places = np.repeat(np.arange(len(rarest_of.lengths), dtype=np.int32), rarest_of.lengths)[order]

    def meeting(self, probes: Stretches) -> Iterator[tuple[int, int, Candidates]]:
        """Slices of the probing rows, each with its candidates: a probing row and each listed row that has a shingle of it."""
        borders = bounds(probes.lengths)
        low = np.searchsorted(self._shingles, probes.shingles, "left")
        counts = np.searchsorted(self._shingles, probes.shingles, "right") - low
        for start, end in slices(_sums(counts, borders)):
            yield start, end, _candidates(self._places, low, counts, borders, start, end)


class Earlier:
    """For each row of a list the rows before it that may resemble it; rows can be forgotten on the way."""

    def __init__(self, rarest_of: Stretches) -> None:
        rarest_of = repeated(rarest_of)
        self._borders = bounds(rarest_of.lengths)
        order = np.argsort(rarest_of.shingles, kind="stable")
        by_shingle = rarest_of.shingles[order]
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = by_shingle[1:] != by_shingle[:-1]
        beginnings = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
        self._low = np.empty(len(order), dtype=np.int64)
        self._counts = np.empty(len(order), dtype=np.int64)
        self._low[order] = beginnings
        self._counts[order] = np.arange(len(order)) - beginnings
        self._places = np.repeat(np.arange(len(rarest_of.lengths), dtype=np.int32), rarest_of.lengths)[order]
        self._meetings = bounds(self._counts)[self._borders]

    def __len__(self) -> int:
        return len(self._borders) - 1

    def meetings(self, start: int, end: int) -> int:
        """How many meetings with earlier rows these rows have."""
        return int(self._meetings[end] - self._meetings[start])

    @property
    def cost_of_forgetting(self) -> int:
        """How many meetings could be looked at while rows are forgotten, roughly."""
        return len(self._low) // 2

    def end_of_slice(self, start: int, most: int = AT_ONCE) -> int:
        """Up to which row, from `start` on, the meetings with earlier rows are `most` at most; one row at least."""
        return max(int(np.searchsorted(self._meetings, self._meetings[start] + most, "right")) - 1, start + 1)

    def candidates(self, start: int, end: int) -> Candidates:
        """Rows from `start` to `end` (left) and the earlier ones that each may resemble (right), by their places in the list."""
        return _candidates(self._places, self._low, self._counts, self._borders, start, end)

    def forget(self, is_gone: Truths) -> None:
        """Never give these rows (one truth value for each row) as earlier ones again."""
        stays = ~is_gone[self._places]
        before = bounds(stays.astype(np.int64))
        ends = before[self._low + self._counts]
        self._low = before[self._low]
        self._counts = ends - self._low
        self._places = self._places[stays]
        self._meetings = bounds(self._counts)[self._borders]


def _sums(values: Integers, borders: Integers) -> Integers:
    return np.diff(bounds(values)[borders])


def _candidates(places: Places, low: Integers, counts: Integers, borders: Integers,
                start: int, end: int) -> Candidates:
    inside = slice(borders[start], borders[end])
    partners = places[stretches(low[inside], counts[inside])].astype(np.int64)
    owners = np.repeat(np.arange(start, end), _sums(counts[inside], borders[start:end + 1] - borders[start]))
    pairs = owners << 32 | partners
    pairs.sort()
    is_new = np.ones(len(pairs), dtype=bool)
    is_new[1:] = pairs[1:] != pairs[:-1]
    pairs = pairs[is_new]
    return Candidates(pairs >> 32, pairs & 0xFFFFFFFF)
