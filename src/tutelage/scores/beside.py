"""Candidates beside the three that decide, on the same rows: the library's clause alone, prompts that show it or instruct more fully, and
an outside engine. They change no number that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tutelage.core.errors import InputError
from tutelage.core.files import write_rows, write_whole
from tutelage.core.permission import parse
from tutelage.core.records import Answer, Example
from tutelage.core.store import Making
from tutelage.prompts.instructed import INSTRUCTIONS
from tutelage.prompts.with_clause import with_clause
from tutelage.scores.beside_compare import Others, compare_beside, score_lines
from tutelage.scores.beside_prompts import choose_prompt, with_instruction
from tutelage.scores.beside_results import BesideCandidate, BesideScores, Kind, PromptTried, Said
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.measure import Asked, Candidate, measure
from tutelage.scores.results import CandidateMeasured, Measured, RowMeasure
from tutelage.scores.settings import ScoresSettings

NAMES: dict[Kind, str] = {"retrieval": "retrieval", "base_with_prompt": "base + prompt", "base_with_retrieval": "base + retrieval",
                          "tuned_with_retrieval": "tuned + retrieval", "outside": "outside"}


@dataclass(frozen=True)
class Retrieved:
    """A clause of the library: its text, the training row that it comes from, and the document of that row."""

    text: str
    row: str
    source: str


@dataclass(frozen=True)
class Beside:
    """What the pipeline hands over: a search in the library for the clause that answers a row best, and an outside engine."""

    retrieve: Callable[[Example], Retrieved | None] | None = None
    outside: Candidate | None = None


@dataclass(frozen=True)
class _Part:
    """One candidate that is asked: which engine, with which rows, of which some lack a clause."""

    kind: Kind
    candidate: Candidate
    rows: Sequence[Example]
    settings: ScoresSettings
    without_clause: int = 0


def check_may_send(beside: Beside, permissions: Collection[str], rows: Sequence[Example]) -> None:
    """Raise InputError if an outside engine is named and anything that it would read is for a client only."""
    labels = [label for label in (*permissions, *(row.permission for row in rows)) if parse(label).client]
    if beside.outside and labels:
        raise InputError(f"scores.outside: is an address, and rows are for {labels[0]} only: they never leave this machine. "
                         "Leave scores.outside out.")


def measure_beside(making: Making, beside: Beside, *, candidates: Sequence[Candidate], validation: Sequence[Example],
                   rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example],
                   classifier: TypeClassifier | None) -> BesideScores | None:
    """Ask all that the settings want beside the three, and compare each with base and copy; None where nothing is asked for.

    `rows` are those of the three candidates, `examples` the rows that all of these scored. Writes beside.jsonl and beside_rows.jsonl.
    What a killed run finished is not asked again.
    """
    settings = making.settings
    assert isinstance(settings, ScoresSettings)
    by_role: dict[str, Candidate] = {candidate.role: candidate for candidate in candidates}
    base, copy = by_role["base"].name, by_role["copy"].name
    drafted = [row.row for row in rows[base] if row.draft is not None]
    not_measured: list[Said] = []
    found = _retrieve(beside, examples, settings, not_measured)
    others = Others({base: rows[base], copy: rows[copy]}, examples, drafted, classifier, settings)
    made: list[tuple[BesideCandidate, list[RowMeasure]]] = []
    if found is not None and "retrieval" in settings.beside and drafted:
        alone = _alone(found, examples, drafted)
        made.append(compare_beside("retrieval", alone, others, without_clause=sum(found[row] is None for row in drafted)))
    tried = _tried(making, by_role["base"], validation, settings, not_measured)
    for part in _parts(beside, by_role, examples, found, tried, drafted, settings):
        asked = Asked(part.rows, set(drafted))
        made.append(compare_beside(part.kind, _ask(making, part, asked), others, without_clause=part.without_clause))
    if not made and not not_measured:
        return None
    write_rows(making.folder / "beside_rows.jsonl", [row for _, measures in made for row in measures])
    result = others.settle([one for one, _ in made], tried, not_measured, copy=copy)
    write_rows(making.folder / "beside.jsonl", score_lines(result))
    return result


def _retrieve(beside: Beside, examples: Mapping[str, Example], settings: ScoresSettings,
              not_measured: list[Said]) -> dict[str, Retrieved | None] | None:
    """The clause for each row; None where there is no library or nothing is asked of it."""
    wanted = {"retrieval", "base_with_retrieval", "tuned_with_retrieval"} & set(settings.beside)
    if not wanted or beside.retrieve is None:
        return None
    if any(example.task != "clause" for example in examples.values()):
        not_measured.append(Said(key="scores.beside.no_library"))
        return None
    return {row: beside.retrieve(example) for row, example in examples.items()}


def _alone(found: Mapping[str, Retrieved | None], examples: Mapping[str, Example], drafted: Collection[str]) -> CandidateMeasured:
    """The retrieved clauses as if they were drafts; an empty one where nothing was found."""
    def answer(row: str) -> Answer | None:
        clause = found[row]
        return Answer(text=clause.text if clause else "", token_ids=(), prompt_tokens=0, finish_reason="stop",
                      model=clause.row if clause else "") if row in drafted else None

    measured = tuple(Measured(row=row, nats=None, reply_tokens=0, size_bytes=len(example.text.encode("utf-8")), answer=answer(row))
                     for row, example in examples.items())
    return CandidateMeasured(candidate=NAMES["retrieval"], engine="library", seconds_scoring=0.0, seconds_drafting=0.0, rows=measured,
                             too_long=())


def _tried(making: Making, base: Candidate, validation: Sequence[Example], settings: ScoresSettings,
           not_measured: list[Said]) -> list[PromptTried]:
    if "base_with_prompt" not in settings.beside:
        return []
    making.events.note("scores", "scores.beside.choosing")
    tried = choose_prompt(base, validation, settings) if validation else []
    if not tried:
        not_measured.append(Said(key="scores.beside.no_prompt"))
    return tried


def _parts(beside: Beside, by_role: Mapping[str, Candidate], examples: Mapping[str, Example], found: Mapping[str, Retrieved | None] | None,
           tried: Sequence[PromptTried], drafted: Collection[str], settings: ScoresSettings) -> list[_Part]:
    """What is asked of an engine, in the order of the page."""
    parts = []
    chosen = next((name for name in INSTRUCTIONS for one in tried if one.is_chosen and one.prompt == name), None)
    if chosen:
        rows = [with_instruction(example, chosen) for example in examples.values()]
        parts.append(_Part("base_with_prompt", replace(by_role["base"], name=NAMES["base_with_prompt"]), rows, settings))
    roles: tuple[tuple[Kind, str], ...] = (("base_with_retrieval", "base"), ("tuned_with_retrieval", "tuned"))
    for kind, role in roles:
        if found is not None and kind in settings.beside and role in by_role:
            shown = [_shown(example, found[row]) for row, example in examples.items()]
            parts.append(_Part(kind, replace(by_role[role], name=NAMES[kind]), shown, settings,
                               without_clause=sum(one is None for one in found.values())))
    if beside.outside and drafted:
        served = settings.model_copy(update={"repetition_penalty": 1.0})  # services have no common name for it
        parts.append(_Part("outside", replace(beside.outside, name=NAMES["outside"]), [examples[row] for row in drafted], served))
    return parts


def _shown(example: Example, clause: Retrieved | None) -> Example:
    """The row with the clause in its prompt; as it was where nothing was found."""
    if clause is None:
        return example
    return example.model_copy(update={"messages": (*with_clause(example.prompt, clause.text, example.language), example.messages[-1])})


def _ask(making: Making, part: _Part, asked: Asked) -> CandidateMeasured:
    kept, name, done = making.scratch / f"beside-{part.kind}.json", part.candidate.name, 0
    if kept.exists():
        making.events.note("scores", "scores.resumed", candidate=name)
        return CandidateMeasured.model_validate_json(kept.read_text("utf-8"))

    def progress(count: int) -> None:
        nonlocal done
        done += count
        making.events.step("scores", done=done, total=asked.units, candidate=name)

    making.events.note("scores", "scores.measuring", candidate=name, rows=len(asked.rows), drafts=len(asked.drafted))
    measured = measure(part.candidate, asked, part.settings, progress)
    write_whole(kept, measured.model_dump_json())
    return measured
