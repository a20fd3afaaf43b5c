"""The page's part on the candidates beside the three: what a library, a better prompt or an outside engine gives on the same rows."""

from __future__ import annotations

from html import escape

from tutelage.core.language import text
from tutelage.scores.beside_results import BesideCandidate, BesideScores, Difference
from tutelage.scores.figures import figure, is_share, signed
from tutelage.scores.metrics import METRICS

VERDICTS = {"better": "good", "worse": "bad", "not enough evidence": "open"}
ADVICE = ("scores.beside.conclusion.wins", "scores.beside.conclusion.not_worse")


def advice(beside: BesideScores | None, language: str) -> str:
    """The sentence beside the verdict where retrieval alone wins, or is not shown to be worse; "" elsewhere."""
    said = beside.conclusion if beside else None
    return f'<p class="next">{escape(text(said.key, language, **said.facts))}</p>' if said and said.key in ADVICE else ""


def beside_section(beside: BesideScores | None, base: str, copy: str, language: str) -> str:
    """What follows, the instructions that were tried, and a table for each candidate; "" where there is none."""
    return _Section(base, copy, language).whole(beside) if beside else ""


class _Section:
    def __init__(self, base: str, copy: str, language: str) -> None:
        self.base, self.copy, self.language = base, copy, language

    def say(self, key: str, **facts: object) -> str:
        return escape(text(f"scores.{key}", self.language, **facts))

    def whole(self, beside: BesideScores) -> str:
        said = f"<p><b>{escape(text(beside.conclusion.key, self.language, **beside.conclusion.facts))}</b></p>" if beside.conclusion else ""
        lines = "".join(f"<p>{escape(text(one.key, self.language, **one.facts))}</p>" for one in beside.not_measured)
        return (f'<section><h2>{self.say("beside.title")}</h2><p>{self.say("beside.note", copy=self.copy, base=self.base)}</p>{said}'
                f'{"".join(self.candidate(one) for one in beside.candidates)}{self.prompts(beside)}{lines}</section>')

    def candidate(self, one: BesideCandidate) -> str:
        head = "".join(f'<th scope="col">{cell}</th>' for cell in (
            self.say("beside.column.metric"), escape(one.name), self.say("beside.column.n"), escape(self.base),
            escape(self.copy), self.say("beside.column.against", versus=self.base), self.say("beside.column.against", versus=self.copy)))
        rows = "".join(self.metric(one, metric.name) for metric in METRICS if any(score.metric == metric.name for score in one.scores))
        if not any(score.metric == "bits_per_byte" for score in one.scores):
            none = f'<td colspan="6">{self.say("beside.not_measured")}</td>'
            rows = f'<tr><th scope="row">{self.say("metric.bits_per_byte")}</th>{none}</tr>{rows}'
        notes = [self.say(f"beside.about.{one.kind}", engine=one.engine, rows=one.rows)]
        notes += [self.say("beside.too_long", rows=one.too_long)] if one.too_long else []
        notes += [self.say("beside.without_clause", rows=one.without_clause)] if one.without_clause else []
        return (f'<h3>{escape(one.name)}</h3><p>{" ".join(notes)}</p><div class="wide"><table class="beside"><thead><tr>{head}</tr></thead>'
                f"<tbody>{rows}</tbody></table></div>")

    def metric(self, one: BesideCandidate, metric: str) -> str:
        by_name = {score.candidate: score for score in one.scores if score.metric == metric}
        values = [f"{figure(by_name[name].value, metric)} <span>[{figure(by_name[name].low, metric)}, "
                  f"{figure(by_name[name].high, metric)}]</span>" for name in (one.name, self.base, self.copy)]
        found = {difference.versus: difference for difference in one.differences if difference.metric == metric}
        cells = [values[0], str(by_name[one.name].n), *values[1:], *(self.difference(found[name]) for name in (self.base, self.copy))]
        return f'<tr><th scope="row">{self.say(f"metric.{metric}")}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'

    def difference(self, one: Difference) -> str:
        unit = f" {self.say('page.points')}" if is_share(one.metric) else ""
        said = self.say(f"verdict.{one.verdict.replace(' ', '_')}")
        return (f"{signed(one.difference, one.metric)}{unit} <span>[{signed(one.low, one.metric)}, {signed(one.high, one.metric)}]</span> "
                f'<span class="chip {VERDICTS[one.verdict]}">{said}</span>')

    def prompts(self, beside: BesideScores) -> str:
        if not beside.prompts:
            return ""
        rows = "".join(
            f'<tr><th scope="row">{self.say(f"beside.prompt.{one.prompt}")}</th><td>{one.value:.3f} <span>[{one.low:.3f}, {one.high:.3f}]'
            f'</span></td><td>{one.n}</td><td>{self.say("beside.chosen") if one.is_chosen else ""}</td></tr>' for one in beside.prompts)
        head = "".join(f'<th scope="col">{self.say(key)}</th>' for key in ("beside.column.prompt", "metric.bits_per_byte",
                                                                          "beside.column.n", "beside.column.chosen"))
        return (f'<h3>{self.say("beside.prompts")}</h3><p>{self.say("beside.prompts_note")}</p><div class="wide"><table><thead><tr>{head}'
                f"</tr></thead><tbody>{rows}</tbody></table></div>")
