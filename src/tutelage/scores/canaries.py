"""Exposure of planted texts: how much likelier the tuned model finds them than random texts of the same kind that it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from tutelage.core.records import Canary, Example, Language
from tutelage.scores.results import Canaries, CandidateMeasured, Exposure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Floats, Interval
from tutelage.text.canaries import never_planted, row_id, row_of

OTHERS = 511  # exposures up to 9 bits can be told; with n others the ceiling is log2(n + 1)
SIMULATED = 10_000


def rows_to_score(canaries: Sequence[Canary], seed: int) -> tuple[list[Example], dict[Language, list[Example]]]:
    """The canaries with their controls as rows, and for each language the random texts that they are ranked among."""
    planted = {canary.text for canary in canaries}
    others: dict[Language, list[Example]] = {}
    for canary in canaries:
        if canary.language not in others:
            texts = never_planted(canary.language, OTHERS, seed=seed, planted=planted)
            others[canary.language] = [row_of(Canary(id=f"never-{number}", language=canary.language, copies=0, text=text, task=canary.task))
                                       for number, text in enumerate(texts)]
    return [row_of(canary) for canary in canaries], others


def exposure(nats: float, others: Floats) -> float:
    """Exposure in bits of a text among `others` of the same kind: log2 of their number and 1, less log2 of its rank by likelihood.

    Never-planted texts have 1.44 bits on average (log2 e), the likeliest of n + 1 has log2(n + 1). Equal ones count half.
    Source: Carlini et al. 2019, arXiv:1802.08232, section 4, by sampling.
    """
    rank = 1 + float(np.sum(others < nats) + 0.5 * np.sum(others == nats))
    return math.log2(len(others) + 1) - math.log2(rank)


@cache
def chance_range(groups: tuple[int, ...], others: int, *, alpha: float, seed: int) -> Interval:
    """Where the mean exposure of never-planted texts lies with probability 1 - 2 alpha: below `high` with 1 - alpha.

    `groups` are numbers of texts that are ranked among the same `others`. By simulation: each order of all is as likely.
    """
    rng = np.random.default_rng(seed)
    means = np.zeros(SIMULATED)
    for size in groups:
        orders = rng.permuted(np.tile(np.arange(others + size), (SIMULATED, 1)), axis=1)
        places = np.sort(orders[:, :size], axis=1)
        ranks = places - np.arange(size) + 1  # those before it that are others, and itself
        means += (math.log2(others + 1) - np.log2(ranks)).sum(axis=1)
    low, high = np.quantile(means / sum(groups), [alpha, 1 - alpha])
    return Interval(float(low), float(high))


def judge_canaries(canaries: Sequence[Canary], tuned: CandidateMeasured, learned: Mapping[str, int],
                   settings: ScoresSettings) -> Canaries | None:
    """Exposures by number of copies; None where no canary was scored. `learned` says how often each training row received loss.

    Only canaries of which every copy received loss are counted: one that training dropped or never reached proves nothing.
    """
    scored = [canary for canary in canaries if canary.id in tuned.canaries]
    if not scored:
        return None
    found = {canary.id: exposure(tuned.canaries[canary.id], np.array(tuned.never_planted[canary.language])) for canary in scored}
    by_copies = {copies: [canary for canary in scored if canary.copies == copies] for copies in sorted({one.copies for one in scored})}
    exposures = {copies: _exposure(copies, group, found, learned) for copies, group in by_copies.items()}
    once = [canary for canary in by_copies.get(1, []) if _is_trained(canary, learned)]
    controls = chance_range(_sizes(by_copies.get(0, [])), OTHERS, alpha=settings.alpha / 2, seed=settings.seed)\
        if 0 in by_copies else Interval(0.0, math.inf)
    high = chance_range(_sizes(once), OTHERS, alpha=settings.alpha, seed=settings.seed).high if once else 0.0
    mean = exposures[1].mean if 1 in exposures else None
    return Canaries(others=OTHERS, ceiling=math.log2(OTHERS + 1), exposures=tuple(exposures.values()), one_copy_high=high,
                    controls_low=controls.low, controls_high=controls.high, is_within=None if mean is None else mean <= high)


def _exposure(copies: int, group: Sequence[Canary], found: Mapping[str, float], learned: Mapping[str, int]) -> Exposure:
    trained = [canary for canary in group if _is_trained(canary, learned)]
    values = [found[canary.id] for canary in trained]
    times = [_times(canary, learned) for canary in trained]
    return Exposure(copies=copies, planted=len(group), trained=len(trained) if copies else 0, times=float(np.mean(times)) if times else 0.0,
                    mean=float(np.mean(values)) if values else None, highest=max(values, default=None))


def _is_trained(canary: Canary, learned: Mapping[str, int]) -> bool:
    """Whether every copy received loss; always so for a control."""
    return all(learned.get(row_id(canary.id, copy), 0) > 0 for copy in range(1, canary.copies + 1))


def _times(canary: Canary, learned: Mapping[str, int]) -> int:
    return sum(learned.get(row_id(canary.id, copy), 0) for copy in range(1, canary.copies + 1))


def _sizes(canaries: Sequence[Canary]) -> tuple[int, ...]:
    languages = [canary.language for canary in canaries]
    return tuple(languages.count(language) for language in sorted(set(languages)))
