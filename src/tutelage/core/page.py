"""A report as one self-contained HTML page: no script, nothing fetched, every text escaped, each plot with its numbers as a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import median
from typing import Literal, NamedTuple

from tutelage.core.curve import Line, Point, draw, round_up, thinned
from tutelage.core.language import text

Cell = str | int | float
HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}
WIDTH, HEIGHT, FOOT, HEAD = 640, 200, 22, 18
MOST_TOLD = 60  # steps of a curve that its table tells

# Not allowed in HTML, or not in UTF-8.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TICKS = re.compile(r"`([^`]+)`")

STYLE = """
:root { color-scheme: light dark; --ink: #1e293b; --soft: #526077; --line: #d9e0ea; --paper: #ffffff; --wash: #f5f7fa; --bar: #2563eb;
  --second: #b3541e; --mark: #b91c1c; --good: #14532d; --good-ground: #e3f2e7; --bad: #8f1d1d; --bad-ground: #fbe9e7; --wait: #6b4a00;
  --wait-ground: #fbf1d9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --soft: #a7b4c8; --line: #334155; --paper: #172033; --wash: #0f172a;
  --bar: #60a5fa; --second: #fdba74; --mark: #fca5a5; --good: #bbf7d0; --good-ground: #14352a; --bad: #fecaca; --bad-ground: #45191c;
  --wait: #fde68a; --wait-ground: #40330d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 16px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px; margin: 0 0 18px; }
h2 { font-size: 1.15rem; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 18px 0 6px; }
p { margin: 0 0 12px; max-width: 54rem; }
.note { padding: 8px 12px; border-radius: 6px; background: var(--wait-ground); color: var(--wait); }
.note.good { background: var(--good-ground); color: var(--good); }
.note.bad { background: var(--bad-ground); color: var(--bad); }
dl { display: grid; grid-template-columns: minmax(10rem, max-content) minmax(0, 1fr); gap: 4px 20px; margin: 0 0 12px; }
dt, caption, small, figcaption, summary { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0 0 14px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption, figcaption { text-align: left; font-size: .88rem; padding: 0 0 6px; }
th, td { text-align: left; padding: 5px 14px 5px 0; vertical-align: top; font-weight: 400; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; width: 1%; }
.bars td.bar { width: 50%; }
.bars .bar span { display: block; height: .8em; margin-top: .35em; min-width: 1px; background: var(--bar); border-radius: 2px; }
figure { margin: 0 0 14px; }
figure svg { width: 100%; height: auto; display: block; max-width: 760px; }
svg.curve polyline { fill: none; stroke-width: 2; }
svg.curve .first { stroke: var(--bar); }
svg.curve .second { stroke: var(--second); }
svg.curve circle.second { fill: var(--second); }
svg .grid { stroke: var(--line); }
.key { display: inline-block; width: 1.4rem; height: .25rem; vertical-align: middle; margin: 0 .3rem 0 .9rem; }
.key.first { background: var(--bar); }
.key.second { background: var(--second); }
svg .column { fill: var(--bar); }
svg .axis { stroke: var(--soft); }
svg .mark { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 5 3; }
svg text { fill: var(--soft); font-size: 12px; }
svg text.mark-name { fill: var(--mark); stroke: none; }
.redline { margin: 0 0 12px; padding: 10px 12px; background: var(--wash); border-radius: 6px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
ins { color: var(--good); background: var(--good-ground); text-decoration: underline; }
del { color: var(--bad); background: var(--bad-ground); text-decoration: line-through; }
code { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: .92em; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 640px) { main { padding: 12px; } section { padding: 14px; } dl { grid-template-columns: minmax(0, 1fr); } }
@media print { body { background: none; } section { break-inside: avoid; } main { max-width: none; padding: 0; } }
"""


class Mark(NamedTuple):
    """A line across a histogram, such as the length at which rows would be cut."""

    name: str
    value: float


class Page:
    """Builds a page in one language ("en" or "zh"), section by section; texts come in that language and are escaped here.

    In sentences, `this` is set as code. Numbers are shown with thousands separators, shares with `percent`.
    """

    def __init__(self, title: str, language: str) -> None:
        self.language = language
        self._title = title
        self._sections: list[list[str]] = []
        self._curves = 0

    def section(self, title: str) -> None:
        """Begin a section; what is added from now on stands in it."""
        self._sections.append([f"<h2>{_safe(title)}</h2>"])

    def heading(self, title: str) -> None:
        """A heading inside a section."""
        self._add(f"<h3>{_safe(title)}</h3>")

    def paragraph(self, sentence: str) -> None:
        """A paragraph."""
        self._add(f"<p>{_code(sentence)}</p>")

    def note(self, sentence: str, kind: Literal["good", "bad", "wait"] = "wait") -> None:
        """A sentence that must be seen: good news, bad news, or something to look at."""
        self._add(f'<p class="note {kind}">{_code(sentence)}</p>')

    def facts(self, rows: Iterable[tuple[str, Cell]]) -> None:
        """Names with their values."""
        self._add(f"<dl>{''.join(f'<dt>{_safe(name)}</dt><dd>{_safe(shown(value))}</dd>' for name, value in rows)}</dl>")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[Cell]], *, caption: str = "") -> None:
        """A table; the first cell of a row names it, numbers stand right. Without rows it says that there is nothing."""
        self._add(self._table(head, list(rows), caption))

    def bars(self, head: tuple[str, str], rows: Iterable[tuple[str, float]], *, caption: str = "") -> None:
        """A horizontal bar chart that is a table: name, number, bar. `head` names the first two columns."""
        listed = list(rows)
        if not listed:
            self._add(self._table(head, [], caption))
            return
        most = max(max(value for _, value in listed), 1e-9)
        body = "".join(
            f'<tr><th scope="row">{_safe(name)}</th><td class="number">{_safe(shown(value))}</td>'
            f'<td class="bar" aria-hidden="true"><span style="width:{100 * max(value, 0) / most:.1f}%"></span></td></tr>'
            for name, value in listed)
        self._add(f'<div class="wide"><table class="bars">{_caption(caption)}<thead><tr><th scope="col">{_safe(head[0])}</th>'
                  f'<th scope="col" class="number">{_safe(head[1])}</th><td aria-hidden="true"></td></tr></thead>'
                  f"<tbody>{body}</tbody></table></div>")

    def histogram(self, title: str, values: Sequence[float], *, marks: Sequence[Mark] = (), bins: int = 30) -> None:
        """How often which size occurs, with a line at each mark; its numbers follow as a table that can be opened.

        Whole numbers get bins of whole numbers. A long tail of the largest hundredth is counted in the last column.
        """
        if not values:
            self._add(f"<p>{_safe(title)}: {_safe(self._say('nothing'))}</p>")
            return
        edges = _edges(values, bins)
        counts = _counted(values, edges)
        is_cut = max(values) >= edges[-1]
        told = [self._say("histogram", title=title, count=shown(len(values)), low=shown(min(values)), high=shown(max(values)),
                          median=shown(median(values)))]
        told += [self._say("last_column", value=shown(edges[-2]))] if is_cut else []
        told += [self._say("mark", name=mark.name, value=shown(mark.value),
                           share=percent(sum(value > mark.value for value in values) / len(values))) for mark in marks]
        said = _safe(" ".join(told))
        ends = [shown(edge) for edge in edges[1:-1]] + ["" if is_cut else shown(edges[-1])]
        rows = [(shown(edges[place]), ends[place], count) for place, count in enumerate(counts) if count]
        table = self._table([self._say("from"), self._say("to"), self._say("count")], rows, "")
        self._add(f'<figure><figcaption>{said}</figcaption>'
                  f'<svg viewBox="0 0 {WIDTH} {HEIGHT + FOOT + HEAD}" role="img" aria-label="{said}">'
                  f"{_columns(counts)}{_axis(edges, max(counts))}{''.join(_mark(mark, edges) for mark in marks)}</svg>"
                  f"<details><summary>{_safe(self._say('as_table'))}</summary>{table}</details></figure>")

    def curves(self, title: str, lines: Mapping[str, Sequence[Point]], *, from_zero: bool = False, height: int = 260) -> None:
        """One or two figures over the steps, named by the keys; their numbers follow as a table that can be opened.

        Where there are many steps, the table has an even choice of them.
        """
        kinds = ("first", "second")
        self._curves += 1
        shown_lines = [Line(points, kind) for points, kind in zip(lines.values(), kinds, strict=False)]
        told = " ".join(self._say("curve", name=name, first=figure(points[0].value), last=figure(points[-1].value),
                                  step=shown(points[-1].step)) for name, points in lines.items() if points)
        drawing = draw(shown_lines, name=f"curve-{self._curves}", told=f"{title}. {told}", step=self._say("step"), from_zero=from_zero,
                       height=height)
        if not drawing:
            self._add(f"<p>{_safe(title)}: {_safe(told or self._say('nothing'))}</p>")
            return
        legend = "".join(f'<span class="key {kind}"></span>{_safe(name)}' for name, kind in zip(lines, kinds, strict=False))
        by_step = [{point.step: point.value for point in points} for points in lines.values()]
        steps = sorted({point.step for points in lines.values() for point in thinned(points, MOST_TOLD)})
        rows: list[tuple[Cell, ...]] = [(int(step), *(figure(values[step]) if step in values else "" for values in by_step))
                                        for step in steps]
        table = self._table([self._say("step"), *lines], rows, "")
        self._add(f'<figure><figcaption>{_safe(title)}{legend if len(lines) > 1 else ""}</figcaption>{drawing}'
                  f"<details><summary>{_safe(self._say('as_table'))}</summary>{table}</details></figure>")

    def redline(self, pieces: Iterable[tuple[Literal["same", "insert", "delete"], str]]) -> None:
        """Two wordings as one: what is kept, inserted and deleted."""
        words = {"insert": ("ins", self._say("inserted")), "delete": ("del", self._say("deleted"))}
        html = []
        for op, piece in pieces:
            if op == "same":
                html.append(_safe(piece))
            else:
                tag, word = words[op]
                html.append(f'<{tag}><span class="unseen">[{_safe(word)}: </span>{_safe(piece)}<span class="unseen">]</span></{tag}>')
        self._add(f'<div class="redline">{"".join(html)}</div>')

    def details(self, summary: str, paragraphs: Iterable[str]) -> None:
        """Paragraphs that are shown when the summary is opened."""
        self._add(f"<details><summary>{_safe(summary)}</summary>{''.join(f'<p>{_code(one)}</p>' for one in paragraphs)}</details>")

    def render(self) -> str:
        """The whole page."""
        sections = "\n".join(f"<section>{''.join(parts)}</section>" for parts in self._sections)
        return (f'<!doctype html>\n<html lang="{HTML_LANGUAGES[self.language]}">\n<head><meta charset="utf-8">'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                f"<title>{_safe(self._title)}</title>\n<style>{STYLE}</style></head>\n"
                f"<body><main><h1>{_safe(self._title)}</h1>\n{sections}\n</main></body>\n</html>\n")

    def _add(self, html: str) -> None:
        if not self._sections:
            self._sections.append([])
        self._sections[-1].append(html)

    def _say(self, key: str, **facts: object) -> str:
        return text(f"page.{key}", self.language, **facts)

    def _table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str) -> str:
        if not rows:
            return f"<p>{f'{_safe(caption)}: ' if caption else ''}{_safe(self._say('nothing'))}</p>"
        numeric = [all(not isinstance(row[column], str) for row in rows) for column in range(len(head))]
        names = "".join(f'<th scope="col"{_right(numeric[column])}>{_safe(name)}</th>' for column, name in enumerate(head))
        body = "".join(
            "<tr>" + "".join(
                f'<th scope="row"{_right(numeric[0])}>{_safe(shown(cell))}</th>' if column == 0 else
                f"<td{_right(numeric[column])}>{_safe(shown(cell))}</td>" for column, cell in enumerate(row)) + "</tr>"
            for row in rows)
        return f'<div class="wide"><table>{_caption(caption)}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def shown(value: Cell) -> str:
    """A number with thousands separators and at most three decimals; a text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{int(value):,}"


def figure(value: float) -> str:
    """A measured figure with four digits that count: 0.0005, 2.146, 1,850."""
    return shown(value) if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share of 0 to 1 in percent with one decimal."""
    return f"{100 * share:.1f} %"


def _safe(words: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", words))


def _code(sentence: str) -> str:
    return _TICKS.sub(r"<code>\1</code>", _safe(sentence))


def _caption(caption: str) -> str:
    return f"<caption>{_code(caption)}</caption>" if caption else ""


def _right(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _edges(values: Sequence[float], bins: int) -> list[float]:
    """Edges of equally wide bins from a round number on; the last edge lies above all values but a long tail."""
    ordered = sorted(values)
    low, high, tail = ordered[0], ordered[-1], ordered[(len(ordered) * 99 - 1) // 100]
    if high - low > 2 * (tail - low) > 0:
        high = tail
    width = round_up((high - low) / bins or 1.0)
    if all(float(value).is_integer() for value in values):
        width = max(1.0, width)
    first = math.floor(low / width)
    return [step * width for step in range(first, math.floor(high / width) + 2)]


def _counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = [0] * (len(edges) - 1)
    width = edges[1] - edges[0]
    for value in values:
        counts[min(max(int((value - edges[0]) / width), 0), len(counts) - 1)] += 1
    return counts


def _columns(counts: Sequence[int]) -> str:
    step, most = WIDTH / len(counts), max(counts)
    return "".join(
        f'<rect class="column" x="{place * step + 0.5:.2f}" y="{HEAD + HEIGHT - HEIGHT * count / most:.2f}" '
        f'width="{max(step - 1, 0.5):.2f}" height="{HEIGHT * count / most:.2f}"/>' for place, count in enumerate(counts) if count)


def _axis(edges: Sequence[float], most: int) -> str:
    base, wanted = HEAD + HEIGHT, 5
    places = sorted({round(part * (len(edges) - 1) / wanted) for part in range(wanted + 1)})
    names = []
    for place in places:
        anchor = "start" if place == 0 else "end" if place == len(edges) - 1 else "middle"
        x = WIDTH * place / (len(edges) - 1)
        names.append(f'<text x="{x:.1f}" y="{base + 15}" text-anchor="{anchor}">{shown(edges[place])}</text>')
    return f'<line class="axis" x1="0" y1="{base}" x2="{WIDTH}" y2="{base}"/>{"".join(names)}<text x="0" y="12">{shown(most)}</text>'


def _mark(mark: Mark, edges: Sequence[float]) -> str:
    place = WIDTH * (mark.value - edges[0]) / (edges[-1] - edges[0])
    if not 0 <= place <= WIDTH:
        return ""
    anchor, move = ("end", -5) if place > WIDTH / 2 else ("start", 5)
    name = f"{_safe(mark.name)} {shown(mark.value)}"
    return (f'<line class="mark" x1="{place:.1f}" y1="{HEAD}" x2="{place:.1f}" y2="{HEAD + HEIGHT}"/>'
            f'<text class="mark-name" x="{place + move:.1f}" y="{HEAD + 12}" text-anchor="{anchor}">{name}</text>')
