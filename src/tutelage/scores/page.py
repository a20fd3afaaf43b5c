"""The report as one self-contained HTML page in one language: no script, nothing fetched, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from tutelage.core.language import text
from tutelage.core.records import Score
from tutelage.scores.figures import figure, is_share, signed
from tutelage.scores.metrics import METRICS
from tutelage.scores.page_ability import ability_section
from tutelage.scores.page_beside import advice, beside_section
from tutelage.scores.page_copies import copies_section
from tutelage.scores.page_heat import confusion_section, costs_table, heat_section
from tutelage.scores.page_memory import contamination_section, drawing, memory_section
from tutelage.scores.page_referee import referee_section
from tutelage.scores.page_rows import changes, wins_section
from tutelage.scores.plot_results import Cost
from tutelage.scores.report import headline, level, limits_of, spoken
from tutelage.scores.results import Report, Shown, Slice
from tutelage.scores.statistics import documents_to_decide
from tutelage.text.clause_types import CLAUSE_TYPES

HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}
VERDICT_CLASSES = {"better": "good", "worse": "bad", "not enough evidence": "open"}
PLOTS = ("curve", "lengths", "candidates", "forest", "pareto", "reliability", "sure")


def render_page(report: Report, costs: Sequence[Cost], plots: Mapping[str, str], language: str) -> str:
    """The page. `plots` are SVG elements by name (one of PLOTS), "" where there was nothing to draw."""
    folder = files("tutelage.scores").joinpath("templates")
    return Template(folder.joinpath("report.html").read_text("utf-8")).substitute(
        language=HTML_LANGUAGES[language], style=folder.joinpath("report.css").read_text("utf-8"),
        title=escape(text(spoken("scores.page.title", report.is_judged), language)), body=_Page(report, costs, language).body(plots))


def _code(sentence: str) -> str:
    """An escaped sentence in which `this` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


class _Page:
    """Writes the sections of one report in one language."""

    def __init__(self, report: Report, costs: Sequence[Cost], language: str) -> None:
        self.report, self.costs, self.language = report, costs, language

    def say(self, key: str, **facts: object) -> str:
        """A text of the catalogue, escaped; of models that were brought to be judged in their own words."""
        return escape(self.text(f"scores.{key}", **facts))

    def text(self, key: str, **facts: object) -> str:
        """The same, not escaped, by its whole key."""
        return text(spoken(key, self.report.is_judged), self.language, **facts)

    def body(self, plots: Mapping[str, str]) -> str:
        """All sections, the verdict first."""
        report = self.report
        sections = [self.verdict(), self.numbers(), wins_section(report.wins, self.say), self.beside(), self.plots(plots),
                    copies_section(report.copies, self.language, plots.get("copies", "")), self.slices(),
                    confusion_section(report, self.say, self._type),
                    contamination_section(report, self.language, self.say), memory_section(report, self.say, plots.get("exposure", "")),
                    ability_section(report, self.say), referee_section(report.judge, self.language),
                    self.shown("examples", report.examples), self.shown("worst", report.worst), self.identity(), self.limits()]
        return "\n".join(section for section in sections if section)

    def verdict(self) -> str:
        """What was decided, why, and what to do next."""
        report, decision = self.report, self.report.decision
        key, facts = headline(decision, float(report.settings["alpha"]))
        state = "good" if decision.is_open else VERDICT_CLASSES[decision.verdict] if decision.verdict != "better" else "bad"
        rules = "".join(f'<li class="{rule.state}"><b>{self.say(f"page.{rule.state}")}</b> '
                        f"{escape(self.text(rule.key, **rule.facts))}</li>" for rule in report.rules)
        return (f'<section class="verdict {state}" aria-labelledby="verdict"><p class="badge">'
                f'{self.say("page.gate_open" if decision.is_open else "page.gate_closed")}</p>'
                f'<h1 id="verdict">{escape(self.text(key, **facts))}</h1>'
                f'<p class="next"><b>{self.say("page.next")}</b> {_code(self.text(decision.next_key, **decision.facts))}</p>'
                f"{self._override()}"
                f'{advice(report.beside, self.language)}<ul class="rules">{rules}</ul></section>')

    def beside(self) -> str:
        """The candidates that decide nothing."""
        decision = self.report.decision
        return beside_section(self.report.beside, decision.versus, decision.candidate, self.language)

    def _override(self) -> str:
        """That people may answer for what the evidence does not decide; "" where they may not."""
        shown = f'<p class="next">{_code(self.text("scores.page.override"))}</p>'
        return shown if self.report.decision.undecided else ""

    def numbers(self) -> str:
        """The table of all candidates and metrics."""
        report = self.report
        head = "".join(f'<th scope="col">{self.say(f"column.{name}", level=level(float(report.settings["alpha"])))}</th>'
                       for name in ("metric", "candidate", "value", "n", "difference", "verdict"))
        bodies = []
        for metric in (one.name for one in METRICS):
            scores = [score for score in report.scores if score.metric == metric]
            if scores:
                bodies.append(f"<tbody>{self._metric_rows(metric, scores)}</tbody>")
        facts = self.say("page.counts", scored=report.scored_rows, held_out=report.held_out_rows, documents=report.documents,
                         drafted=report.drafted_rows)
        return (f'<section><h2>{self.say("page.numbers")}</h2><p>{facts}</p><div class="wide"><table><thead><tr>{head}</tr></thead>'
                f'{"".join(bodies)}</table></div></section>')

    def _metric_rows(self, metric: str, scores: Sequence[Score]) -> str:
        reference = self._reference(metric)
        height = len(scores) + (1 if reference else 0)
        name = (f'<th scope="rowgroup" rowspan="{height}">{self.say(f"metric.{metric}")}'
                f"<small>{self.say(f'metric_note.{metric}')}</small></th>")
        rows = []
        for score in scores:
            value = f"{figure(score.value, metric)} <span>[{figure(score.low, metric)}, {figure(score.high, metric)}]</span>"
            rows.append(f'<th scope="row">{escape(score.candidate)}</th><td>{value}</td><td>{score.n}</td>'
                        f"<td>{self._difference(score)}</td><td>{self._verdict(score)}</td>")
        if reference:
            rows.append(reference)
        return "".join(f"<tr>{name if place == 0 else ''}{row}</tr>" for place, row in enumerate(rows))

    def _difference(self, score: Score) -> str:
        if score.difference is None or score.difference_low is None or score.difference_high is None:
            return self.say("page.is_base")
        ends = f"{signed(score.difference_low, score.metric)}, {signed(score.difference_high, score.metric)}"
        unit = f" {self.say('page.points')}" if is_share(score.metric) else ""
        return f"{signed(score.difference, score.metric)} <span>[{ends}]</span>{unit}"

    def _verdict(self, score: Score) -> str:
        if score.verdict is None:
            return ""
        name = score.verdict.replace(" ", "_")
        return f'<span class="chip {VERDICT_CLASSES[score.verdict]}">{self.say(f"verdict.{name}")}</span>'

    def _reference(self, metric: str) -> str:
        """The row of the held-out clauses themselves; "" for metrics that they do not have."""
        one = self.report.reference
        if one is None:
            return ""
        values = {"clause_type_match": one.type_match, "looping_share": one.looping_share, "repetition": one.repetition,
                  "stopped_share": one.stopped_share, "draft_tokens": one.draft_tokens}
        value = values.get(metric)
        if value is None:
            return ""
        between = ""
        if metric == "clause_type_match" and one.type_match_low is not None and one.type_match_high is not None:
            between = f" <span>[{figure(one.type_match_low, metric)}, {figure(one.type_match_high, metric)}]</span>"
        return (f'<th scope="row" class="reference">{self.say("page.reference")}</th><td>{figure(value, metric)}{between}</td>'
                f'<td>{one.n}</td><td colspan="2" class="reference">{self.say("page.reference_note")}</td>')

    def plots(self, plots: Mapping[str, str]) -> str:
        """The plots that there are, each with what it shows."""
        sure = self.report.reliability
        facts: dict[str, dict[str, object]] = {"reliability": {"n": sure.n, "right": sure.right, "error": 100 * sure.error}} if sure else {}
        facts["sure"] = {"errors": ", ".join(self.text("scores.plot.sure_error", candidate=name, n=one.n, share=100 * one.right / one.n,
                                                       confidence=100 * one.confidence, error=100 * one.error)
                                             for name, one in self.report.sure.items())}
        drawn = [drawing(name, plots[name], self.say, **facts.get(name, {})) for name in PLOTS if plots.get(name)]
        return (f'<section><h2>{self.say("page.plots")}</h2><div class="plots">{"".join(drawn)}</div>'
                f"{costs_table(self.report, self.costs, self.say)}"
                "</section>") if drawn else ""

    def slices(self) -> str:
        """Where the copy is better and where it is not; slices of too few documents are only named."""
        if not self.report.slices:
            return ""
        rows = "".join(self._slice(one) for one in self.report.slices if one.holds is not None)
        head = "".join(f'<th scope="col">{self.say(f"slice.column.{name}")}</th>'
                       for name in ("kind", "name", "n", "documents", "difference", "verdict"))
        few = [self._slice_name(one) for one in self.report.slices if one.holds is None]
        note = self.say("slice.few", count=len(few), names=", ".join(few),
                        needed=documents_to_decide(float(self.report.settings["alpha"]))) if few else ""
        return (f'<section><h2>{self.say("page.slices")}</h2><p>{self.say("page.slices_note")}</p><div class="wide"><table>'
                f'<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div><p>{note}</p>'
                f"{heat_section(self.report, self.say, self._type)}</section>")

    def _slice(self, one: Slice) -> str:
        state = "open" if one.holds is not True else "good" if one.difference < 0 else "bad"
        said = {"open": "not_enough_evidence", "good": "better", "bad": "worse"}[state]
        ends = f"{signed(one.low, 'bits_per_byte')}, {signed(one.high, 'bits_per_byte')}"
        return (f'<tr><td>{self.say(f"slice.{one.kind}")}</td><th scope="row">{escape(self._slice_name(one))}</th><td>{one.n}</td>'
                f'<td>{one.documents}</td><td>{signed(one.difference, "bits_per_byte")} <span>[{ends}]</span></td>'
                f'<td><span class="chip {state}">{self.say(f"verdict.{said}")}</span></td></tr>')

    def _slice_name(self, one: Slice) -> str:
        return self._type(one.name) if one.kind == "clause_type" else text(f"scores.slice.{one.name}", self.language)

    def shown(self, kind: str, rows: Sequence[Shown]) -> str:
        """Held-out clauses side by side with the drafts."""
        if not rows:
            return ""
        cards = "".join(self._card(row) for row in rows)
        return f'<section><h2>{self.say(f"page.{kind}", count=len(rows))}</h2><p>{self.say(f"page.{kind}_note")}</p>{cards}</section>'

    def _card(self, row: Shown) -> str:
        keywords = "".join(f"<li>{escape(word)}</li>" for word in row.keywords)
        columns = [f'<div><h4>{self.say("page.held_out_clause")}</h4><pre tabindex="0">{escape(row.text)}</pre></div>']
        for name in self.report.candidates:
            bits = row.bits_per_byte.get(name)
            told = "" if bits is None else f"<span>{bits:.3f} {self.say('page.bits')}</span>"
            draft = row.drafts.get(name)
            none = f'<p class="none">{self.say("page.not_drafted")}</p>'
            shown = none if draft is None else f'<pre tabindex="0">{escape(draft)}</pre>'
            said = row.predicted.get(name)
            taken = ""
            if said is not None:
                taken = (f'<p class="{"met" if said == row.clause_type else "unmet"}">'
                         f'{self.say("page.taken_for", clause_type=self._type(said))}</p>')
            columns.append(f'<div><h4>{escape(name)} {told}</h4>{shown}{taken}</div>')
        decision = self.report.decision
        differing = changes(row, candidate=decision.candidate, base=decision.versus, say=self.say)
        return (f'<article><h3>{escape(self._type(row.clause_type))}</h3><ul class="keywords">{keywords}</ul>'
                f'<p class="source">{self.say("page.source", source=row.source, row=row.row)}</p>'
                f'<div class="side" lang="{HTML_LANGUAGES[row.language]}">{"".join(columns)}</div>{differing}</article>')

    def _type(self, key: str) -> str:
        known = CLAUSE_TYPES.get(key)
        return known.name("zh" if self.language == "zh" else "en") if known else key

    def identity(self) -> str:
        """What exactly was compared, and how to do it again."""
        report = self.report
        pairs = [(self.say(f"identity.{stage}"), f"<code>{escape(found)}</code>") for stage, found in report.artifacts.items()]
        pairs += [(escape(name), f"<code>{escape(digest)}</code>") for name, digest in report.files.items()]
        pairs += [(self.say("identity.engine", candidate=name), escape(engine)) for name, engine in report.engines.items()]
        pairs.append((self.say("identity.chat_format"), f"<code>{escape(report.chat_format)}</code>"))
        pairs.append((self.say("identity.decoding"), self.say("identity.decoding_value", **report.settings)))
        pairs.append((self.say("identity.statistics"), self.say("identity.statistics_value", **report.settings)))
        pairs.append((self.say("identity.judge"), self.say(
            "identity.judge_value", rows=report.classifier_rows, types=report.classifier_types)
            if report.classifier_types else self.say("identity.no_judge")))
        pairs.append((self.say("identity.packages"), escape(", ".join(f"{name} {found}" for name, found in report.packages.items()))))
        pairs.append((self.say("identity.repeat"), f"<code>{escape(report.repeat)}</code>"))
        rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs)
        return f'<section class="identity"><h2>{self.say("page.identity")}</h2><dl>{rows}</dl></section>'

    def limits(self) -> str:
        """What these numbers do not say."""
        lines = [self.say(limit.key.removeprefix("scores."), **limit.facts) for limit in limits_of(self.report)]
        return f'<section><h2>{self.say("page.limits")}</h2><ul>{"".join(f"<li>{line}</li>" for line in lines)}</ul></section>'
