"""The training curve as coordinates of a small drawing; the template draws them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.web.progress import Point

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 38
MOST_POINTS = 400
TICKS = 4


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    place: float
    label: str


@dataclass(frozen=True)
class Curve:
    """`loss` and `validation_loss` are the `points` of polylines, "" for none."""

    loss: str
    validation_loss: str
    validation_dots: list[tuple[float, float]]
    steps: list[Tick]
    values: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def draw_curve(loss: Sequence[Point], validation_loss: Sequence[Point]) -> Curve | None:
    """The curve in a drawing of WIDTH x HEIGHT, or None while there are fewer than two points of the loss."""
    if len(loss) < 2:
        return None
    every = [*loss, *validation_loss]
    last_step = max(point.step for point in every)
    low, high = min(point.value for point in every), max(point.value for point in every)
    span = (high - low) or 1.0

    def place(point: Point) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * point.step / (last_step or 1.0)
        down = TOP + (HEIGHT - TOP - BOTTOM) * (high - point.value) / span
        return round(across, 1), round(down, 1)

    dots = [place(point) for point in validation_loss]
    steps = [last_step * number / TICKS for number in range(TICKS + 1)]
    values = [low + span * number / TICKS for number in range(TICKS + 1)]
    return Curve(loss=_line([place(point) for point in _thinned(loss)]), validation_loss=_line(dots), validation_dots=dots,
                 steps=[Tick(place(Point(step, low))[0], f"{step:.0f}") for step in steps],
                 values=[Tick(place(Point(0, value))[1], f"{value:.2f}") for value in values])


def _line(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{across},{down}" for across, down in places) if len(places) > 1 else ""


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS of the points, evenly chosen, the last one among them."""
    stride = -(-len(points) // MOST_POINTS)
    return [*points[:-1][::stride], points[-1]]
