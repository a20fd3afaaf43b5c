"""What the training page shows of the figures of a training: the newest of each, and each as a drawing over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tutelage.core.curve import Line, Point, draw
from tutelage.core.language import text
from tutelage.core.page import figure
from tutelage.core.records import Language
from tutelage.web.progress import Progress

NOW = ("loss", "validation_loss", "bits_per_byte", "score")
SMALL = ("learning_rate", "gradient_norm", "tokens_per_second", "memory_mb", "gpu_memory_mb")
SMALL_WIDTH, SMALL_HEIGHT = 340, 170


@dataclass(frozen=True)
class Curve:
    """One figure: its name, its newest value, and its drawing."""

    name: str
    newest: str
    drawing: Markup


@dataclass(frozen=True)
class Curves:
    """`now` are names with their newest values; `loss` draws training and validation loss, "" while there is too little of both."""

    step: str
    now: list[tuple[str, str]]
    loss: Markup
    small: list[Curve]


def curves(progress: Progress, language: Language) -> Curves | None:
    """The figures so far, or None before the first step."""
    figures = progress.figures
    if not figures:
        return None
    loss, validation = figures.get("loss", []), figures.get("validation_loss", [])
    told = text("web.training.curve_described", language, first=figure(loss[0].value), last=figure(loss[-1].value),
                steps=f"{loss[-1].step:.0f}") if loss else ""
    step = text("web.training.step", language)
    return Curves(
        step=f"{progress.step:,.0f} / {progress.steps:,.0f}",
        now=[(text(f"web.training.{name}", language), figure(figures[name][-1].value)) for name in NOW if name in figures],
        loss=Markup(draw([Line(loss), Line(validation, "second")], name="curve-loss", told=told, step=step)),
        small=[_small(name, figures[name], language, step) for name in SMALL if name in figures])


def _small(name: str, points: Sequence[Point], language: Language, step: str) -> Curve:
    title, newest = text(f"web.training.{name}", language), figure(points[-1].value)
    drawing = draw([Line(points)], name=f"curve-{name}", told=f"{title}: {newest}", step=step, from_zero=True, width=SMALL_WIDTH,
                   height=SMALL_HEIGHT)
    return Curve(title, newest, Markup(drawing))
