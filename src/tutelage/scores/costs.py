"""What each candidate takes, and which of them nobody beats in quality and cost at once."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.copies import Copies
from tutelage.core.language import text
from tutelage.core.records import Score
from tutelage.scores.plot_results import Cost, CostKind
from tutelage.scores.results import CandidateMeasured

COSTS = "costs.jsonl"  # apart from report.json, which another run of the same recipe gives again to the byte
KINDS: tuple[CostKind, ...] = ("size", "speed", "memory")


def costs_of(measured: Sequence[CandidateMeasured], scores: Sequence[Score]) -> list[Cost]:
    """The costs of every candidate, with those for which nobody beats it by bits per byte."""
    return _with_best([_cost(one) for one in measured], scores)


def costs_of_copies(copies: Copies) -> tuple[list[Cost], list[Score]]:
    """The same of the copies that were measured, with their bits per byte. Speed is that of one answer alone."""
    weighed = [(one, one.loss) for one in copies.copies if one.loss]
    scores = [Score(candidate=one.name, metric="bits_per_byte", value=loss.value, low=loss.low, high=loss.high, n=copies.rows)
              for one, loss in weighed]
    found = [Cost(candidate=one.name, size_bytes=one.size_bytes, drafted_tokens=0,
                  tokens_per_second=one.speed.tokens_per_second if one.speed else None,
                  peak_memory_mb=one.speed.peak_rss_mb if one.speed else None) for one, _ in weighed]
    return _with_best(found, scores), scores


def _with_best(found: Sequence[Cost], scores: Sequence[Score]) -> list[Cost]:
    quality = {score.candidate: score.value for score in scores if score.metric == "bits_per_byte"}
    best = {kind: best_of({one.candidate: (quality[one.candidate], taken) for one in found
                           if one.candidate in quality and (taken := cost(one, kind)) is not None}, is_fast=kind == "speed")
            for kind in KINDS}
    return [one.model_copy(update={"best": tuple(kind for kind in KINDS if one.candidate in best[kind])}) for one in found]


def cost(one: Cost, kind: CostKind) -> float | None:
    """One of its costs: MB (10^6 bytes) of the file, tokens a second, or MB of memory."""
    if kind == "speed":
        return one.tokens_per_second
    return one.peak_memory_mb if kind == "memory" else None if one.size_bytes is None else one.size_bytes / 1e6


def cost_line(one: Cost, language: str) -> str:
    """What a candidate takes, for a terminal; "-" for what cannot be told."""
    size, speed, memory = ("-" if (taken := cost(one, kind)) is None else f"{taken:,.0f}" for kind in KINDS)
    return text("scores.cost.line", language, candidate=one.candidate, size=size, speed=speed, memory=memory)


def best_of(points: dict[str, tuple[float, float]], *, is_fast: bool) -> set[str]:
    """Names of those that no other beats: Pareto's front. Points are (loss, cost), both better when low; `is_fast`: a high cost is good."""
    sign = -1 if is_fast else 1
    ranked = {name: (loss, sign * taken) for name, (loss, taken) in points.items()}
    return {name for name, (loss, taken) in ranked.items()
            if not any(other[0] <= loss and other[1] <= taken and other != (loss, taken) for other in ranked.values())}


def _cost(one: CandidateMeasured) -> Cost:
    tokens = sum(len(row.answer.token_ids) for row in one.rows if row.answer is not None)
    return Cost(candidate=one.candidate, size_bytes=one.size_bytes, drafted_tokens=tokens, peak_memory_mb=one.peak_memory_mb,
                tokens_per_second=round(tokens / one.seconds_drafting, 1) if tokens and one.seconds_drafting > 0 else None)
