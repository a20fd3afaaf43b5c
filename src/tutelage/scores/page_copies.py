"""The page's section on copies: all that were tried, kept or refused and why, what each costs and how it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from tutelage.core.copies import Copies, CopyEvidence, Drafted
from tutelage.core.language import text
from tutelage.scores.costs import costs_of_copies
from tutelage.scores.page_memory import drawing

COST = ("size", "bits", "difference", "kl", "top_1", "flips")
RUN = ("load", "memory", "first", "each", "single", "together")
DRAFT = ("task", "task_difference", "valid")
NONE = "-"


def copies_section(copies: Copies | None, language: str, plot: str) -> str:
    """The table, and the plot where there is one; "" where copies were not measured."""
    if copies is None:
        return ""

    def say(key: str, **facts: object) -> str:
        return escape(text(f"scores.{key}", language, **facts))

    best = {one.candidate: ", ".join(say(f"cost.{kind}") for kind in one.best) for one in costs_of_copies(copies)[0]}
    told = [(one, [_verdict(one, language), *_cells(figures(one)[:len(COST)])]) for one in copies.copies]
    costs = _table(("copy", "verdict", *COST), told, say)
    runs = [(one, _cells([*figures(one)[len(COST):], best.get(one.name) or NONE])) for one in copies.copies if one.speed]
    timed = _table(("copy", *RUN, "best"), runs, say) if runs else ""
    drafts = [(one, _cells(drafted_figures(one.drafts))) for one in copies.copies if one.drafts]
    first = next((one.drafts for one in copies.copies if one.drafts), None)
    drafted = (f'<p>{say("copies.drafts_note", rows=first.rows, documents=first.documents)}</p>{_table(("copy", *DRAFT), drafts, say)}'
               if first else "")
    threads = next((one.speed for one in copies.copies if one.speed), None)
    ran = say("copies.ran", threads=threads.threads, prompts=threads.prompts, new_tokens=threads.new_tokens,
              context_length=threads.context_length, streams=threads.streams) if threads else ""
    sought = say("copies.target", target=copies.target) if copies.target else ""
    facts = say("copies.note", rows=copies.rows, documents=copies.documents)
    return (f'<section><h2>{say("copies.title")}</h2><p>{" ".join(one for one in (sought, facts, ran) if one)}</p>'
            f'{costs}{drafted}{timed}'
            f'{drawing("copies", plot, say) if plot else ""}</section>')


def _table(columns: Sequence[str], rows: Sequence[tuple[CopyEvidence, Sequence[str]]], say: Callable[[str], str]) -> str:
    head = "".join(f'<th scope="col">{say(f"copies.column.{name}")}</th>' for name in columns)
    body = "".join(f'<tr><th scope="row">{escape(one.name)}</th>{"".join(cells)}</tr>'
                   for one, cells in rows)
    return f'<div class="wide"><table class="copies"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _verdict(one: CopyEvidence, language: str) -> str:
    state = escape(text("scores.copies.kept" if one.kept else "scores.copies.refused", language))
    chip = f'<span class="chip {"good" if one.kept else "open"}">{state}</span>'
    return f'<td class="became">{chip} {escape(text(one.reason, language, **one.facts))}</td>'


def _cells(values: Sequence[str]) -> list[str]:
    return [f"<td>{value}</td>" for value in values]


def copies_lines(copies: Copies, language: str) -> list[str]:
    """The same as lines of text."""
    best = {one.candidate: ", ".join(text(f"scores.cost.{kind}", language) for kind in one.best) for one in costs_of_copies(copies)[0]}
    lines = [text("scores.copies.target", language, target=copies.target)] if copies.target else []
    for one in copies.copies:
        cells = dict(zip((*COST, *RUN), figures(one), strict=True))
        lines.append(text("scores.copies.line", language, name=one.name, best=best.get(one.name) or NONE,
                          reason=text(one.reason, language, **one.facts), **cells))
        if one.drafts:
            lines.append(text("scores.copies.drafted", language, name=one.name, rows=one.drafts.rows,
                              **dict(zip(DRAFT, drafted_figures(one.drafts), strict=True))))
    return lines


def front_lines(copies: Copies, language: str) -> list[str]:
    """A line for each copy that nobody beats in quality and one of the costs: Pareto's front, and what became of the copy."""
    best = {one.candidate: one.best for one in costs_of_copies(copies)[0] if one.best}
    lines = [text("scores.copies.front", language, count=len(best), measured=sum(one.loss is not None for one in copies.copies),
                  tried=len(copies.copies))]
    for one in (one for one in copies.copies if one.name in best):
        cells = dict(zip((*COST, *RUN), figures(one), strict=True))
        lines.append(text("scores.copies.front_line", language, mark="*" if one.kept else " ", name=one.name,
                          best=", ".join(text(f"scores.cost.{kind}", language) for kind in best[one.name]), **cells))
    return lines


def drafted_figures(drafts: Drafted) -> list[str]:
    """The numbers of a copy's drafts as they are printed, in the order of the columns; "-" where no true answer is JSON."""
    valid = NONE if drafts.valid_share is None else f"{100 * drafts.valid_share:.0f} % ({100 * (drafts.valid_before or 0):.0f} %)"
    return [f"{drafts.task:.3f}", f"{drafts.difference:+.3f} [{drafts.low:+.3f}, {drafts.high:+.3f}]", valid]


def figures(one: CopyEvidence) -> list[str]:
    """The numbers of one copy as they are printed, in the order of the columns; "-" for what was not measured."""
    loss, strayed, speed = one.loss, one.fidelity, one.speed
    return [
        f"{one.size_bytes / 1e6:,.1f}",
        f"{loss.value:.4f} [{loss.low:.4f}, {loss.high:.4f}]" if loss else NONE,
        f"{loss.cost.difference:+.4f} [{loss.cost.low:+.4f}, {loss.cost.high:+.4f}]" if loss else NONE,
        f"{strayed.kl_nats:.4f}" if strayed else NONE,
        f"{100 * strayed.top_1_share:.1f} %" if strayed else NONE,
        f"{strayed.right_to_wrong} / {strayed.wrong_to_right}" if strayed else NONE,
        f"{speed.load_seconds:.2f}" if speed else NONE,
        f"{speed.peak_rss_mb:,.0f}" if speed else NONE,
        f"{speed.first_token_ms:,.0f}" if speed else NONE,
        f"{speed.token_ms:.1f}" if speed else NONE,
        f"{speed.tokens_per_second:.1f}" if speed else NONE,
        f"{speed.tokens_per_second_streams:.1f}" if speed else NONE,
    ]
