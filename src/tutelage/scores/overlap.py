"""Words that two texts share, whatever their script. Standard library only: exported tasks carry this file with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f]"
                   r"|(?:(?![぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003134f])[^\W_])+")

Cut = Callable[[str], list[str]]


def tokens(text: str) -> list[str]:
    """Lower-case runs of letters and digits; each Chinese or Japanese character is a token of its own.

    On ASCII text these are the tokens of rouge-score.
    """
    return TOKEN.findall(text.lower())


def common_subsequence_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    *_, last = _subsequence_rows(first, second)
    return len(first) - last.bit_count()


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> list[int]:
    """Places in `first` of one longest common subsequence: of several equally long ones that which rouge-score takes."""
    rows = list(_subsequence_rows(first, second))

    def length(most_first: int, most_second: int) -> int:
        """The same of the first so many of both."""
        return most_first - (rows[most_second] & (1 << most_first) - 1).bit_count()

    places: list[int] = []
    one, other = len(first), len(second)
    while one and other:
        if first[one - 1] == second[other - 1]:
            places.append(one - 1)
            one, other = one - 1, other - 1
        elif length(one, other - 1) > length(one - 1, other):
            other -= 1
        else:
            one -= 1
    return places[::-1]


def _subsequence_rows(first: Sequence[str], second: Sequence[str]) -> Iterator[int]:
    """After each token of `second`, and before the first: a bit for each token of `first`, 0 where a longest common subsequence
    grows by one. Source: Hyyro 2004, bit-parallel LCS-length computation revisited.
    """
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    yield row
    for token in second:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & full
        yield row


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


def rouge_n(reference: str, draft: str, n: int, cut: Cut = tokens) -> Overlap:
    """ROUGE-N: shared runs of n words (of characters in Chinese), each counted as often as it stands in both.

    `cut` gives the words of a text; with `stems.stemmed_tokens` they are stems. Equals rouge-score 0.1.2 on ASCII text. Source: Lin 2004.
    """
    expected, got = (Counter(runs(cut(text), n)) for text in (reference, draft))
    return _overlap((expected & got).total(), expected.total(), got.total())


def rouge_l(reference: str, draft: str, cut: Cut = tokens) -> Overlap:
    """ROUGE-L: how much of both texts is one common subsequence of words (of characters in Chinese).

    Equals rouge-score 0.1.2 on ASCII text. Two texts without any token share nothing. Source: Lin 2004,
    ROUGE: a package for automatic evaluation of summaries.
    """
    expected, got = cut(reference), cut(draft)
    return _overlap(common_subsequence_length(expected, got), len(expected), len(got))


def rouge_lsum(reference: str, draft: str, cut: Cut = tokens) -> Overlap:
    """ROUGE-Lsum: the same line by line. Of each line of the reference counts what it has in order in common with any line of the draft,
    and no word more often than it stands in both texts.

    Equals rouge-score 0.1.2 on ASCII text. Source: Lin 2004, section 3.2, with the count of ROUGE-1.5.5.
    """
    expected, got = ([cut(line) for line in text.split("\n") if line] for text in (reference, draft))
    left = Counter(word for line in expected for word in line) & Counter(word for line in got for word in line)
    shared = 0
    for line in expected:
        for place in sorted({place for other in got for place in common_subsequence(line, other)}):
            if left[line[place]]:
                left[line[place]] -= 1
                shared += 1
    return _overlap(shared, sum(map(len, expected)), sum(map(len, got)))


def runs(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words."""
    return [tuple(words[place:place + n]) for place in range(len(words) - n + 1)]


def _overlap(shared: int, expected: int, got: int) -> Overlap:
    return Overlap(shared / got if got else 0.0, shared / expected if expected else 0.0)
