"""The page's part on single rows: won and lost, and what differs between two drafts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tutelage.scores.page_memory import Says
from tutelage.scores.plot_results import Wins
from tutelage.scores.results import Shown
from tutelage.text.diff import redline

TAGS = {"insert": "ins", "delete": "del"}


def wins_section(found: Sequence[Wins], say: Says) -> str:
    """On how many rows each candidate is better, equal or worse than the base; "" where nothing was compared."""
    if not found:
        return ""
    head = "".join(f'<th scope="col">{say(f"wins.{name}")}</th>' for name in ("metric", "candidate", "better", "equal", "worse", "n"))
    rows = "".join(f"<tr><td>{say(f'metric.{one.metric}')}</td><th scope=\"row\">{escape(one.candidate)}</th><td>{one.wins}</td>"
                   f"<td>{one.ties}</td><td>{one.losses}</td><td>{one.n}</td></tr>" for one in found)
    return (f'<section><h2>{say("wins.title", base=found[0].versus)}</h2><p>{say("wins.note")}</p><div class="wide"><table><thead><tr>'
            f'{head}</tr></thead><tbody>{rows}</tbody></table></div></section>')


def changes(row: Shown, *, candidate: str, base: str, say: Says) -> str:
    """What the candidate's draft has otherwise than the base's, as insertions and deletions; "" where one of them is missing or both are
    the same.
    """
    if candidate == base or not {candidate, base} <= set(row.drafts) or row.drafts[candidate] == row.drafts[base]:
        return ""
    pieces = "".join(escape(one.text) if one.op == "same" else f"<{TAGS[one.op]}>{escape(one.text)}</{TAGS[one.op]}>"
                     for one in redline(row.drafts[base], row.drafts[candidate], row.language))
    said = say("page.changes", candidate=candidate, base=base)
    return f'<details><summary>{said}</summary><pre class="changes" tabindex="0">{pieces}</pre></details>'
