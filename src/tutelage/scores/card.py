"""The model card: metadata as Hugging Face reads it, and what a reader must know, written from the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from huggingface_hub import EvalResult, ModelCardData

from tutelage.core.language import text
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.scores.figures import figure, signed
from tutelage.scores.inputs import Inputs
from tutelage.scores.metrics import METRICS
from tutelage.scores.report import headline, level, limits_of, spoken
from tutelage.scores.results import Report

CARD = "model_card.md"
TASK = "text-generation"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Packaged base models by the names that the hub knows them by.
HUB_NAMES = {"smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct", "gemma3-270m": "google/gemma-3-270m"}
# Licences that the hub has an identifier for, by how they are written elsewhere.
LICENCES = {"apache-2.0": "apache-2.0", "mit": "mit", "bsd-3-clause": "bsd-3-clause", "gemma terms of use": "gemma", "gemma": "gemma",
            "llama3.2": "llama3.2", "llama3.1": "llama3.1"}
SOURCES_SHOWN = 40


class Lineage(Record):
    """Where a model comes from. `sources` are the documents of its training rows with how many rows each gave."""

    recipe: str
    base: str
    base_licence: str
    rows: dict[str, int]
    sources: dict[str, int]
    permissions: tuple[str, ...]


def lineage_of(making: Making, rows: Inputs, *, base_licence: str) -> Lineage:
    """From the training artifact's settings and the rows that training used."""
    training = making.parents["training"].manifest
    seen: Sequence[Example] = [*rows.train, *rows.validation]
    sources: dict[str, int] = {}
    for row in seen:
        sources[row.source] = sources.get(row.source, 0) + 1
    counts = {"train": len(rows.train), "validation": len(rows.validation), "held_out": len(rows.held_out)}
    return Lineage(recipe=training.recipe, base=str(training.settings.get("base", "")), base_licence=base_licence, rows=counts,
                   sources=dict(sorted(sources.items(), key=lambda item: (-item[1], item[0]))), permissions=making.permissions)


def render_card(report: Report, lineage: Lineage, language: str) -> str:
    """The card: YAML between two lines of dashes, then Markdown in `language`."""
    return f"---\n{metadata(report, lineage).to_yaml()}\n---\n\n" + "\n".join(_Card(report, lineage, language).lines()) + "\n"


def metadata(report: Report, lineage: Lineage) -> ModelCardData:
    """The card's metadata: name, licence, base, languages, and each figure of the copy with its interval."""
    known = LICENCES.get(lineage.base_licence.lower())
    is_free = lineage.permissions in ((), (EVERYONE,))
    licence, name = (known, None) if known and is_free else ("other", lineage.base_licence or "unknown")
    base = HUB_NAMES.get(lineage.base, lineage.base)
    results = [EvalResult(
        task_type=TASK, dataset_type="tutelage-held-out", dataset_name=f"held-out rows of {report.artifacts.get('dataset', 'a dataset')}",
        dataset_split="held_out", dataset_revision=report.artifacts.get("dataset"), metric_type=score.metric, metric_name=score.metric,
        metric_value=round(score.value, 6), metric_args={"low": round(score.low, 6), "high": round(score.high, 6), "n": score.n})
        for score in report.scores if score.candidate == report.decision.candidate]
    return ModelCardData(
        model_name=lineage.recipe or "tutelage", language=sorted(report.languages), license=licence, license_name=name,
        base_model=base if HUB_ID.fullmatch(base) else None, pipeline_tag=TASK, tags=["tutelage", "contracts"], eval_results=results)


class _Card:
    """Writes the Markdown of one card in one language."""

    def __init__(self, report: Report, lineage: Lineage, language: str) -> None:
        self.report, self.lineage, self.language = report, lineage, language

    def say(self, key: str, **facts: object) -> str:
        """A text of the catalogue, by its key after `scores.`, on one line."""
        return text(spoken(f"scores.{key}", self.report.is_judged), self.language, **facts)

    def lines(self) -> Iterator[str]:
        """All lines of the card."""
        report, decision = self.report, self.report.decision
        key, facts = headline(decision, float(report.settings["alpha"]))
        yield f"# {_plain(self.lineage.recipe or 'tutelage')}"
        yield from ("", f"**{text(spoken(key, report.is_judged), self.language, **facts)}**", "")
        yield from self._rules()
        yield from self._numbers()
        yield from self._ability()
        yield from self._data()
        yield from self._section("card.limits")
        yield from (f"- {_plain(text(spoken(limit.key, report.is_judged), self.language, **limit.facts))}" for limit in limits_of(report))
        yield from self._section("card.repeat")
        yield from ("```", report.repeat, "```", "")
        yield self.say("card.full", files=", ".join(["report.json", *(f"report.{language}.html" for language in ("en", "zh"))]))

    def _section(self, key: str) -> tuple[str, str, str]:
        return "", f"## {self.say(key)}", ""

    def _rules(self) -> Iterator[str]:
        for rule in self.report.rules:
            yield f"- {self.say(f'page.{rule.state}')} {_plain(text(spoken(rule.key, self.report.is_judged), self.language, **rule.facts))}"

    def _numbers(self) -> Iterator[str]:
        report = self.report
        yield from self._section("page.numbers")
        yield self.say("card.numbers_note", candidate=report.decision.candidate, versus=report.decision.versus, n=report.scored_rows,
                       documents=report.documents, drafted=report.drafted_rows)
        names = [self.say(f"column.{name}", level=level(float(report.settings["alpha"]))) for name in ("metric", "value", "n")]
        names += [report.decision.versus, self.say("column.difference"), self.say("column.verdict")]
        yield from ("", f"| {' | '.join(map(_cell, names))} |", f"|{'---|' * len(names)}")
        by_name = {(score.candidate, score.metric): score for score in report.scores}
        for metric in (one.name for one in METRICS):
            score, base = (by_name.get((name, metric)) for name in (report.decision.candidate, report.decision.versus))
            if score is None or base is None:
                continue
            difference = "" if score.difference is None or score.difference_low is None or score.difference_high is None else (
                f"{signed(score.difference, metric)} [{signed(score.difference_low, metric)}, {signed(score.difference_high, metric)}]")
            said = self.say(f"verdict.{score.verdict.replace(' ', '_')}") if score.verdict else ""
            value = f"{figure(score.value, metric)} [{figure(score.low, metric)}, {figure(score.high, metric)}]"
            cells = [self.say(f"metric.{metric}"), value, str(score.n), figure(base.value, metric), difference, said]
            yield f"| {' | '.join(map(_cell, cells))} |"

    def _ability(self) -> Iterator[str]:
        if self.report.ability is None:
            return
        yield from self._section("page.ability")
        for one in self.report.ability.scores:
            if one.candidate in (self.report.decision.candidate, self.report.decision.versus):
                yield (f"- {self.say(f'ability.group.{one.group}')}, {_plain(one.candidate)}: {one.right} / {one.n} "
                       f"[{100 * one.low:.0f} %, {100 * one.high:.0f} %]")

    def _data(self) -> Iterator[str]:
        lineage, report = self.lineage, self.report
        yield from self._section("card.data")
        yield f"- {self.say('card.base', base=lineage.base or '?', licence=lineage.base_licence or '?')}"
        yield f"- {self.say('card.rows', **lineage.rows, sources=len(lineage.sources))}"
        yield f"- {self.say('card.permissions', permissions=', '.join(lineage.permissions) or EVERYONE)}"
        artifacts = ", ".join(f"{stage} {found}" for stage, found in report.artifacts.items())
        yield f"- {self.say('card.artifacts', artifacts=artifacts)}"
        yield from (f"- {name}: sha256 {digest}" for name, digest in report.files.items())
        shown = list(lineage.sources.items())[:SOURCES_SHOWN]
        if shown:
            told = ", ".join(f"{_plain(source)} ({count})" for source, count in shown)
            more = len(lineage.sources) - len(shown)
            yield f"- {self.say('card.sources', sources=told)}{f' +{more}' if more else ''}"


def _plain(written: str) -> str:
    """A text on one line that Markdown does not read as marks."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(written.split()))


def _cell(written: str) -> str:
    return " ".join(written.split()).replace("|", "\\|")
