"""How well two people agree: the share of equal labels with its interval, and Cohen's kappa."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(agreed: int, n: int) -> tuple[float, float]:
    """Lower and upper end of the 95 % interval of the share agreed / n; 0 and 1 for n = 0.

    With p = agreed / n: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).
    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = agreed / n, Z_95 ** 2
    middle, spread = p + z2 / (2 * n), Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z2 / n)), min(1.0, (middle + spread) / (1 + z2 / n))


def cohen_kappa(counts: Mapping[tuple[str, str], int]) -> float | None:
    """Agreement beyond chance of two people; `counts` says how many clauses the first called a and the second b.

    kappa = (p_o - p_e) / (1 - p_e), where p_o is the share of equal labels and p_e the sum over the labels of the product
    of the shares in which each person gave it. 1 is full agreement, 0 what chance would give. None for no clause, and
    where p_e is 1: both gave one and the same label throughout.
    Source: Cohen 1960, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20.
    """
    n = sum(counts.values())
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (one, other), count in counts.items():
        first[one] += count
        second[other] += count
    by_chance = sum(first[label] * second[label] for label in first)  # times n^2
    if n == 0 or by_chance == n * n:
        return None
    observed = sum(count for (one, other), count in counts.items() if one == other)
    return (observed * n - by_chance) / (n * n - by_chance)
