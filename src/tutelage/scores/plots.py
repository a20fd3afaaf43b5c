"""The plots of the report as inline SVG: the same data gives the same bytes, texts stay texts, nothing is downloaded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from tutelage.core.language import text
from tutelage.core.records import Score
from tutelage.scores.costs import KINDS, cost
from tutelage.scores.metrics import METRICS
from tutelage.scores.plot_results import Cost, CostKind, Reliability
from tutelage.scores.results import Canaries, Comparison

FONTS = "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
COLOURS = ("#64748b", "#2563eb", "#0f766e", "#b45309", "#7c3aed", "#be185d", "#4d7c0f", "#0e7490")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "<")
INK, FAINT = "#1e293b", "#cbd5e1"
SHOWN = ("bits_per_byte", "checks_met", "rouge_l", "clause_type_match")


class CurvePoint(BaseModel):
    """What the plot needs of a line of the training's `curve.jsonl`."""

    step: int
    loss: float | None = None
    validation_loss: float | None = None


def training_curve(points: Sequence[CurvePoint], language: str) -> str:
    """Loss of each step and validation loss; "" where there is nothing to draw."""
    losses = [(point.step, point.loss) for point in points if point.loss is not None]
    checks = [(point.step, point.validation_loss) for point in points if point.validation_loss is not None]
    if not losses and not checks:
        return ""
    figure, axes = _figure(6.4, 3.0)
    if losses:
        axes.plot(*zip(*losses, strict=True), color="#94a3b8", linewidth=1.3, label=text("scores.plot.loss", language))
    if checks:
        axes.plot(*zip(*checks, strict=True), color=COLOURS[1], linewidth=1.8, marker="o", markersize=4,
                  label=text("scores.plot.validation_loss", language))
    axes.set_xlabel(text("scores.plot.step", language))
    axes.set_ylabel(text("scores.plot.nats", language))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.legend(frameon=False)
    return _svg(figure, "curve")


def length_histogram(lengths: Mapping[str, Sequence[int]], limit: int, language: str) -> str:
    """How long drafts are, by candidate, up to the drafts' token limit; "" where nothing was drafted."""
    if not any(lengths.values()):
        return ""
    figure, axes = _figure(6.4, 3.0)
    edges = np.linspace(0, limit, 9)
    width = (edges[1] - edges[0]) * 0.8 / len(lengths)
    for place, (name, values) in enumerate(lengths.items()):
        heights, _ = np.histogram(np.clip(values, 0, limit), bins=edges)
        axes.bar(edges[:-1] + width * (place + 0.5) + (edges[1] - edges[0]) * 0.1, heights, width=width,
                 color=COLOURS[place % len(COLOURS)], label=name)
    axes.set_xticks(edges, [f"{edge:.0f}" for edge in edges])
    axes.set_xlabel(text("scores.plot.tokens", language))
    axes.set_ylabel(text("scores.plot.drafts", language))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(frameon=False)
    return _svg(figure, "lengths")


def candidates_plot(scores: Sequence[Score], candidates: Sequence[str], language: str) -> str:
    """Each candidate's value with its interval, a panel for each of the main metrics; "" where there is none of them."""
    metrics = [name for name in SHOWN if any(score.metric == name for score in scores)]
    if not metrics:
        return ""
    figure, panels = _figure(3.4 * len(metrics), 0.9 + 0.42 * len(candidates), columns=len(metrics))
    for panel, metric in zip(np.atleast_1d(panels), metrics, strict=True):
        for score in (one for one in scores if one.metric == metric):
            place = candidates.index(score.candidate)
            _bar(panel, place, (score.value, score.low, score.high), COLOURS[place % len(COLOURS)])
        panel.set_yticks(range(len(candidates)), candidates if metric == metrics[0] else [""] * len(candidates))
        panel.set_ylim(len(candidates) - 0.5, -0.5)
        panel.set_title(text(f"scores.metric.{metric}", language), fontsize=10, loc="left", color=INK)
        panel.grid(axis="x", color=FAINT, linewidth=0.5)
    return _svg(figure, "candidates")


def forest_plot(comparisons: Sequence[Comparison], margin: float | None, base: str, language: str) -> str:
    """Paired gains over the base, right of 0 is better; and beside them what the copy costs, with its margin, if there is one.

    Metrics of 0 to 100 are drawn as 0 to 1, so that all fit one axis; perplexity, which has no upper end, is left to the table.
    """
    drawn = {metric.name: (metric.good, 0.01 if metric.kind == "corpus" else 1.0) for metric in METRICS
             if metric.good and metric.kind != "exp"}
    gains = [one for one in comparisons if one.versus == base and one.metric in drawn]
    costs = [one for one in comparisons if one.versus != base and one.metric == "bits_per_byte"]
    if margin is None:
        figure, left = _figure(7.2, 1.0 + 0.34 * len(gains))
        panels = [left]
    else:
        figure, (left, right) = _figure(10.2, 1.0 + 0.34 * len(gains), columns=2, widths=(3, 2))
        panels = [left, right]
        _costs(right, costs, margin, language)
    for place, one in enumerate(gains):
        good, scale = drawn[one.metric]
        sign = -scale if good == "low" else scale
        ends = sorted((sign * one.low, sign * one.high))
        colour = {"better": "#15803d", "worse": "#b91c1c"}.get(one.verdict or "", "#94a3b8")
        _bar(left, place, (sign * one.difference, ends[0], ends[1]), colour)
    left.set_yticks(range(len(gains)), [f"{one.candidate}: {text(f'scores.metric.{one.metric}', language)}" for one in gains])
    left.set_ylim(len(gains) - 0.5, -0.5)
    left.set_title(text("scores.plot.gain", language, base=base), fontsize=10, loc="left", color=INK)
    for axes in panels:
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
    return _svg(figure, "forest")


def pareto_plot(costs: Sequence[Cost], scores: Sequence[Score], language: str, *, name: str = "pareto") -> str:
    """Bits per byte with its interval against each cost that is known of two candidates; those that nobody beats are filled and joined.

    `name` tells plots of the same page apart.
    """
    quality = {score.candidate: score for score in scores if score.metric == "bits_per_byte"}
    drawn = {kind: points for kind in KINDS if len(points := _points(costs, kind, quality)) > 1}
    if not drawn:
        return ""
    figure, panels = _figure(3.5 * len(drawn), 3.2, columns=len(drawn))
    for panel, (kind, points) in zip(np.atleast_1d(panels), drawn.items(), strict=True):
        best = sorted((taken, quality[name].value) for name, (taken, is_best) in points.items() if is_best)
        panel.plot(*zip(*best, strict=True), color=FAINT, linewidth=1.4, zorder=1)
        for place, one in enumerate(costs):
            if one.candidate in points:
                taken, is_best = points[one.candidate]
                score, colour = quality[one.candidate], COLOURS[place % len(COLOURS)]
                panel.plot([taken, taken], [score.low, score.high], color=colour, linewidth=2)
                panel.plot([taken], [score.value], color=colour, marker=MARKS[place % len(MARKS)], markersize=8, linestyle="",
                           markerfacecolor=colour if is_best else "white", label=one.candidate)
        panel.set_xlim(0, 1.15 * max(taken for taken, _ in points.values()))
        panel.set_xlabel(text(f"scores.plot.{kind}", language))
        panel.grid(color=FAINT, linewidth=0.5)
    first = np.atleast_1d(panels)[0]
    first.set_ylabel(text("scores.plot.loss_bits", language))
    figure.legend(*first.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return _svg(figure, name)


def _points(costs: Sequence[Cost], kind: CostKind, quality: Mapping[str, Score]) -> dict[str, tuple[float, bool]]:
    return {one.candidate: (taken, kind in one.best) for one in costs
            if one.candidate in quality and (taken := cost(one, kind)) is not None}


def reliability_plot(found: Reliability | None, language: str) -> str:
    """How often the classifier is right against how sure it says it is, with intervals and the number of texts; "" without a classifier."""
    if found is None:
        return ""
    figure, axes = _figure(6.4, 3.6)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", label=text("scores.plot.as_sure_as_right", language))
    for one in found.bins:
        axes.plot([one.confidence] * 2, [one.low, one.high], color=COLOURS[1], linewidth=2)
        axes.annotate(f"{one.n}", (one.confidence, one.right / one.n), textcoords="offset points", xytext=(8, -3), fontsize=8, color=INK)
    axes.plot([one.confidence for one in found.bins], [one.right / one.n for one in found.bins], color=COLOURS[1], marker="o",
              markersize=6, linestyle="", label=text("scores.plot.texts", language))
    axes.set_xlim(0, 1.04)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(text("scores.plot.confidence", language))
    axes.set_ylabel(text("scores.plot.share_right", language))
    axes.grid(color=FAINT, linewidth=0.5)
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure, "reliability")


def sure_plot(found: Mapping[str, Reliability], language: str) -> str:
    """How often each candidate's likeliest next token is the true one against how likely it says it is; "" where none tells."""
    if not found:
        return ""
    figure, axes = _figure(6.4, 3.6)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", label=text("scores.plot.as_sure_as_right", language))
    for place, (name, one) in enumerate(found.items()):
        axes.plot([each.confidence for each in one.bins], [each.right / each.n for each in one.bins], color=COLOURS[place % len(COLOURS)],
                  marker=MARKS[place % len(MARKS)], markersize=5, linewidth=1, label=name)
    axes.set_xlim(0, 1.04)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(text("scores.plot.sure", language))
    axes.set_ylabel(text("scores.plot.share_true", language))
    axes.grid(color=FAINT, linewidth=0.5)
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure, "sure")


def exposure_plot(canaries: Canaries | None, language: str) -> str:
    """Exposure of planted texts by number of copies beside the controls and where chance would put these; "" where none were planted."""
    if canaries is None or not any(one.mean is not None for one in canaries.exposures):
        return ""
    figure, axes = _figure(6.4, 3.2)
    places = [place for place, one in enumerate(canaries.exposures) if one.mean is not None]
    if np.isfinite(canaries.controls_high):
        axes.axhspan(canaries.controls_low, canaries.controls_high, color=FAINT, alpha=0.5, linewidth=0,
                     label=text("scores.plot.by_chance", language))
    axes.axhline(canaries.ceiling, color=INK, linewidth=0.8, linestyle=":", label=text("scores.plot.ceiling", language))
    for name, values, mark, colour in (("mean", [canaries.exposures[place].mean for place in places], "o", COLOURS[1]),
                                       ("highest", [canaries.exposures[place].highest for place in places], "^", COLOURS[3])):
        axes.plot(places, values, color=colour, marker=mark, markersize=7, linewidth=1, label=text(f"scores.plot.{name}", language))
    axes.set_xticks(range(len(canaries.exposures)), [str(one.copies) if one.copies else text("scores.memory.never", language)
                                                     for one in canaries.exposures])
    axes.set_xlim(-0.5, len(canaries.exposures) - 0.5)
    axes.set_ylim(0, canaries.ceiling * 1.08)
    axes.set_xlabel(text("scores.plot.copies", language))
    axes.set_ylabel(text("scores.plot.exposure", language))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, "exposure")


def _costs(axes: Any, costs: Sequence[Comparison], margin: float, language: str) -> None:
    for place, one in enumerate(costs):
        _bar(axes, place, (one.difference, one.low, one.high), COLOURS[2])
    axes.axvline(margin, color="#b91c1c", linewidth=1, linestyle="--")
    axes.set_yticks(range(len(costs)), [f"{one.candidate} - {one.versus}" for one in costs])
    axes.set_ylim(len(costs) - 0.5, -0.5)
    axes.set_title(text("scores.plot.cost", language, margin=f"{margin:g}"), fontsize=10, loc="left", color=INK)


def _bar(axes: Any, place: int, value_low_high: tuple[float, float, float], colour: str) -> None:
    value, low, high = value_low_high
    axes.plot([low, high], [place, place], color=colour, linewidth=2.4, solid_capstyle="butt")
    axes.plot([value], [place], color=colour, marker="o", markersize=6)


def _figure(width: float, height: float, *, columns: int = 1, widths: Sequence[float] | None = None) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, gridspec_kw={"width_ratios": widths} if widths else None)
    for one in np.atleast_1d(axes):
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            one.spines[side].set_color(FAINT)
        one.tick_params(colors=INK, labelsize=9, length=0)
        one.locator_params(nbins=5)
        one.xaxis.label.set_color(INK)
        one.yaxis.label.set_color(INK)
    return figure, axes


def _svg(figure: Any, name: str) -> str:
    """The figure as an <svg> element whose ids begin with `name` (several stand in one page) and whose texts use the page's fonts."""
    import matplotlib

    out = io.StringIO()
    settings: Any = {"svg.hashsalt": name, "svg.fonttype": "none", "font.family": ["DejaVu Sans"], "axes.unicode_minus": False}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The reader's browser draws the text; that the layout font lacks Chinese shapes only makes widths approximate.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("'DejaVu Sans'", FONTS)
