"""What the independent classifier takes drafts for, and how far its own word can be trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tutelage.core.records import Example
from tutelage.scores import statistics
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.plot_results import Bin, Confusion, Reliability
from tutelage.scores.results import RowMeasure

BINS = 10


def confusions(rows: Mapping[str, Sequence[RowMeasure]]) -> list[Confusion]:
    """For each candidate whose drafts were classified, asked types against named ones."""
    found = []
    for candidate, measures in rows.items():
        named: dict[str, Counter[str]] = defaultdict(Counter)
        for row in measures:
            if row.type_predicted is not None:
                named[row.clause_type][row.type_predicted] += 1
        if named:
            found.append(Confusion(candidate=candidate, n=sum(counts.total() for counts in named.values()),
                                   right=sum(counts[asked] for asked, counts in named.items()),
                                   named={asked: dict(sorted(named[asked].items())) for asked in sorted(named)}))
    return found


def reliability(classifier: TypeClassifier | None, rows: Sequence[Example], alpha: float) -> Reliability | None:
    """How often the classifier is right, by how sure it says it is, over held-out clauses; None without a classifier or without rows.

    Ten bins of equal width; empty ones are left out. Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    if classifier is None or not rows:
        return None
    said = classifier.judge([row.text for row in rows])
    binned: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for (name, confidence), row in zip(said, rows, strict=True):
        binned[min(BINS - 1, int(confidence * BINS))].append((confidence, name == row.clause_type))
    bins = [_bin(binned[place], alpha) for place in sorted(binned)]
    n = len(rows)
    return Reliability(
        n=n, right=sum(one.right for one in bins), confidence=sum(one.confidence * one.n for one in bins) / n,
        error=sum(one.n * abs(one.right / one.n - one.confidence) for one in bins) / n, bins=tuple(bins))


def _bin(texts: Sequence[tuple[float, bool]], alpha: float) -> Bin:
    n, right = len(texts), sum(is_right for _, is_right in texts)
    between = statistics.wilson(right, n, alpha)
    return Bin(n=n, confidence=sum(confidence for confidence, _ in texts) / n, right=right, low=between.low, high=between.high)
