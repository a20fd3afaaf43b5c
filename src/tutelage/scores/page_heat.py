"""The page's coloured tables: bits per byte by slice and candidate, and asked clause types against those that drafts are taken for.

They are tables with a tint, not pictures: each cell has its number, which is read aloud, copied and printed like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from tutelage.scores.page_memory import Says
from tutelage.scores.plot_results import Confusion, Cost, HeatRow
from tutelage.scores.results import Report

# Blue and orange are told apart by colour-blind people; the tints stay so light that dark text on them is read.
BLUE, ORANGE = (125, 176, 228), (243, 178, 115)
TYPES = 10  # clause types with a row of their own
Names = Callable[[str], str]


def heat_section(report: Report, say: Says, type_name: Names) -> str:
    """Each candidate's difference to the base by slice; "" where nothing was scored. The rarest clause types are left to report.json."""
    base = report.decision.versus
    types = [row for row in report.heat if row.kind == "clause_type"]
    rows = [row for row in report.heat if base in row.bits_per_byte and row not in types[TYPES:]]
    others = [name for name in report.candidates if name != base and any(name in row.bits_per_byte for row in rows)]
    if not rows or not others:
        return ""
    widest = max((abs(row.bits_per_byte[name] - row.bits_per_byte[base]) for row in rows for name in others if name in row.bits_per_byte),
                 default=0.0)
    head = [say("slice.column.name"), say("slice.column.n"), say("slice.column.documents"), say("heat.base", base=base)]
    head += [escape(name) for name in others]
    body = "".join(f"<tr>{''.join(_heat_cells(row, base, others, widest, say, type_name))}</tr>" for row in rows)
    left = f" {say('heat.left', count=len(types) - TYPES)}" if len(types) > TYPES else ""
    return f'<h3>{say("heat.title")}</h3><p>{say("heat.note", base=base)}{left}</p>{_table(head, body, "heat")}'


def _heat_cells(row: HeatRow, base: str, others: Sequence[str], widest: float, say: Says, type_name: Names) -> Iterator[str]:
    name = escape(type_name(row.name)) if row.kind == "clause_type" else say(f"slice.{row.name}")
    before = row.bits_per_byte[base]
    yield f'<th scope="row">{name}</th><td>{row.n}</td><td>{row.documents}</td><td>{before:.3f}</td>'
    for other in others:
        if other not in row.bits_per_byte:
            yield "<td>-</td>"
            continue
        difference = row.bits_per_byte[other] - before
        yield f'<td class="tint" style="{_tint(BLUE if difference < 0 else ORANGE, abs(difference), widest)}">{difference:+.3f}</td>'


def confusion_section(report: Report, say: Says, type_name: Names) -> str:
    """For the candidate that is decided on: asked types in rows, named ones in columns, the rarest together; "" without a classifier."""
    found = next((one for one in report.confusions if one.candidate == report.decision.candidate), None)
    if found is None:
        return ""
    counted = {asked: sum(named.values()) for asked, named in found.named.items()}
    shown = sorted(counted, key=lambda name: (-counted[name], name))[:TYPES]
    has_rest = any(name not in shown for named in found.named.values() for name in (*found.named, *named))
    columns = [*shown, *([""] if has_rest else [])]
    rows = [*shown, *([""] if len(counted) > len(shown) else [])]
    names = {name: escape(type_name(name)) if name else say("confusion.rest") for name in columns}
    body = "".join(f"<tr>{''.join(_confusion_cells(found, asked, columns, shown, names))}</tr>" for asked in rows)
    right = ", ".join(f"{escape(one.candidate)} {one.right} / {one.n}" for one in report.confusions)
    head = [say("confusion.asked"), *(names[name] for name in columns)]
    return (f'<section><h2>{say("confusion.title")}</h2><p>{say("confusion.note", candidate=found.candidate, n=found.n)} '
            f'{say("confusion.right")} {right}.</p>{_table(head, body, "heat confusion")}</section>')


def _confusion_cells(found: Confusion, asked: str, columns: Sequence[str], shown: Sequence[str], names: dict[str, str]) -> Iterator[str]:
    yield f'<th scope="row">{names[asked]}</th>'
    counts = dict.fromkeys(columns, 0)
    for of, named in found.named.items():
        if (of if of in shown else "") == asked:
            for name, count in named.items():
                counts[name if name in shown else ""] += count
    for name, count in counts.items():
        mark = " right" if name == asked and name else ""
        tint = _tint(BLUE if mark else ORANGE, count, sum(counts.values()))
        yield f'<td class="tint{mark}" style="{tint}">{count or ""}</td>'


def costs_table(report: Report, costs: Sequence[Cost], say: Says) -> str:
    """The numbers of the plot of costs; "" where none is known."""
    quality = {score.candidate: score for score in report.scores if score.metric == "bits_per_byte"}
    known = [one for one in costs if any((one.size_bytes, one.tokens_per_second, one.peak_memory_mb))]
    if not known:
        return ""
    rows = []
    for one in known:
        score = quality.get(one.candidate)
        loss = f"{score.value:.3f} <span>[{score.low:.3f}, {score.high:.3f}]</span>" if score else "-"
        cells = "".join(f"<td>{cell}</td>" for cell in (loss, *_figures(one, say)))
        rows.append(f'<tr><th scope="row">{escape(one.candidate)}</th>{cells}</tr>')
    head = [say("column.candidate"), say("metric.bits_per_byte"), say("plot.size"), say("plot.speed"), say("plot.memory"), say("cost.best")]
    return f'<h3>{say("cost.title")}</h3><p>{say("cost.note")}</p>{_table(head, "".join(rows), "")}'


def _figures(one: Cost, say: Says) -> Iterator[str]:
    yield "-" if one.size_bytes is None else f"{one.size_bytes / 1e6:,.0f}"
    counted = f"<span>({say('cost.tokens', count=one.drafted_tokens)})</span>"
    yield "-" if one.tokens_per_second is None else f"{one.tokens_per_second:,.0f} {counted}"
    yield "-" if one.peak_memory_mb is None else f"{one.peak_memory_mb:,.0f}"
    yield ", ".join(say(f"cost.{kind}") for kind in one.best) or "-"


def _tint(colour: tuple[int, int, int], amount: float, most: float) -> str:
    """A background between white and the colour."""
    share = min(1.0, amount / most) if most else 0.0
    return "background:#" + "".join(f"{round(255 - share * (255 - part)):02x}" for part in colour)


def _table(head: Sequence[str], body: str, kind: str) -> str:
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    named = f' class="{kind}"' if kind else ""
    return f'<div class="wide"><table{named}><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
