"""Figures over the steps of a training as a small drawing (SVG): the live page and the reports draw the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 38
MOST_POINTS = 400
INTERVALS = 4  # between marks of an axis, at most


@dataclass(frozen=True)
class Point:
    """A figure at a step."""

    step: float
    value: float


@dataclass(frozen=True)
class Line:
    """Points in the order of their steps. `kind` is the class that colours it: "first", or "second" with a dot at each point."""

    points: Sequence[Point]
    kind: str = "first"


@dataclass(frozen=True)
class Axis:
    """The marks of an axis, evenly apart, with the outermost at its ends."""

    marks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the first mark and 1 at the last."""
        return (value - self.marks[0]) / (self.marks[-1] - self.marks[0])

    def label(self, mark: float) -> str:
        """A mark with as many decimals as its neighbours need."""
        apart = self.marks[1] - self.marks[0]
        return f"{mark:.2g}" if 0 < apart < 1e-4 else f"{mark:,.{max(0, -math.floor(math.log10(apart) + 1e-9))}f}"


def round_up(width: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, ... (and their tenths)."""
    unit = 10.0 ** math.floor(math.log10(width))
    return next((times * unit for times in (1, 2, 5) if times * unit >= width), 10 * unit)


def axis(low: float, high: float) -> Axis:
    """Round marks that enclose the values from `low` to `high`."""
    apart = round_up((high - low) / INTERVALS or abs(high) / INTERVALS or 1.0)
    first, last = math.floor(low / apart + 1e-9), math.ceil(high / apart - 1e-9)
    return Axis(tuple(step * apart for step in range(first, max(last, first + 1) + 1)))


def draw(lines: Sequence[Line], *, name: str, told: str, step: str, from_zero: bool = False, width: int = WIDTH,
         height: int = HEIGHT) -> str:
    """The lines as an SVG element, or "" while none has two points. Points that are not finite are left out.

    `name` is an id that no other drawing of the page has, `told` what a person who does not see it is told, `step` what the lower axis
    is called. With `from_zero` the values' axis begins at 0.
    """
    shown = [Line([point for point in line.points if math.isfinite(point.value)], line.kind) for line in lines]
    every = [point for line in shown for point in line.points]
    if all(len(line.points) < 2 for line in shown):
        return ""
    least = min(point.value for point in every)
    values = axis(min(0.0, least) if from_zero else least, max(point.value for point in every))
    last = max(point.step for point in every) or 1.0

    def across(at: float) -> float:
        return round(LEFT + (width - LEFT - RIGHT) * at / last, 1)

    def down(value: float) -> float:
        return round(TOP + (height - TOP - BOTTOM) * (1 - values.share(value)), 1)

    parts = [f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{down(mark)}" y2="{down(mark)}"/>'
             f'<text x="{LEFT - 8}" y="{down(mark) + 4}" text-anchor="end">{values.label(mark)}</text>' for mark in values.marks]
    steps = axis(0, last)
    parts += [f'<text x="{across(mark)}" y="{height - 22}" text-anchor="middle">{steps.label(mark)}</text>'
              for mark in steps.marks if mark <= last]
    parts.append(f'<text x="{width - RIGHT}" y="{height - 3}" text-anchor="end">{escape(step)}</text>')
    for line in shown:
        places = [(across(point.step), down(point.value)) for point in thinned(line.points, MOST_POINTS)]
        points = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline class="{line.kind}" points="{points}"/>' if len(places) > 1 else "")
        parts += [f'<circle class="{line.kind}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in places] if line.kind == "second" else []
    return (f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}">'
            f'<title id="{name}">{escape(told)}</title>{"".join(parts)}</svg>')


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` of the points and the last one, evenly chosen."""
    if not points:
        return []
    stride = -(-len(points) // most)
    return [*points[:-1][::stride], points[-1]]
