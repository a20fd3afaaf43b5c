"""The page's parts on what training has seen of the scored rows, and on what the tuned model gives away of its training rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Protocol

from tutelage.core.language import text
from tutelage.core.records import Score
from tutelage.scores.figures import figure
from tutelage.scores.metrics import METRICS
from tutelage.scores.report import level
from tutelage.scores.results import Canaries, Continuations, Exposure, Memory, Report


class Says(Protocol):
    """Gives a text of the catalogue, escaped."""

    def __call__(self, key: str, **facts: object) -> str:
        """The text of `scores.` and this key."""
        ...


def contamination_section(report: Report, language: str, say: Says) -> str:
    """Leaks among the rows that training used, figures of familiar and novel rows apart, and the hint about the base."""
    lines = [say("seen.unknown") if report.trained_rows is None
             else say("seen.leaks", leaks=report.leaks, rows=report.trained_rows, threshold=report.leak_threshold)]
    if report.trained_rows is not None and not report.relations:
        lines.append(say("seen.one_kind"))
    if report.hint:
        rows = ", ".join(f"{row} ({value:.2f})" for row, value in report.hint.rows)
        lines.append(say("seen.hint", n=report.hint.n, median=report.hint.median, rows=rows))
        lines.append(say("seen.hint_weak"))
    return (f'<section><h2>{say("page.seen")}</h2><ul>{"".join(f"<li>{line}</li>" for line in lines)}</ul>'
            f"{_relations(report, language, say)}</section>")


def _relations(report: Report, language: str, say: Says) -> str:
    if not report.relations:
        return ""
    by_relation = {one.relation: {(score.metric, score.candidate): score for score in one.scores} for one in report.relations}
    head = [say("column.metric"), say("column.candidate")]
    head += [f"{escape(text(f'scores.slice.{one.relation}', language))} (n = {one.n})" for one in report.relations]
    rows = []
    for metric in (one.name for one in METRICS):
        for candidate in report.candidates:
            found = [scores.get((metric, candidate)) for scores in by_relation.values()]
            if any(found):
                cells = [f'<th scope="row">{say(f"metric.{metric}")}</th>', f"<td>{escape(candidate)}</td>"]
                rows.append("".join([*cells, *(f"<td>{_value(score, metric)}</td>" for score in found)]))
    return _table(head, rows)


def _value(score: Score | None, metric: str) -> str:
    return f"{figure(score.value, metric)} <span>[{figure(score.low, metric)}, {figure(score.high, metric)}]</span>" if score else ""


def drawing(name: str, svg: str, say: Says, **facts: object) -> str:
    """A plot with what it shows below it, which is its text for those who cannot see it as well."""
    told = say(f"plot_note.{name}", **facts)
    return f'<figure class="{name}"><div role="img" aria-label="{told}">{svg}</div><figcaption>{told}</figcaption></figure>'


def memory_section(report: Report, say: Says, exposures: str = "") -> str:
    """What the tuned model gives away of its training rows; "" where nothing was probed. `exposures` is the plot of planted texts."""
    one = report.memory
    if one is None:
        return ""
    lines = [say("memory.membership", auc=one.auc, low=one.auc_low, high=one.auc_high, level=level(float(report.settings["alpha"])),
                 train=one.train_rows, held_out=one.held_out_rows, found=100 * one.found_at_1_percent, found_low=100 * one.found_low,
                 found_high=100 * one.found_high)]
    lines += [say("memory.copied", candidate=each.candidate, drafts=each.drafts, n=each.n, high=100 * each.high) for each in one.copied]
    lines += _personal(one, report.decision.candidate, say)
    head = [say(f"memory.column.{name}") for name in ("candidate", "part", "tokens", "n", "verbatim", "similar")]
    before, held_out = ("; ".join(say("memory.p", tokens=tokens, p_value=p_value) for tokens, p_value in tests.items())
                        for tests in (one.p_values, one.held_out_p_values))
    return (f'<section><h2>{say("page.memory")}</h2><p>{say("page.memory_note")}</p>'
            f'<ul>{"".join(f"<li>{line}</li>" for line in lines)}</ul>'
            f"{_table(head, [_continuation(each, say) for each in one.continuations])}"
            f'<p>{say("memory.test", before=before, held_out=held_out)}</p>'
            f"{_canaries(one.canaries, report, say, exposures) if one.canaries else ''}</section>")


def _personal(memory: Memory, candidate: str, say: Says) -> Iterator[str]:
    found = memory.personal
    if found is not None and memory.personal_high is not None:
        yield say("memory.personal", candidate=candidate, known=found.known, answers=found.answers, probes=found.probes,
                  high=100 * memory.personal_high, shaped=found.shaped)


def _continuation(each: Continuations, say: Says) -> str:
    cells = [say(f"memory.part.{each.part}"), str(each.tokens), str(each.n)]
    return (f'<th scope="row">{escape(each.candidate)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}'
            f"<td>{each.verbatim} <span>({say('memory.up_to', share=100 * each.verbatim_high)})</span></td>"
            f"<td>{each.similar} <span>[{100 * each.similar_low:.1f} %, {100 * each.similar_high:.1f} %]</span></td>")


def _canaries(one: Canaries, report: Report, say: Says, plot: str) -> str:
    head = [say(f"memory.column.{name}") for name in ("copies", "planted", "trained", "times", "mean", "highest")]
    once = one.at_one_copy
    notes = [say("memory.canaries_note", others=one.others, ceiling=one.ceiling)]
    if once and once.mean is not None:
        notes.append(say("memory.canaries_range", n=once.trained, high=one.one_copy_high, level=level(float(report.settings["alpha"]))))
    if not one.controls_are_within:
        notes.append(say("memory.canaries_wrong", low=one.controls_low, high=one.controls_high))
    shown = drawing("exposure", plot, say, others=one.others) if plot else ""
    return (f'<h3>{say("memory.canaries")}</h3><p>{" ".join(notes)}</p>'
            f"{shown}{_table(head, [_exposure(each, say) for each in one.exposures])}")


def _exposure(each: Exposure, say: Says) -> str:
    bits = ["-" if value is None else f"{value:.2f}" for value in (each.mean, each.highest)]
    copies = str(each.copies) if each.copies else say("memory.never")
    trained, times = (str(each.trained), f"{each.times:.1f}") if each.copies else ("-", "-")
    return f'<th scope="row">{copies}</th>' + "".join(f"<td>{cell}</td>" for cell in (each.planted, trained, times, *bits))


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
