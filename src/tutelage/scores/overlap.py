"""Words that two texts share, whatever their script. Standard library only: exported tasks carry this file with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

TOKEN = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f]"
                   r"|(?:(?![぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f])[^\W_])+")


def tokens(text: str) -> list[str]:
    """Lower-case runs of letters and digits; each Chinese or Japanese character is a token of its own.

    On ASCII text these are the tokens of rouge-score.
    """
    return TOKEN.findall(text.lower())


def common_subsequence_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence. Source: Hyyro 2004, bit-parallel LCS-length computation revisited."""
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(first) - row.bit_count()


@dataclass(frozen=True)
class Overlap:
    """Precision, recall and their harmonic mean F1, each in 0..1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """2 * precision * recall / (precision + recall); 0 where nothing is shared."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def rouge_n(reference: str, draft: str, n: int) -> Overlap:
    """ROUGE-N: shared runs of n words (of characters in Chinese), each counted as often as it stands in both.

    Equals rouge-score 0.1.2 without stemming on ASCII text. Source: Lin 2004.
    """
    expected, got = (Counter(runs(tokens(text), n)) for text in (reference, draft))
    return _overlap((expected & got).total(), expected.total(), got.total())


def rouge_l(reference: str, draft: str) -> Overlap:
    """ROUGE-L: how much of both texts is one common subsequence of words (of characters in Chinese).

    Equals rouge-score 0.1.2 without stemming on ASCII text. Two texts without any token share nothing. Source: Lin 2004,
    ROUGE: a package for automatic evaluation of summaries.
    """
    expected, got = tokens(reference), tokens(draft)
    return _overlap(common_subsequence_length(expected, got), len(expected), len(got))


def runs(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words."""
    return [tuple(words[place:place + n]) for place in range(len(words) - n + 1)]


def _overlap(shared: int, expected: int, got: int) -> Overlap:
    return Overlap(shared / got if got else 0.0, shared / expected if expected else 0.0)
