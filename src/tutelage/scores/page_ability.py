"""The page's part on general ability: what each candidate answered right, and what tuning cost."""

from __future__ import annotations

from html import escape

from tutelage.scores.ability_results import AbilityDifference, AbilityScore
from tutelage.scores.page_memory import Says
from tutelage.scores.results import Report

VERDICTS = {"better": "good", "worse": "bad", "not enough evidence": "open"}


def ability_section(report: Report, say: Says) -> str:
    """A table by group and candidate; "" where the general set was not asked."""
    found = report.ability
    if found is None:
        return ""
    compared = {(one.group, one.candidate): one for one in found.differences if one.versus == report.decision.versus}
    rows = "".join(_row(one, compared.get((one.group, one.candidate)), say) for one in found.scores)
    head = "".join(f'<th scope="col">{say(f"ability.column.{name}")}</th>'
                   for name in ("group", "candidate", "right", "difference", "verdict"))
    return (f'<section><h2>{say("page.ability")}</h2><p>{say("page.ability_note")}</p>'
            f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div></section>")


def _row(one: AbilityScore, difference: AbilityDifference | None, say: Says) -> str:
    cells = [f"{one.right} / {one.n} <span>[{100 * one.low:.0f} %, {100 * one.high:.0f} %]</span>"]
    if difference is None:
        cells += ["", ""]
    else:
        cells.append(f"{100 * difference.difference:+.0f} <span>[{100 * difference.low:+.0f}, {100 * difference.high:+.0f}]</span> "
                     f"{say('page.points')}")
        said = say(f"verdict.{difference.verdict.replace(' ', '_')}")
        cells.append(f'<span class="chip {VERDICTS[difference.verdict]}">{said}</span>')
    return (f'<tr><th scope="row">{say(f"ability.group.{one.group}")}</th><td>{escape(one.candidate)}</td>'
            f'{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
