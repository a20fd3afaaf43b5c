"""What is measured on a row, each with its source; and what a good direction is for each metric."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

TOKEN = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f]"
                   r"|(?:(?![぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f])[^\W_])+")
REPEAT_LENGTH = 4
LOOPING = 0.5  # of 2,201 clauses of real licences none repeats that much; the highest share is 0.45


@dataclass(frozen=True)
class Metric:
    """A metric's name, its good direction ("" for a description without one) and how it is computed over rows.

    A "ratio" is a sum over a sum, an "exp" e to the power of one, a "mean" an average of rows, a "share" an average of yes and
    no, a "corpus" a function of sums over all rows.
    """

    name: str
    good: Literal["low", "high", ""]
    kind: Literal["ratio", "exp", "mean", "share", "corpus"]


METRICS = (
    Metric("bits_per_byte", "low", "ratio"),
    Metric("perplexity", "low", "exp"),
    Metric("checks_met", "high", "share"),
    Metric("rouge_l", "high", "mean"),
    Metric("rouge_1", "high", "mean"),
    Metric("rouge_2", "high", "mean"),
    Metric("bleu_en", "high", "corpus"),
    Metric("bleu_zh", "high", "corpus"),
    Metric("chrf", "high", "corpus"),
    Metric("edit_share", "low", "mean"),
    Metric("exact_match", "high", "share"),
    Metric("slot_recall", "high", "corpus"),
    Metric("slot_precision", "high", "corpus"),
    Metric("clause_type_match", "high", "share"),
    Metric("looping_share", "low", "share"),
    Metric("repetition", "", "mean"),
    Metric("stopped_share", "", "share"),
    Metric("draft_tokens", "", "mean"),
)
OF_TOKENS = ("perplexity", "draft_tokens")  # comparable only between candidates that count the same tokens


def bits_per_byte(nats: float, size_bytes: int) -> float:
    """Bits that the model needs for a byte of the text: comparable over tokenizers. 0 is perfect, 8 is no knowledge at all.

    `nats` is the negative sum of natural-log probabilities of the reply's tokens, the one that ends the turn included.
    Source: Gao et al. 2020, arXiv:2101.00027, section 3.1.
    """
    return nats / math.log(2) / size_bytes


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


def edit_share(reference: str, draft: str) -> float:
    """Characters to insert, delete or replace until the draft is the reference, over the longer length, 0..1: 0 is the same text.

    What a person would have to change. Source: Levenshtein 1966; computed by rapidfuzz.
    """
    return float(Levenshtein.normalized_distance(reference, draft))


def is_exact(reference: str, draft: str) -> bool:
    """Whether both are the same text, white space apart."""
    return " ".join(reference.split()) == " ".join(draft.split())


def _overlap(shared: int, expected: int, got: int) -> Overlap:
    return Overlap(shared / got if got else 0.0, shared / expected if expected else 0.0)


def repetition(text: str) -> float:
    """Share of the text's runs of four tokens that stood in it before, 0..1: a draft going round in circles nears 1.

    Source: Welleck et al. 2019, arXiv:1908.04319, seq-rep-4.
    """
    found = runs(tokens(text), REPEAT_LENGTH)
    return 1 - len(set(found)) / len(found) if found else 0.0


def is_looping(text: str) -> bool:
    """Whether at least half of the text's runs of four tokens stood in it before."""
    return repetition(text) >= LOOPING
