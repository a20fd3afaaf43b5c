"""Long runs that two texts share word for word, which give a leak away where the rest of the texts differs.

A long run is 13 words in a row (lower case, letters and digits only) in English and other spaced languages, 40 characters
in a row (white space removed) in Chinese. A text that is shorter has none. Runs that many documents have are boilerplate:
they say nothing about where a text comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tutelage.text.similarity_shingles import HASH_BITS, Shingles, Width, bounds, hashed

WIDTH = Width(words=13, characters=40, is_short_one_run=False)
_COUNTER_BITS = 24


class SharedRun(NamedTuple):
    """A training text (`left`) and a held-out text (`right`) by their positions, and how many long runs both have."""

    left: int
    right: int
    runs: int


def long_runs(text: str, language: str) -> Shingles:
    """The long runs of a text as sorted hashes, the same in every process. `language` is "en", "zh" or "other"."""
    return next(hashed([text], [language], WIDTH)).flat


def long_runs_all(texts: Sequence[str], languages: Sequence[str]) -> list[Shingles]:
    """The long runs of each text, in less time than one by one."""
    return [row for batch in hashed(texts, languages, WIDTH) for row in np.split(batch.flat, np.cumsum(batch.sizes)[:-1])]


def boilerplate_runs(texts: Sequence[str], languages: Sequence[str], units: Sequence[str], *, at_least: int) -> Shingles:
    """The long runs, sorted, that occur in texts of at least so many different units. A unit is usually the source document.

    Raises ValueError if there are not as many units as texts.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    owners = np.array([numbers[unit] for unit in units], dtype=np.int64)
    if len(owners) != len(texts):
        raise ValueError(f"{len(texts)} texts and {len(owners)} units; one unit is needed for each text.")
    # A run in fewer texts than that is in fewer units too; such runs, nearly all, are told by counters and not kept.
    counts = np.zeros(1 << _COUNTER_BITS, dtype=np.uint32)
    shift = np.uint64(HASH_BITS - _COUNTER_BITS)
    for batch in hashed(texts, languages, WIDTH):
        np.add.at(counts, (batch.flat >> shift).view(np.int64), np.uint32(1))
    runs, holders, start = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)], 0
    for batch in hashed(texts, languages, WIDTH):
        is_common = counts[batch.flat >> shift] >= at_least
        runs.append(batch.flat[is_common])
        holders.append(np.repeat(owners[start:start + len(batch.sizes)], batch.sizes)[is_common])
        start += len(batch.sizes)
    run, holder = np.concatenate(runs), np.concatenate(holders)
    order = np.lexsort((holder, run))
    run, holder = run[order], holder[order]
    is_new = np.ones(len(run), dtype=bool)
    is_new[1:] = (run[1:] != run[:-1]) | (holder[1:] != holder[:-1])
    found, units_of = np.unique(run[is_new], return_counts=True)
    return found[units_of >= at_least]


def shared_runs(train: Sequence[Shingles], held_out: Sequence[Shingles], *, common: Shingles) -> list[SharedRun]:
    """All pairs of a training text and a held-out text that have a long run in common which is not in `common`, sorted."""
    theirs = np.setdiff1d(np.concatenate([np.zeros(0, dtype=np.uint64), *held_out]), common)
    holders: dict[int, list[int]] = {}
    for position, runs in enumerate(held_out):
        places = np.searchsorted(theirs, runs)
        inside = places < len(theirs)
        for run in runs[inside][theirs[places[inside]] == runs[inside]].tolist():
            holders.setdefault(run, []).append(position)
    found = []
    borders = bounds(np.fromiter(map(len, train), dtype=np.int64, count=len(train)))
    flat = np.concatenate([np.zeros(0, dtype=np.uint64), *train])
    hits = np.flatnonzero(np.isin(flat, theirs))
    counted: dict[tuple[int, int], int] = {}
    for owner, run in zip((np.searchsorted(borders, hits, "right") - 1).tolist(), flat[hits].tolist(), strict=True):
        for position in holders[run]:
            counted[owner, position] = counted.get((owner, position), 0) + 1
    found = [SharedRun(left, right, runs) for (left, right), runs in counted.items()]
    return sorted(found)
