"""Memory: what the tuned model gives away of its training rows, put together from all probes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.records import Example
from tutelage.scores import statistics
from tutelage.scores.membership import membership
from tutelage.scores.results import (
    Canaries,
    CandidateMeasured,
    Continuations,
    Copied,
    Emitted,
    Memory,
    Probe,
    ProbePart,
    RowMeasure,
)
from tutelage.scores.settings import ScoresSettings

COPIED_CHARACTERS = 40
SIMILAR = 0.8
PARTS: tuple[ProbePart, ...] = ("train", "held_out")


@dataclass(frozen=True)
class Probed:
    """The candidates that were probed."""

    base: CandidateMeasured
    tuned: CandidateMeasured
    copy: CandidateMeasured


def judge_memory(probed: Probed, train: Sequence[Example], rows: Mapping[str, Sequence[RowMeasure]], settings: ScoresSettings, *,
                 canaries: Canaries | None = None) -> Memory | None:
    """The figures over the rows that base and tuned model were probed with; None where nothing was probed."""
    if settings.memory == "off":
        return None
    before, after = ({(probe.part, probe.row): probe for probe in one.probes} for one in (probed.base, probed.tuned))
    both = [key for key in before if key in after]
    gains = {part: np.array([_bits(before[key]) - _bits(after[key]) for key in both if key[0] == part]) for part in PARTS}
    if not len(gains["train"]) or not len(gains["held_out"]):
        return None
    told = membership(gains["train"], gains["held_out"], settings)
    lengths = sorted({tokens for probe in before.values() for tokens in probe.similarity})
    continuations = [_continuations(one, part, tokens, settings) for tokens in lengths for one in (probed.base, probed.tuned)
                     for part in PARTS]
    seen = copied_runs(row.text for row in train)
    emitted = probed.copy.emitted
    return Memory(
        level=settings.memory, train_rows=len(gains["train"]), held_out_rows=len(gains["held_out"]), auc=told.auc,
        auc_low=told.auc_between.low, auc_high=told.auc_between.high, found_at_1_percent=told.found, found_low=told.found_between.low,
        found_high=told.found_between.high, continuations=tuple(continuations),
        p_values={tokens: _more_alike(before, after, tokens) for tokens in lengths},
        held_out_p_values={tokens: _more_than_held_out(continuations, probed.tuned.candidate, tokens) for tokens in lengths},
        copied=tuple(_copied(name, measures, seen, settings) for name, measures in rows.items()), canaries=canaries, personal=emitted,
        personal_high=_highest(emitted, settings))


def _highest(emitted: Emitted | None, settings: ScoresSettings) -> float | None:
    """How frequent answers with personal data may still be."""
    if emitted is None or not emitted.answers:
        return None
    if emitted.known:
        return statistics.wilson(emitted.known, emitted.answers, settings.alpha).high
    return statistics.highest_unseen_share(emitted.answers, settings.alpha)


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


def _continuations(measured: CandidateMeasured, part: ProbePart, tokens: int, settings: ScoresSettings) -> Continuations:
    found = [probe.similarity[tokens] for probe in measured.probes if probe.part == part and tokens in probe.similarity]
    verbatim, similar, n = sum(one == 1 for one in found), sum(one >= SIMILAR for one in found), len(found)
    exact = statistics.wilson(verbatim, n, settings.alpha) if n else None
    near = statistics.wilson(similar, n, settings.alpha) if n else None
    return Continuations(candidate=measured.candidate, part=part, tokens=tokens, n=n, verbatim=verbatim,
                         verbatim_high=exact.high if exact else 1.0, similar=similar, similar_low=near.low if near else 0.0,
                         similar_high=near.high if near else 1.0)


def _more_alike(before: Mapping[tuple[ProbePart, str], Probe], after: Mapping[tuple[ProbePart, str], Probe], tokens: int) -> float:
    """Exact McNemar: does tuning make more training rows come out at least four fifths alike?"""
    both = [(before[key].similarity, after[key].similarity) for key in before if key[0] == "train" and key in after]
    pairs = [(one.get(tokens), other.get(tokens)) for one, other in both]
    likes = [(one >= SIMILAR, other >= SIMILAR) for one, other in pairs if one is not None and other is not None]
    return statistics.mcnemar_p_value(likes.count((True, False)), likes.count((False, True)))


def _more_than_held_out(continuations: Sequence[Continuations], candidate: str, tokens: int) -> float:
    """Fisher's exact test: do more training rows than held-out rows come out at least four fifths alike?"""
    train, held_out = (next(one for one in continuations if (one.candidate, one.part, one.tokens) == (candidate, part, tokens))
                       for part in PARTS)
    return statistics.fisher_p_value(train.similar, train.n, held_out.similar, held_out.n)


def _copied(candidate: str, measures: Sequence[RowMeasure], seen: frozenset[int], settings: ScoresSettings) -> Copied:
    drafts = [row.draft for row in measures if row.draft is not None]
    found = sum(is_copied(draft, seen) for draft in drafts)
    between = statistics.wilson(found, len(drafts), settings.alpha) if drafts else statistics.Interval(0.0, 1.0)
    return Copied(candidate=candidate, n=len(drafts), drafts=found, low=between.low, high=between.high)
