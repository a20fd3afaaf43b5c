"""Resemblance of texts: THE definition of J, near-duplicate pairs, families, and train rows that resemble held-out ones.

J of two texts is the Jaccard index of their shingles: the number of shingles in both over the number in either, 0 to 1.
Shingles are runs of 5 words (lower case; a word is a run of letters and digits) in English and other spaced languages,
and runs of 4 characters (white space removed) in Chinese. A text shorter than one run has one shingle, all of it; a text
without words has none and resembles nothing. Pairs are exact: none at or above the threshold is missed, none below is given.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tutelage.core.errors import InputError

WORDS_A_SHINGLE = 5
CHARACTERS_A_SHINGLE = 4

Shingles = frozenset[int]
_Ranks = npt.NDArray[np.int64]
_WORD = re.compile(r"[^\W_]+")
_MIX = np.uint64(0x9E3779B97F4A7C15)
# Shares such as 0.8 * 10 must not round up to 9 shingles.
_SLACK = 1e-9


class Pair(NamedTuple):
    """Two texts by their positions, and their J. Within one set of texts, `left` < `right`."""

    left: int
    right: int
    similarity: float


def shingles(text: str, language: str) -> Shingles:
    """The shingles of a text as 64-bit hashes, the same in every process. `language` is "en", "zh" or "other"."""
    if language == "zh":
        return _windows([ord(character) for character in text if not character.isspace()], CHARACTERS_A_SHINGLE)
    return _windows([_word_hash(word) for word in _WORD.findall(text.lower())], WORDS_A_SHINGLE)


def jaccard(a: Shingles, b: Shingles) -> float:
    """J of two texts, from their shingles. 0.0 if either has none."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


def near_pairs(texts: Sequence[str], languages: Sequence[str], threshold: float) -> list[Pair]:
    """All pairs of texts with J >= threshold, by position. Raises InputError unless 0 < threshold <= 1."""
    sets = [shingles(text, language) for text, language in zip(texts, languages, strict=True)]
    return _joined(sets, threshold, border=None)


def resembling(train: Sequence[Shingles], held_out: Sequence[Shingles], threshold: float) -> list[Pair]:
    """All pairs of a training text (`left`) and a held-out text (`right`) with J >= threshold, by their positions in each.

    Raises InputError unless 0 < threshold <= 1.
    """
    pairs = _joined([*train, *held_out], threshold, border=len(train))
    return sorted(Pair(left, right - len(train), similarity) for left, right, similarity in pairs)


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


@lru_cache(maxsize=1 << 18)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _windows(tokens: Sequence[int], width: int) -> Shingles:
    if not tokens:
        return frozenset()
    hashes = np.array(tokens, dtype=np.uint64)
    width = min(width, len(tokens))
    mixed = np.full(len(tokens) - width + 1, width, dtype=np.uint64)
    for offset in range(width):
        mixed = (mixed ^ hashes[offset:len(tokens) - width + 1 + offset]) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return frozenset(mixed.tolist())


def _joined(sets: Sequence[Shingles], threshold: float, *, border: int | None) -> list[Pair]:
    """Pairs at or above the threshold; with a `border`, only pairs of a set before it and one from it on.

    Two sets with J >= t share an element within the rarest (1 - t) * size + 1 elements of each, so only those are looked up.
    Source: Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search", https://doi.org/10.1145/1242572.1242591.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"the similarity threshold is {threshold}; it must be above 0 and at most 1. Use 0.8 for near-duplicates.")
    found: list[Pair] = []
    holders: dict[int, list[int]] = defaultdict(list)
    prefixes = _prefixes(sets, threshold)
    for position in sorted(range(len(sets)), key=lambda position: (len(sets[position]), position)):
        here = sets[position]
        smallest = threshold * len(here) - _SLACK
        candidates = {other for element in prefixes[position] for other in holders[element]}
        for other in candidates:
            there = sets[other]
            if len(there) < smallest or (border is not None and (other < border) == (position < border)):
                continue
            similarity = jaccard(here, there)
            if similarity >= threshold:
                found.append(Pair(min(other, position), max(other, position), similarity))
        for element in prefixes[position]:
            holders[element].append(position)
    return sorted(found)


def _prefixes(sets: Sequence[Shingles], threshold: float) -> list[list[int]]:
    """Of each set its rarest elements, as numbers, without those that no other set has."""
    sizes = [len(elements) for elements in sets]
    if not sum(sizes):
        return [[] for _ in sets]
    joined = np.concatenate([np.fromiter(elements, dtype=np.uint64, count=len(elements)) for elements in sets])
    _, inverse, counts = np.unique(joined, return_inverse=True, return_counts=True)
    by_rarity = np.argsort(counts, kind="stable")
    ranks: _Ranks = np.empty(len(counts), dtype=np.int64)
    ranks[by_rarity] = np.arange(len(counts))
    alone = int(np.searchsorted(counts[by_rarity], 2))
    prefixes = []
    for elements in np.split(ranks[inverse], np.cumsum(sizes)[:-1]):
        length = len(elements) - math.ceil(threshold * len(elements) - _SLACK) + 1
        rarest = np.sort(elements)[:length] if len(elements) else elements
        prefixes.append(rarest[rarest >= alone].tolist())
    return prefixes
