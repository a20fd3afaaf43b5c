"""Shingles of many texts at once: texts -> words or characters -> runs of them -> 57-bit hashes, sorted and unique in each text.

A run's hash is a polynomial over the hashes of its words, taken from sums over the whole batch, so no text is walked in Python.
Hashes are the same in every process. Two different runs share a hash once in 10^17: among a hundred million different
runs one such pair is expected in 29 collections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Shingles = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

# Hashes leave the upper bits free for the rarity of the shingle (similarity_order.py).
HASH_BITS = 57
# Texts are hashed together up to so many characters: enough to be fast, few enough to stay in the processor's cache.
BATCH_CHARACTERS = 1 << 18
_BASE = 0x9E3779B97F4A7C15
_CODES = 0x110000
_BASIC_CODES = 0x10000
_WORD_END = re.compile(r"[\W_]")


class Width(NamedTuple):
    """How many words (spaced languages) or characters (Chinese) make a run, and whether a shorter text is one run."""

    words: int
    characters: int
    is_short_one_run: bool


class Batch(NamedTuple):
    """Shingles of several texts, one after the other, and how many each has."""

    flat: Shingles
    sizes: Integers


def hashed(texts: Sequence[str], languages: Sequence[str], width: Width) -> Iterator[Batch]:
    """The runs of all texts in order, some texts at a time. Raises ValueError if there are not as many languages as texts."""
    if len(texts) != len(languages):
        raise ValueError(f"{len(texts)} texts and {len(languages)} languages; one language is needed for each text.")
    first, characters = 0, 0
    for position, text in enumerate(texts):
        characters += len(text)
        if characters >= BATCH_CHARACTERS:
            yield _hashed(texts[first:position + 1], languages[first:position + 1], width)
            first, characters = position + 1, 0
    if first < len(texts):
        yield _hashed(texts[first:], languages[first:], width)


def stretches(starts: Integers, lengths: Integers) -> Integers:
    """The positions start, start + 1, ... of each stretch, one stretch after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total, dtype=np.int64)


def bounds(sizes: Integers) -> Integers:
    """Where each stretch begins, and the end of the last."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])


def sort_each(flat: Shingles, borders: Integers) -> None:
    """Sort every stretch in place."""
    for start, end in pairwise(borders.tolist()):
        flat[start:end].sort()


def mixed(values: Shingles) -> Shingles:
    """Each value spread over all 64 bits, one to one. Source: the finaliser of SplitMix64, https://doi.org/10.1145/2660193.2660195."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def polynomials(values: Shingles, starts: Integers, ends: Integers) -> Shingles:
    """For each stretch the sum of value * base^(place in the stretch), modulo 2^64."""
    powers, inverses = _powers(1 << max(10, len(values).bit_length()))
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * powers[:len(values)], out=sums[1:])
    return (sums[ends] - sums[starts]) * inverses[starts]


def _hashed(texts: Sequence[str], languages: Sequence[str], width: Width) -> Batch:
    chinese = [position for position, language in enumerate(languages) if language == "zh"]
    if not chinese:
        return _unique(*_word_runs(texts, width))
    if len(chinese) == len(texts):
        return _unique(*_character_runs(texts, width))
    spaced = [position for position, language in enumerate(languages) if language != "zh"]
    sizes = np.zeros(len(texts), dtype=np.int64)
    parts = []
    for places, batch in ((chinese, _unique(*_character_runs([texts[place] for place in chinese], width))),
                          (spaced, _unique(*_word_runs([texts[place] for place in spaced], width)))):
        sizes[places] = batch.sizes
        parts.append((places, batch))
    flat = np.empty(int(sizes.sum()), dtype=np.uint64)
    starts = bounds(sizes)
    for places, batch in parts:
        flat[stretches(starts[places], batch.sizes)] = batch.flat
    return Batch(flat, sizes)


def _word_runs(texts: Sequence[str], width: Width) -> tuple[Shingles, Integers]:
    lowered = [text.lower() for text in texts]
    if max(map(len, lowered)) <= BATCH_CHARACTERS:
        tokens, counts = _words(lowered)
    else:
        cut = [_pieces(text) for text in lowered]
        found = [_words([piece]) for pieces in cut for piece in pieces]
        tokens = np.concatenate([words for words, _ in found])
        owners = np.repeat(np.arange(len(cut)), [len(pieces) for pieces in cut])
        counts = np.bincount(owners, weights=[len(words) for words, _ in found], minlength=len(cut)).astype(np.int64)
    return _runs(tokens, counts, width.words, width.is_short_one_run)


def _character_runs(texts: Sequence[str], width: Width) -> tuple[Shingles, Integers]:
    tokens, lengths = _coded(texts, is_word=False)
    kept = tokens != 0
    counts = np.diff(bounds(kept.astype(np.int64))[bounds(lengths)])
    return _runs(tokens[kept], counts, width.characters, width.is_short_one_run)


def _pieces(text: str) -> list[str]:
    """A long text cut between words, so that no more memory is needed for one long text than for many short ones."""
    pieces, start = [], 0
    while len(text) - start > BATCH_CHARACTERS:
        end = _WORD_END.search(text, start + BATCH_CHARACTERS)
        if end is None:
            break
        pieces.append(text[start:end.start()])
        start = end.start()
    return [*pieces, text[start:]]


def _words(lowered: Sequence[str]) -> tuple[Shingles, Integers]:
    """The words of all texts as hashes, and how many each text has."""
    values, lengths = _coded(["", *lowered, ""], is_word=True, between="\n")
    inside = values != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    borders = np.searchsorted(starts, np.cumsum(lengths[:-1] + 1))
    return mixed(polynomials(values, starts, ends)), np.diff(borders)


def _coded(texts: Sequence[str], *, is_word: bool, between: str = "") -> tuple[Shingles, Integers]:
    """A 64-bit value for each character of the joined texts, 0 for those that count for nothing; and the length of each text."""
    codes = np.frombuffer(between.join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    limit = _CODES if len(codes) and int(codes.max()) >= _BASIC_CODES else _BASIC_CODES
    return _values(limit, is_word)[codes], np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))


@lru_cache(maxsize=4)
def _values(limit: int, is_word: bool) -> Shingles:
    values = mixed(np.arange(1, limit + 1, dtype=np.uint64) * np.uint64(_BASE))
    counts = [chr(code).isalnum() if is_word else not chr(code).isspace() for code in range(limit)]
    return np.where(counts, values, np.uint64(0))


@lru_cache(maxsize=8)
def _powers(count: int) -> tuple[Shingles, Shingles]:
    """base^0, base^1, ... and their inverses, modulo 2^64."""
    tables = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        table = np.full(count, base, dtype=np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table, dtype=np.uint64))
    return tables[0], tables[1]


def _runs(tokens: Shingles, counts: Integers, width: int, is_short_one_run: bool) -> tuple[Shingles, Integers]:
    """The hash of each run of `width` tokens within a text, and how many runs each text has."""
    runs = np.maximum(counts - width + 1, (counts > 0) if is_short_one_run else 0)
    first = bounds(counts)
    starts = stretches(first[:-1], runs)
    ends = np.minimum(starts + width, np.repeat(first[1:], runs))
    hashes = mixed(polynomials(tokens, starts, ends)) >> np.uint64(64 - HASH_BITS)
    return hashes, runs


def _unique(flat: Shingles, sizes: Integers) -> Batch:
    """Each text's hashes sorted and without repeats."""
    borders = bounds(sizes)
    sort_each(flat, borders)
    is_first = np.ones(len(flat), dtype=bool)
    is_first[1:] = flat[1:] != flat[:-1]
    is_first[borders[:-1][sizes > 0]] = True
    return Batch(flat[is_first], np.diff(bounds(is_first.astype(np.int64))[borders]))
