"""Memory: whether the tuned model can be told to have seen a row, goes on with it word for word, or copies it in ordinary drafts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tutelage.core.records import Example
from tutelage.scores import statistics
from tutelage.scores.results import CandidateMeasured, Continuations, Copied, Memory, Probe, ProbePart, RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Floats

COPIED_CHARACTERS = 40
SIMILAR = 0.8
PARTS: tuple[ProbePart, ...] = ("train", "held_out")


def judge_memory(base: CandidateMeasured, tuned: CandidateMeasured, train: Sequence[Example],
                 rows: Mapping[str, Sequence[RowMeasure]], settings: ScoresSettings) -> Memory | None:
    """The figures over the rows that both candidates were probed with; None where nothing was probed."""
    before, after = ({(probe.part, probe.row): probe for probe in one.probes} for one in (base, tuned))
    both = [key for key in before if key in after]
    gains = {part: np.array([_bits(before[key]) - _bits(after[key]) for key in both if key[0] == part]) for part in PARTS}
    if not len(gains["train"]) or not len(gains["held_out"]):
        return None
    low, high = _auc_interval(gains["train"], gains["held_out"], settings)
    continuations = [_continuations(one, part, settings) for one in (base, tuned) for part in PARTS]
    seen = copied_runs(row.text for row in train)
    return Memory(
        train_rows=len(gains["train"]), held_out_rows=len(gains["held_out"]), auc=auc(gains["train"], gains["held_out"]), auc_low=low,
        auc_high=high, found_at_1_percent=float(np.mean(gains["train"] > np.quantile(gains["held_out"], 0.99))),
        continuations=tuple(continuations), p_value=_more_verbatim(before, after),
        copied=tuple(_copied(name, measures, seen, settings) for name, measures in rows.items()))


def auc(train: Floats, held_out: Floats) -> float:
    """Chance that a value of the first is above one of the second, ties counted half. Source: Mann and Whitney 1947."""
    return float(np.mean((train[:, None] > held_out[None, :]) + 0.5 * (train[:, None] == held_out[None, :])))


def copied_runs(texts: Iterable[str]) -> frozenset[int]:
    """All runs of 40 characters, white space removed, of these texts, as hashes."""
    return frozenset(run for text in texts for run in _runs(text))


def is_copied(draft: str, seen: frozenset[int]) -> bool:
    """Whether 40 characters in a row of the draft stand in one of the texts."""
    return any(run in seen for run in _runs(draft))


def _runs(text: str) -> Iterator[int]:
    plain = "".join(text.split())
    return (hash(plain[at:at + COPIED_CHARACTERS]) for at in range(len(plain) - COPIED_CHARACTERS + 1))


def _bits(probe: Probe) -> float:
    return probe.nats / math.log(2) / probe.size_bytes


def _auc_interval(train: Floats, held_out: Floats, settings: ScoresSettings) -> tuple[float, float]:
    rng = np.random.default_rng(settings.seed)
    values = np.array([auc(rng.choice(train, len(train)), rng.choice(held_out, len(held_out)))
                       for _ in range(min(settings.bootstrap, 2_000))])
    interval = statistics.percentile_interval(values, settings.alpha)
    return interval.low, interval.high


def _continuations(measured: CandidateMeasured, part: ProbePart, settings: ScoresSettings) -> Continuations:
    found = [probe.similarity for probe in measured.probes if probe.part == part and probe.similarity is not None]
    verbatim, similar, n = sum(one == 1 for one in found), sum(one >= SIMILAR for one in found), len(found)
    exact = statistics.wilson(verbatim, n, settings.alpha) if n else None
    near = statistics.wilson(similar, n, settings.alpha) if n else None
    return Continuations(candidate=measured.candidate, part=part, n=n, verbatim=verbatim, verbatim_high=exact.high if exact else 1.0,
                         similar=similar, similar_low=near.low if near else 0.0, similar_high=near.high if near else 1.0)


def _more_verbatim(before: Mapping[tuple[ProbePart, str], Probe], after: Mapping[tuple[ProbePart, str], Probe]) -> float:
    """Exact McNemar: does tuning make more training rows come out at least four fifths alike?"""
    pairs = [(before[key].similarity, after[key].similarity) for key in before if key[0] == "train" and key in after]
    likes = [(one >= SIMILAR, other >= SIMILAR) for one, other in pairs if one is not None and other is not None]
    return statistics.mcnemar_p_value(likes.count((True, False)), likes.count((False, True)))


def _copied(candidate: str, measures: Sequence[RowMeasure], seen: frozenset[int], settings: ScoresSettings) -> Copied:
    drafts = [row.draft for row in measures if row.draft is not None]
    found = sum(is_copied(draft, seen) for draft in drafts)
    between = statistics.wilson(found, len(drafts), settings.alpha) if drafts else statistics.Interval(0.0, 1.0)
    return Copied(candidate=candidate, n=len(drafts), drafts=found, low=between.low, high=between.high)
