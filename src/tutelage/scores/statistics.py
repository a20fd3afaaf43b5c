"""The statistics behind every verdict: intervals, paired tests, non-inferiority and how many rows would decide.

Rows of one document resemble each other, so documents, not rows, are resampled and flipped. Proven by simulation in
tests/scores/test_scores_statistics.py (error rate under no difference, coverage of intervals).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tutelage.core.records import Verdict

Floats = NDArray[np.float64]
EXACT_FLIPS = 14
CHUNK_CELLS = 4_000_000
POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """Both ends of a confidence interval."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Grouped:
    """Sums by document: shape (documents,) each. A metric is sum(numerators) / sum(denominators)."""

    numerators: Floats
    denominators: Floats

    @property
    def ratio(self) -> float:
        """The metric over all documents."""
        return float(self.numerators.sum() / self.denominators.sum())


def group(clusters: Sequence[str], numerators: Sequence[float], denominators: Sequence[float]) -> Grouped:
    """Sums of the rows of each cluster, clusters in sorted order. Raises ValueError if the lengths differ or nothing is there."""
    if not clusters or not len(clusters) == len(numerators) == len(denominators):
        raise ValueError(f"need equally many clusters, numerators and denominators, at least one; "
                         f"got {len(clusters)}, {len(numerators)} and {len(denominators)}.")
    names, places = np.unique(np.asarray(clusters), return_inverse=True)
    top, bottom = np.zeros(len(names)), np.zeros(len(names))
    np.add.at(top, places, np.asarray(numerators, dtype=float))
    np.add.at(bottom, places, np.asarray(denominators, dtype=float))
    return Grouped(top, bottom)


def wilson(successes: int, n: int, alpha: float = 0.05) -> Interval:
    """Score interval of a share. Source: Wilson 1927, JASA 22, 209-212."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"successes is {successes} of {n}; it must be between 0 and n, and n at least 1.")
    z = float(stats.norm.ppf(1 - alpha / 2))
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(0.0 if successes == 0 else middle - half, 1.0 if successes == n else middle + half)


def resampled_ratios(groups: Sequence[Grouped], *, resamples: int, seed: int) -> Floats:
    """The ratio of each of `groups` in each resample of documents, shape (len(groups), resamples).

    All groups see the same resamples, so that differences of their ratios are paired.
    Source: Efron and Tibshirani 1993, chapter 8, with documents as the units.
    """
    documents = len(groups[0].numerators)
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // documents)
    pieces = []
    for begin in range(0, resamples, chunk):
        draws = rng.multinomial(documents, np.full(documents, 1 / documents), size=min(chunk, resamples - begin))
        pieces.append(np.stack([(draws @ one.numerators) / (draws @ one.denominators) for one in groups]))
    return np.concatenate(pieces, axis=1)


def resampled_scores(groups: Sequence[Floats], score: Callable[[Floats], float], *, resamples: int, seed: int) -> Floats:
    """As `resampled_ratios` for any function of sums: each of `groups` has shape (documents, counts), `score` takes (counts,)."""
    documents = len(groups[0])
    draws = np.random.default_rng(seed).multinomial(documents, np.full(documents, 1 / documents), size=resamples)
    return np.array([[score(total) for total in draws @ one] for one in groups])


def swap_p_value(first: Floats, second: Floats, score: Callable[[Floats], float], *, resamples: int, seed: int) -> float:
    """Two-sided p that two models differ on a function of sums, each of shape (documents, counts), by approximate randomisation.

    Under no difference the two models' documents may be swapped at random. Source: Noreen 1989; Riezler and Maxwell 2005.
    """
    observed = abs(score(first.sum(axis=0)) - score(second.sum(axis=0)))
    swapped = np.random.default_rng(seed).integers(0, 2, size=(resamples, len(first))).astype(float)
    ones = swapped @ second + (1 - swapped) @ first
    others = swapped @ first + (1 - swapped) @ second
    hits = sum(abs(score(one) - score(other)) >= observed - 1e-9 for one, other in zip(ones, others, strict=True))
    return (hits + 1) / (resamples + 1)


def percentile_interval(values: Floats, alpha: float = 0.05) -> Interval:
    """The middle 1 - alpha of resampled values."""
    low, high = np.quantile(values, [alpha / 2, 1 - alpha / 2])
    return Interval(float(low), float(high))


def flip_p_value(differences: Floats, *, resamples: int, seed: int) -> float:
    """Two-sided p that documents' differences are centred on 0: all sign flips up to 14 documents, else random ones.

    Swapping the two models' labels within a document flips the sign of its difference; under no difference every flip is as
    likely. Source: Noreen 1989; one is added above and below for random flips (Phipson and Smyth 2010).
    """
    observed = abs(differences.sum())
    slack = 1e-9 * max(1.0, float(np.abs(differences).sum()))
    documents = len(differences)
    if documents <= EXACT_FLIPS:
        signs = 1.0 - 2.0 * ((np.arange(2 ** documents)[:, None] >> np.arange(documents)) & 1)
        return float(np.mean(np.abs(signs @ differences) >= observed - slack))
    rng = np.random.default_rng(seed)
    hits, chunk = 0, max(1, CHUNK_CELLS // documents)
    for begin in range(0, resamples, chunk):
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(min(chunk, resamples - begin), documents))
        hits += int(np.sum(np.abs(signs @ differences) >= observed - slack))
    return (hits + 1) / (resamples + 1)


def documents_to_decide(alpha: float = 0.05) -> int:
    """How many documents the flip test needs at least: k documents of one sign give p = 2 / 2^k."""
    return 1 + math.ceil(math.log2(1 / alpha))


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test from the counts of rows that only one of two models got right.

    Source: McNemar 1947; the binomial form doubles the smaller tail.
    """
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return min(1.0, 2.0 * float(stats.binom.cdf(min(only_first, only_second), discordant, 0.5)))


def fisher_p_value(successes: int, n: int, other_successes: int, other_n: int) -> float:
    """One-sided exact p that the first share is greater than that of other rows. Source: Fisher 1935, The Design of Experiments."""
    if not n or not other_n:
        return 1.0
    return float(stats.hypergeom.sf(successes - 1, n + other_n, successes + other_successes, n))


def paired_share_interval(both: int, only_first: int, only_second: int, neither: int, alpha: float = 0.05) -> Interval:
    """Interval of share(first) - share(second) over the same rows, never of zero width.

    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10 (square and add, with continuity-corrected phi).
    """
    n = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    one, two = wilson(first, n, alpha), wilson(second, n, alpha)
    spread = math.sqrt(float(first) * (n - first) * second * (n - second))
    product = float(both * neither - only_first * only_second)
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / spread if spread else 0.0
    p1, p2 = first / n, second / n
    down1, up1, down2, up2 = p1 - one.low, one.high - p1, p2 - two.low, two.high - p2
    difference = p1 - p2
    low = difference - math.sqrt(max(0.0, down1 ** 2 - 2 * phi * down1 * up2 + up2 ** 2))
    high = difference + math.sqrt(max(0.0, up1 ** 2 - 2 * phi * up1 * down2 + down2 ** 2))
    return Interval(low, high)


def mcnemar_power(only_first: float, only_second: float, n: int, alpha: float = 0.05) -> float:
    """Chance that exact McNemar on n rows shows a difference whose true shares of discordant rows are these two.

    Sums over the number of discordant rows what the binomial test would say of each split.
    """
    discordant = only_first + only_second
    if discordant <= 0:
        return 0.0
    total = 0.0
    counts = np.arange(n + 1)
    for found, chance in zip(counts, stats.binom.pmf(counts, n, discordant), strict=True):
        if chance > 1e-9:
            splits = np.arange(found + 1)
            rejected = np.minimum(1.0, 2.0 * stats.binom.cdf(np.minimum(splits, found - splits), found, 0.5)) <= alpha
            total += chance * float(stats.binom.pmf(splits, found, only_first / discordant)[rejected].sum())
    return total


def holm(p_values: Mapping[str, float], alpha: float = 0.05) -> dict[str, bool]:
    """Which of several tests hold together: the chance of even one false alarm among them stays at alpha. For gates.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    ordered = sorted(p_values, key=lambda name: (p_values[name], name))
    held: dict[str, bool] = {}
    for place, name in enumerate(ordered):
        held[name] = all(held.values()) and p_values[name] <= alpha / (len(ordered) - place)
    return held


def benjamini_hochberg(p_values: Mapping[str, float], alpha: float = 0.05) -> dict[str, bool]:
    """Which of many tests hold if at most a share alpha of those named may be false alarms. For slices.

    Source: Benjamini and Hochberg 1995, JRSS B 57, 289-300.
    """
    ordered = sorted(p_values, key=lambda name: (p_values[name], name))
    last = max((place for place, name in enumerate(ordered, 1) if p_values[name] <= alpha * place / len(ordered)), default=0)
    return {name: place <= last for place, name in enumerate(ordered, 1)}


def highest_unseen_share(n: int, alpha: float = 0.05) -> float:
    """How frequent something may still be that never happened in n tries: 1 - alpha^(1/n), about 3 / n at 0.05 (rule of three).

    Source: Hanley and Lippman-Hand 1983, JAMA 249, 1743-1745.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it must be at least 1.")
    return float(1 - alpha ** (1 / n))


def verdict(interval: Interval, p_value: float, *, lower_is_better: bool, alpha: float = 0.05) -> Verdict:
    """Better or worse only if the interval of the difference leaves out 0 and the paired test agrees (p <= alpha)."""
    if 0.0 in interval or p_value > alpha:
        return "not enough evidence"
    return "better" if (interval.high < 0) == lower_is_better else "worse"


def non_inferiority(interval: Interval, margin: float) -> Literal["holds", "fails", "not enough evidence"]:
    """Whether a loss (first minus second, lower is better) stays below `margin`, which must be fixed before the run.

    Source: ICH E9, section 3.3.2: the whole two-sided interval must lie below the margin.
    """
    if interval.high < margin:
        return "holds"
    return "fails" if interval.low >= margin else "not enough evidence"


def rows_to_decide(difference: float, standard_error: float, n: int, *, alpha: float = 0.05, power: float = POWER) -> int | None:
    """How many rows in all would show `difference` with this power, if it stays as it is; None for no difference.

    The standard error shrinks with the square root of the rows: n * ((z_alpha + z_power) * se / difference)^2.
    """
    if difference == 0 or not math.isfinite(standard_error):
        return None
    factor = _z_sum(alpha, power) * standard_error / abs(difference)
    return math.ceil(n * factor * factor)


def smallest_visible(standard_error: float, *, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference that this set shows with this power."""
    return _z_sum(alpha, power) * standard_error


def _z_sum(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
