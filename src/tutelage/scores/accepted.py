"""Edit distance to the accepted draft: how much people changed of what each model wrote before a second person approved it."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.records import ApprovedRow, Record
from tutelage.scores import statistics
from tutelage.scores.metrics import edit_share, edit_words

RESAMPLES = 10_000


class AcceptedEdits(Record):
    """Over `n` approved drafts of a model ("library": of no model), the mean share of characters that people changed, with its interval by
    resampled drafts; `unchanged` were approved as they were. `words` is the same in words over the `english` ones; None without any.
    """

    model: str
    n: int
    unchanged: int
    characters: float
    low: float
    high: float
    english: int
    words: float | None


def accepted_edits(rows: Sequence[ApprovedRow], *, alpha: float = 0.05, seed: int = 0) -> list[AcceptedEdits]:
    """By model, the one with the most approved drafts first."""
    by_model: dict[str, list[ApprovedRow]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    return [_edits(model, ours, alpha, seed) for model, ours in sorted(by_model.items(), key=lambda item: (-len(item[1]), item[0]))]


def _edits(model: str, rows: Sequence[ApprovedRow], alpha: float, seed: int) -> AcceptedEdits:
    shares = [edit_share(row.text, row.draft) for row in rows]
    grouped = statistics.group([row.id for row in rows], shares, [1.0] * len(rows))
    between = statistics.percentile_interval(statistics.resampled_ratios([grouped], resamples=RESAMPLES, seed=seed)[0], alpha)
    words = [edit_words(row.text, row.draft) for row in rows if row.language == "en"]
    return AcceptedEdits(
        model=model, n=len(rows), unchanged=sum(row.text == row.draft for row in rows), characters=sum(shares) / len(shares),
        low=between.low, high=between.high, english=len(words), words=sum(words) / len(words) if words else None)
