"""How figures are written on the page."""

from __future__ import annotations

from tutelage.scores.metrics import METRICS

SHARES = ("repetition", "edit_share", "edit_words", "points_covered")
COARSE = ("draft_tokens", "bleu_en", "bleu_zh", "chrf", "slot_recall", "slot_precision", "clause_type_f1")


def figure(value: float, metric: str) -> str:
    """A value as the page shows it: shares in percent, tokens with one decimal, all else with three."""
    if is_share(metric):
        return f"{100 * value:.1f} %"
    return f"{value:.1f}" if metric in COARSE else f"{value:.3f}"


def signed(value: float, metric: str) -> str:
    """A difference with its sign; of shares in percentage points."""
    if is_share(metric):
        return f"{100 * value:+.1f}"
    return f"{value:+.1f}" if metric in COARSE else f"{value:+.3f}"


def is_share(metric: str) -> bool:
    """Whether the metric is shown in percent."""
    return metric in SHARES or any(one.kind == "share" for one in METRICS if one.name == metric)
