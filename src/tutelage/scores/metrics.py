"""What is measured on a row, each with its source; and what a good direction is for each metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

from tutelage.scores.overlap import runs, tokens

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
    Metric("rouge_lsum", "high", "mean"),
    Metric("bleu_en", "high", "corpus"),
    Metric("bleu_zh", "high", "corpus"),
    Metric("chrf", "high", "corpus"),
    Metric("points_covered", "high", "ratio"),
    Metric("edit_share", "low", "mean"),
    Metric("edit_words", "low", "mean"),
    Metric("exact_match", "high", "share"),
    Metric("slot_recall", "high", "corpus"),
    Metric("slot_precision", "high", "corpus"),
    Metric("clause_type_match", "high", "share"),
    Metric("clause_type_f1", "high", "corpus"),
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


def edit_share(reference: str, draft: str) -> float:
    """Characters to insert, delete or replace until the draft is the reference, over the longer length, 0..1: 0 is the same text.

    What a person would have to change. Source: Levenshtein 1966; computed by rapidfuzz.
    """
    return float(Levenshtein.normalized_distance(reference, draft))


def edit_words(reference: str, draft: str) -> float:
    """The same in words instead of characters, letter case and marks apart; in Chinese each character is a word."""
    return float(Levenshtein.normalized_distance(tokens(reference), tokens(draft)))


def is_exact(reference: str, draft: str) -> bool:
    """Whether both are the same text, white space apart."""
    return " ".join(reference.split()) == " ".join(draft.split())


def repetition(text: str) -> float:
    """Share of the text's runs of four tokens that stood in it before, 0..1: a draft going round in circles nears 1.

    Source: Welleck et al. 2019, arXiv:1908.04319, seq-rep-4.
    """
    found = runs(tokens(text), REPEAT_LENGTH)
    return 1 - len(set(found)) / len(found) if found else 0.0


def is_looping(text: str) -> bool:
    """Whether at least half of the text's runs of four tokens stood in it before."""
    return repetition(text) >= LOOPING
