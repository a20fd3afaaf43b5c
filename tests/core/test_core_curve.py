"""Curves as drawings: round marks, every point at its place, and nothing that cannot be drawn."""

import re

import pytest

from tutelage.core.curve import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, Point, axis, draw, thinned


@pytest.mark.parametrize(("low", "high", "labels"), [
    (1.03, 2.9, ["1.0", "1.5", "2.0", "2.5", "3.0"]), (0, 0.002, ["0.0000", "0.0005", "0.0010", "0.0015", "0.0020"]),
    (0, 1850, ["0", "500", "1,000", "1,500", "2,000"]),
    (0, 3e-5, ["0", "1e-05", "2e-05", "3e-05"]), (-1, 1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]), (5, 5, ["4", "6"]), (0, 0, ["0", "1"])])
def test_marks_are_round_and_enclose_the_values(low, high, labels):
    marks = axis(low, high)
    assert marks.marks[0] <= low + 1e-12
    assert marks.marks[-1] >= high - 1e-12
    assert [marks.label(mark) for mark in marks.marks] == labels


def test_lines_span_the_drawing():
    drawing = draw([Line([Point(0, 3.0), Point(50, 2.0), Point(100, 1.0)]), Line([Point(50, 2.0), Point(100, 1.5)], "second")],
                   name="c", told="Loss <fell>", step="step")
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    middle = TOP + (bottom - TOP) / 2
    assert f'<polyline class="first" points="{LEFT}.0,{TOP}.0 {(LEFT + right) / 2},{middle} {right}.0,{bottom}.0"/>' in drawing
    # 1.5 lies a quarter above 1.0 on an axis from 1 to 3.
    assert f'<circle class="second" cx="{right}.0" cy="{round(TOP + (bottom - TOP) * 0.75, 1)}" r="3.5"/>' in drawing
    assert '<title id="c">Loss &lt;fell&gt;</title>' in drawing
    assert drawing.count("<circle") == 2


def test_one_point_is_no_line_and_what_is_not_finite_is_left_out():
    assert draw([Line([Point(1, 2.0)])], name="c", told="", step="") == ""
    assert draw([Line([]), Line([Point(1, float("nan")), Point(2, 1.0)])], name="c", told="", step="") == ""
    drawing = draw([Line([Point(1, 2.0), Point(2, float("inf")), Point(3, 1.0)])], name="c", told="", step="")
    assert len(re.search(r'points="([^"]*)"', drawing).group(1).split()) == 2


def test_a_long_curve_is_thinned_and_keeps_its_last_point():
    points = [Point(step, 1.0) for step in range(5000)]
    kept = thinned(points, 400)
    assert len(kept) <= 401
    assert kept[-1] == points[-1]
    assert kept[0] == points[0]
    assert thinned([], 400) == []


def test_the_axis_begins_at_nought_where_it_should():
    points = [Point(1, 1800.0), Point(2, 1850.0)]
    assert ">500</text>" in draw([Line(points)], name="c", told="", step="", from_zero=True)
    low = draw([Line(points)], name="c", told="", step="")
    assert ">1,800</text>" in low
    assert ">500</text>" not in low
