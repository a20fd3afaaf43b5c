"""The page's part on a judge model: what it prefers, how much the order sways it, and whether it agrees with people."""

from __future__ import annotations

from html import escape

from tutelage.core.language import text
from tutelage.scores.referee_results import FEWEST_DECISIONS, JudgeAgreement, JudgeScores

TONES = {"not_measured": "open", "no_better_than_chance": "bad", "shown": "good"}


def referee_section(found: JudgeScores | None, language: str) -> str:
    """The section; "" where no judge was asked."""
    if found is None:
        return ""
    *lines, last = referee_lines(found, language)
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return (f"<section><h2>{escape(text('scores.page.judge', language))}</h2><p>{escape(text('scores.page.judge_note', language))}</p>"
            f'<ul>{rows}</ul><p><span class="chip {TONES[found.trust]}">{escape(last)}</span></p></section>')


def referee_lines(found: JudgeScores, language: str) -> list[str]:
    """All that is told of a judge, what it is worth last."""
    lines = [_preferred(found, language)]
    if found.n:
        lines.append(text("scores.judge.bias", language, flipped=found.flipped, n=found.n, share=100 * found.flipped / found.n,
                          low=100 * found.flipped_low, high=100 * found.flipped_high, to_first=found.to_first))
    lines.append(text("scores.judge.unreadable", language, unreadable=found.unreadable, answers=found.answers, same=found.same,
                      too_long=found.too_long))
    if found.agreement:
        lines.append(_agreement(found.agreement, language))
    decided = found.agreement.n if found.agreement else 0
    return [*lines, text(f"scores.judge.trust_{found.trust}", language, n=decided, needed=FEWEST_DECISIONS)]


def _preferred(found: JudgeScores, language: str) -> str:
    if found.difference is None or found.low is None or found.high is None:
        return text("scores.judge.nothing", language, judge=found.judge)
    return text("scores.judge.preferred", language, judge=found.judge, candidate=found.candidate, versus=found.versus, wins=found.wins,
                losses=found.losses, ties=found.ties, n=found.n, difference=100 * found.difference + 0.0, low=100 * found.low + 0.0,
                high=100 * found.high + 0.0)


def _agreement(found: JudgeAgreement, language: str) -> str:
    kappa = text("scores.judge.no_kappa", language)
    if found.kappa is not None and found.kappa_low is not None and found.kappa_high is not None:
        kappa = text("scores.judge.kappa", language, kappa=found.kappa, low=found.kappa_low, high=found.kappa_high)
    return text("scores.judge.agreement", language, agreed=found.agreed, n=found.n, share=100 * found.agreed / found.n, low=100 * found.low,
                high=100 * found.high, kappa=kappa, sided=found.sided, sided_agreed=found.sided_agreed)
