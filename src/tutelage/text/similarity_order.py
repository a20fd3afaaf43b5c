"""Many rows of shingles, in memory or in a file, and the same rows with the rarest shingle first.

A shingle that only one row has can be in no intersection, so it is counted and then left out; rows with equal shingles are
represented by the first of them. What is left is small, and rare shingles are looked up first (similarity_join.py).
"""

from __future__ import annotations

import math
import os
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from tutelage.text.similarity_shingles import HASH_BITS, Batch, Integers, Shingles, Truths, bounds, polynomials, sort_each, stretches

# The counters take at most 256 MB; several shingles may share one, which makes them seem less rare, never rarer than they are.
MOST_COUNTER_BITS = 26
# With more shingles than half the counters, most would share one; then they are counted one by one, so many at a time.
MOST_IN_BUCKETS = 1 << (MOST_COUNTER_BITS - 1)
PART_COUNTED = 1 << 22
_MOST_COUNTED = 1 << 16
BYTES = 8

Rarities = npt.NDArray[np.uint8]


class Flat:
    """Numbers one after the other: in memory, or in a file of the folder `scratch` that vanishes with the object.

    The file is read piece by piece and never mapped: mapped pages would count as memory of the process.
    """

    def __init__(self, scratch: Path | None) -> None:
        self._file: IO[bytes] | None = tempfile.TemporaryFile(dir=scratch) if scratch else None  # noqa: SIM115
        self._parts: list[Shingles] = []

    def append(self, numbers: Shingles) -> None:
        """Put these behind the others."""
        if self._file:
            self._file.seek(0, os.SEEK_END)
            self._file.write(numbers.data)
        else:
            self._parts.append(numbers)

    def take(self, starts: Integers, lengths: Integers) -> Shingles:
        """The numbers from each start on, so many, one stretch after the other."""
        if not self._file:
            if len(self._parts) != 1:
                self._parts = [np.concatenate([np.zeros(0, dtype=np.uint64), *self._parts])]
            return self._parts[0][stretches(starts, lengths)]
        taken = np.empty(int(lengths.sum()), dtype=np.uint64)
        view, at = taken.data.cast("B"), 0
        for start, length in zip((BYTES * starts).tolist(), (BYTES * lengths).tolist(), strict=True):
            if length:
                self._file.seek(start)
                self._file.readinto(view[at:at + length])  # type: ignore[attr-defined]
                at += length
        return taken

    def parts(self, lengths: Iterator[int]) -> Iterator[Shingles]:
        """The numbers again, in stretches as long as they were appended."""
        if not self._file:
            yield from self._parts
            return
        start = 0
        for length in lengths:
            yield self.take(np.array([start]), np.array([length]))
            start += length


class Rows:
    """Rows of shingles, appended batch by batch."""

    def __init__(self, scratch: Path | None = None) -> None:
        self.scratch = scratch
        self._flat = Flat(scratch)
        self._sizes: list[Integers] = []
        self._digests: list[Shingles] = []
        self._smallest: list[Shingles] = []

    def append(self, batch: Batch) -> None:
        """Add rows."""
        borders = bounds(batch.sizes)
        self._flat.append(batch.flat)
        self._sizes.append(batch.sizes)
        self._digests.append(polynomials(batch.flat, borders[:-1], borders[1:]))
        self._smallest.append(np.append(batch.flat, np.uint64(0))[borders[:-1]])

    def batches(self) -> Iterator[Batch]:
        """The rows again, as they were appended."""
        for flat, sizes in zip(self._flat.parts(int(sizes.sum()) for sizes in self._sizes), self._sizes, strict=True):
            yield Batch(flat, sizes)

    @property
    def sizes(self) -> Integers:
        """How many shingles each row has."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self._sizes])

    def firsts(self) -> Integers:
        """For each row the first row with the same shingles (told by size, smallest one and a 64-bit digest); itself if it has none."""
        sizes = self.sizes
        if not len(sizes):
            return sizes
        digests, smallest = np.concatenate(self._digests), np.concatenate(self._smallest)
        order = np.lexsort((sizes, smallest, digests))
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = False
        for values in (sizes[order], smallest[order], digests[order]):
            is_new[1:] |= values[1:] != values[:-1]
        firsts = np.empty(len(order), dtype=np.int64)
        firsts[order] = order[is_new][np.cumsum(is_new) - 1]
        return np.where(sizes > 0, firsts, np.arange(len(sizes)))


@dataclass(frozen=True)
class Ordered:
    """The shingles of each row that other rows may share, the rarest first; those of row r are numbers starts[r] to starts[r + 1].

    `sizes` counts all shingles of a row, those left out too. Rows that equal an earlier one (`firsts`) have no stretch.
    A shingle is its hash with the logarithm of its count above it, so that numbers in ascending order are the global order.
    """

    flat: Flat
    starts: Integers
    sizes: Integers
    firsts: Integers

    def lengths(self, rows: Integers) -> Integers:
        """How many shingles of each of these rows are in its stretch."""
        return self.starts[rows + 1] - self.starts[rows]

    def first_rows(self) -> Integers:
        """The rows that are the first with their shingles and have any."""
        return np.flatnonzero((self.firsts == np.arange(len(self.firsts))) & (self.sizes > 0))


def ordered(rows: Rows) -> Ordered:
    """The rows in the order of rarity. Few shingles are counted by bucket, which is as exact: any order of all shingles will do.

    Many would share their buckets, and hardly one would be left out; they are counted one by one, a part of all hashes at a time.
    """
    sizes, firsts = rows.sizes, rows.firsts()
    is_first = firsts == np.arange(len(firsts))
    total = int(sizes[is_first].sum())
    rarities = _by_bucket(rows, is_first, total) if total <= MOST_IN_BUCKETS else one_by_one(rows, is_first, PART_COUNTED)
    flat = Flat(rows.scratch)
    lengths = []
    for (batch, is_kept), rarity in zip(_with_firsts(rows, is_first), rarities, strict=True):
        kept = (rarity > 0) & np.repeat(is_kept, batch.sizes)
        keys = (batch.flat | rarity.astype(np.uint64) << np.uint64(HASH_BITS))[kept]
        borders = bounds(kept.astype(np.int64))[bounds(batch.sizes)]
        sort_each(keys, borders)
        flat.append(keys)
        lengths.append(np.diff(borders))
    return Ordered(flat, bounds(np.concatenate([np.zeros(0, dtype=np.int64), *lengths])), sizes, firsts)


def _by_bucket(rows: Rows, is_first: Truths, total: int) -> Iterator[Rarities]:
    """For each shingle of each batch 0 if one row at most has one of its bucket, else twice the logarithm to base 2 of the count."""
    bits = min(max(10, math.ceil(math.log2(total + 1)) + 1), MOST_COUNTER_BITS)
    shift = np.uint64(HASH_BITS - bits)
    counts = np.zeros(1 << bits, dtype=np.uint32)
    for batch, is_kept in _with_firsts(rows, is_first):
        shared = batch.flat if is_kept.all() else batch.flat[np.repeat(is_kept, batch.sizes)]
        np.add.at(counts, (shared >> shift).view(np.int64), np.uint32(1))
    found = np.empty(len(counts), dtype=np.uint8)
    for start in range(0, len(counts), _MOST_COUNTED):
        found[start:start + _MOST_COUNTED] = _levels(counts[start:start + _MOST_COUNTED])
    for batch in rows.batches():
        yield found[batch.flat >> shift]


def one_by_one(rows: Rows, is_first: Truths, part: int) -> Iterator[Rarities]:
    """The same for the shingles themselves: about `part` of them are counted at a time, and a byte each is kept."""
    found = np.zeros(int(rows.sizes.sum()), dtype=np.uint8)
    edges = np.linspace(0, 1 << HASH_BITS, -(-len(found) // part) + 1).astype(np.uint64)
    for low, high in pairwise(edges):
        hashes, places, at = array("Q"), array("Q"), 0
        for batch, is_kept in _with_firsts(rows, is_first):
            inside = (batch.flat >= low) & (batch.flat < high) & np.repeat(is_kept, batch.sizes)
            hashes.frombytes(batch.flat[inside].tobytes())
            places.frombytes((np.flatnonzero(inside) + at).astype(np.uint64).tobytes())
            at += len(inside)
        order = np.argsort(np.frombuffer(hashes, dtype=np.uint64))
        counted = np.frombuffer(hashes, dtype=np.uint64)[order]
        starts = np.flatnonzero(np.append(True, counted[1:] != counted[:-1])) if len(counted) else order
        del counted, hashes
        counts = np.diff(starts, append=len(order)).astype(np.uint32)
        del starts
        found[np.frombuffer(places, dtype=np.uint64)[order]] = np.repeat(_levels(counts), counts)
        del order, places
    start = 0
    for batch in rows.batches():
        yield found[start:start + len(batch.flat)]
        start += len(batch.flat)


def _levels(counts: Integers | npt.NDArray[np.uint32]) -> Rarities:
    """0 for a count of one at most, else twice its logarithm to base 2, which fits a byte."""
    logarithms = np.log2(np.clip(counts, 1, _MOST_COUNTED), dtype=np.float32)
    logarithms *= 2
    levels: Rarities = logarithms.astype(np.uint8)
    return levels


def _with_firsts(rows: Rows, is_first: Truths) -> Iterator[tuple[Batch, Truths]]:
    start = 0
    for batch in rows.batches():
        yield batch, is_first[start:start + len(batch.sizes)]
        start += len(batch.sizes)
