"""Whether something is as often right as it says it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tutelage.scores import statistics
from tutelage.scores.plot_results import Bin, Reliability

BINS = 10


def calibration(said: Sequence[tuple[float, bool]], alpha: float) -> Reliability | None:
    """How often what was said with a confidence (0..1) is right, by confidence; None where nothing was said.

    Ten bins of equal width; empty ones are left out. Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    if not said:
        return None
    binned: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, is_right in said:
        binned[min(BINS - 1, int(confidence * BINS))].append((confidence, is_right))
    bins = [_bin(binned[place], alpha) for place in sorted(binned)]
    n = len(said)
    return Reliability(
        n=n, right=sum(one.right for one in bins), confidence=sum(one.confidence * one.n for one in bins) / n,
        error=sum(one.n * abs(one.right / one.n - one.confidence) for one in bins) / n, bins=tuple(bins))


def _bin(said: Sequence[tuple[float, bool]], alpha: float) -> Bin:
    n, right = len(said), sum(is_right for _, is_right in said)
    between = statistics.wilson(right, n, alpha)
    return Bin(n=n, confidence=sum(confidence for confidence, _ in said) / n, right=right, low=between.low, high=between.high)
