"""What the independent classifier takes drafts for, and how far its own word can be trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tutelage.core.records import Example
from tutelage.scores.calibration import calibration
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.plot_results import Confusion, Reliability
from tutelage.scores.results import RowMeasure


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
    """How often the classifier is right, by how sure it says it is, over held-out clauses; None without a classifier or without rows."""
    if classifier is None or not rows:
        return None
    said = classifier.judge([row.text for row in rows])
    return calibration([(confidence, name == row.clause_type) for (name, confidence), row in zip(said, rows, strict=True)], alpha)
