"""Makes the scores: asks every candidate the same held-out rows, compares them, decides the gate and writes the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.copies import Copies
from tutelage.core.errors import InputError
from tutelage.core.files import write_rows, write_whole
from tutelage.core.history import Fate
from tutelage.core.language import failure
from tutelage.core.records import Example, GateDecision, Score
from tutelage.core.store import Making, installed_versions
from tutelage.scores import plots
from tutelage.scores.ability import judge_ability
from tutelage.scores.ability_results import AbilityScores
from tutelage.scores.beside import Beside, check_may_send, measure_beside
from tutelage.scores.canaries import judge_canaries
from tutelage.scores.card import CARD, lineage_of, render_card
from tutelage.scores.classifier import TypeClassifier, train_classifier
from tutelage.scores.compare import compare, judge_reference, judge_rows
from tutelage.scores.confusion import confusions, reliability
from tutelage.scores.contamination import by_relation, hint, leaked, relatives, seems_known
from tutelage.scores.costs import COSTS, costs_of, costs_of_copies
from tutelage.scores.gate import apply_rules, decide, judge_copy
from tutelage.scores.inputs import Inputs, of_stages
from tutelage.scores.judged import decide_judged, decides, judged_rules
from tutelage.scores.measure import Asked, Candidate, choose_rows, measure
from tutelage.scores.memory import Probed, judge_memory
from tutelage.scores.overlap import tokens
from tutelage.scores.page import render_page
from tutelage.scores.planned import PersonalData, plan
from tutelage.scores.plot_results import Cost, HeatRow, Reliability
from tutelage.scores.referee import Referee, check_may_read, judge_drafts
from tutelage.scores.report import choose_examples, choose_worst, headline, spoken
from tutelage.scores.results import (
    CandidateMeasured,
    Comparison,
    Hint,
    Limit,
    Memory,
    Reference,
    RelationScores,
    Report,
    RowMeasure,
    Rule,
    Slice,
)
from tutelage.scores.sample import decisions
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.slices import heat, slices
from tutelage.scores.statistics import documents_to_decide
from tutelage.scores.stems import stemmed_tokens
from tutelage.scores.wins import wins
from tutelage.text.leaks import LEAK_SIMILARITY

__all__ = ["Candidate", "Inputs", "judge", "make"]

FEW_DOCUMENTS = 20
DRAFTING_RULES = ("looping_share", "clause_type_match")


@dataclass(frozen=True)
class _Roles:
    """Names of the candidates by role; of models that were brought to be judged, the candidate is the copy and `tuned` is None."""

    base: str
    tuned: str | None
    copy: str


@dataclass(frozen=True)
class _Found:
    """All that was computed, before it is written."""

    rows: dict[str, list[RowMeasure]]
    examples: dict[str, Example]
    scores: list[Score]
    comparisons: list[Comparison]
    rules: list[Rule]
    decision: GateDecision
    reference: Reference | None
    slices: list[Slice]
    memory: Memory | None
    relations: list[RelationScores]
    hint: Hint | None
    ability: AbilityScores | None
    leaks: int | None
    heat: list[HeatRow]
    reliability: Reliability | None


def make(making: Making, *, candidates: Sequence[Candidate], learned: Mapping[str, int] | None = None,
         personal_data: PersonalData | None = None, base_licence: str = "", referee: Referee | None = None,
         beside: Beside | None = None) -> None:
    """Write scores.jsonl, rows.jsonl, gate.json, costs.jsonl, report.json, a page in each language and a model card. A closed gate is a
    result, not an error.

    Takes exactly one candidate of each role. `learned` says how often each training row received loss (None: each that was used, once),
    `personal_data` gives that of the original documents, for `memory: full`; `base_licence` stands on the card, `referee` compares
    drafts, `beside` is measured beside the three and decides nothing. Raises InputError for other candidates, or where no held-out row
    is left.
    """
    _check(candidates, ("base", "copy", "tuned"))
    rows = of_stages(making, learned)
    report = judge(making, rows, candidates=candidates, personal_data=personal_data, referee=referee, beside=beside)
    write_whole(making.folder / CARD, render_card(report, lineage_of(making, rows, base_licence=base_licence), making.language))


def judge(making: Making, rows: Inputs, *, candidates: Sequence[Candidate], personal_data: PersonalData | None = None,
          referee: Referee | None = None, beside: Beside | None = None) -> Report:
    """The same for rows and candidates from anywhere, without a model card: a base and a copy, with a tuned model between them or not.

    `referee` is a judge model that compares the drafts of base and copy. Gives the report that was written.
    """
    settings = making.settings
    assert isinstance(settings, ScoresSettings)
    if referee:
        check_may_read(referee, making.permissions, [*rows.held_out, *rows.train])
    if beside:
        check_may_send(beside, making.permissions, rows.held_out)
    roles = _check(candidates, ("base", "copy") if rows.is_judged else ("base", "copy", "tuned"))
    making.ledger.rows_in(row.id for row in rows.held_out)
    chosen = choose_rows(rows.held_out, settings.held_out, settings.seed)
    asked = plan(rows, chosen, settings, personal_data)
    measured = _measure_all(making, candidates, asked, settings)
    examples = _settle(making, rows, chosen, measured, settings)
    classifier = train_classifier(rows.train)
    if classifier is None and not rows.is_judged:
        making.events.warning("scores", "scores.no_classifier")
    found = _compute(rows, measured, examples, roles, classifier, settings)
    documents = len({row.document_id for row in found.rows[roles.base]})
    if documents < FEW_DOCUMENTS:
        making.events.warning("scores", "scores.few_documents", documents=documents, needed=documents_to_decide(settings.alpha))
    formats = ", ".join(dict.fromkeys(candidate.chat_format.name for candidate in candidates))
    report = _report(rows, found, measured, roles, classifier, formats, settings)
    if referee:
        report = report.model_copy(update={"judge": judge_drafts(
            making, referee, found.rows, found.examples, candidate=roles.copy, base=roles.base, decisions=decisions(making.work),
            settings=settings)})
    if beside:
        report = report.model_copy(update={"beside": measure_beside(
            making, beside, candidates=candidates, validation=rows.validation, rows=found.rows, examples=found.examples,
            classifier=classifier)})
    _write(making, rows, found, report, costs_of(measured, found.scores), settings)
    _tell(making, found, report, measured)
    return report


def _check(candidates: Sequence[Candidate], expected: tuple[str, ...]) -> _Roles:
    roles = sorted(candidate.role for candidate in candidates)
    names = [candidate.name for candidate in candidates]
    if tuple(roles) != expected or len(set(names)) != len(names):
        raise InputError(f"scores compare one base, one tuned model and one copy under different names; got "
                         f"{', '.join(f'{candidate.name} ({candidate.role})' for candidate in candidates) or 'nothing'}.")
    by_role = {candidate.role: candidate.name for candidate in candidates}
    return _Roles(by_role["base"], by_role.get("tuned"), by_role["copy"])


def _measure_all(making: Making, candidates: Sequence[Candidate], plans: Mapping[str, Asked],
                 settings: ScoresSettings) -> list[CandidateMeasured]:
    """Ask one candidate after the other, each what is planned for its role. What a killed run finished stands in scratch and is not asked
    again.
    """
    total, done = sum(plans[candidate.role].units for candidate in candidates), 0
    result = []
    for candidate in candidates:
        kept, asked = making.scratch / f"{candidate.name}.json", plans[candidate.role]
        if kept.exists():
            result.append(CandidateMeasured.model_validate_json(kept.read_text("utf-8")))
            done += asked.units
            making.events.note("scores", "scores.resumed", candidate=candidate.name)
            continue

        def progress(count: int, name: str = candidate.name) -> None:
            nonlocal done
            done += count
            making.events.step("scores", done=done, total=total, candidate=name)

        making.events.note("scores", "scores.measuring", candidate=candidate.name, rows=len(asked.rows), drafts=len(asked.drafted))
        measured = measure(candidate, asked, settings, progress)
        write_whole(kept, measured.model_dump_json())
        result.append(measured)
    return result


def _settle(making: Making, rows: Inputs, chosen: Sequence[Example], measured: Sequence[CandidateMeasured],
            settings: ScoresSettings) -> dict[str, Example]:
    """The rows that every candidate scored, by id, in the order in which they were drawn; each held-out row gets its fate."""
    too_long = {row: one.candidate for one in measured for row in one.too_long}
    kept = {row.id: row for row in chosen if row.id not in too_long}
    for row in rows.held_out:
        if row.id in kept:
            fate = Fate(row=row.id, what="kept", reason="scored", name=row.heading)
        elif row.id in too_long:
            fate = Fate(row=row.id, what="dropped", reason="longer than a candidate's context", name=row.heading, detail=too_long[row.id])
        else:
            fate = Fate(row=row.id, what="dropped", reason="beyond the setting held_out", name=row.heading, detail=str(settings.held_out))
        making.ledger.record(fate)
    if too_long:
        making.events.warning("scores", "scores.too_long", rows=len(too_long))
    if not kept:
        raise failure(InputError, "scores.error.none_fits", rows=len(chosen), candidates=", ".join(sorted(set(too_long.values()))))
    return kept


def _compute(rows: Inputs, measured: Sequence[CandidateMeasured], examples: Mapping[str, Example], roles: _Roles,
             classifier: TypeClassifier | None, settings: ScoresSettings) -> _Found:
    drafts_of = [{row.row for row in one.rows if row.answer is not None} for one in measured]
    drafted = [row for row in examples if all(row in drafts for drafts in drafts_of)]
    by_name = {one.candidate: one for one in measured}
    cut = stemmed_tokens if settings.rouge_stems else tokens
    judged = {one.candidate: judge_rows(one, examples, drafted, classifier, rows.checks, cut) for one in measured}
    tokens_agree = _same_tokens(measured)
    pairs = [(roles.copy, roles.base)] if roles.tuned is None else [(roles.tuned, roles.base), (roles.copy, roles.base),
                                                                    (roles.copy, roles.tuned)]
    scores, comparisons = compare(judged, examples, pairs, base=roles.base, settings=settings, same_tokens=tokens_agree)
    by_pair = {(one.candidate, one.versus, one.metric): one for one in comparisons}
    drafting = [by_pair[roles.copy, roles.base, metric] for metric in DRAFTING_RULES if (roles.copy, roles.base, metric) in by_pair]
    scored = list(examples.values())
    familiar = relatives(rows.train, scored)
    leaks = len(leaked([*rows.train, *rows.validation], scored, rows.common)) if rows.seen_is_known else None
    memory = _memory(rows, by_name, judged, roles, settings)
    rules, decision = _decide(by_pair, roles, drafting, leaks, settings, memory, rows.copies)
    referred = [examples[row] for row in drafted or examples if examples[row].text]
    reply_tokens = {row.row: row.reply_tokens for row in judged[roles.base]} if tokens_agree else {}
    typed = [example for example in scored if example.text and example.clause_type]
    base = by_name[roles.base]
    known = seems_known(base, examples)

    def scores_of(part: Mapping[str, Sequence[RowMeasure]]) -> list[Score]:
        return compare(part, examples, pairs, base=roles.base, settings=settings, same_tokens=tokens_agree)[0]

    return _Found(
        rows=judged, examples=dict(examples), scores=scores, comparisons=comparisons, rules=rules, decision=decision,
        reference=judge_reference(referred, reply_tokens, classifier, settings) if referred else None,
        slices=slices(judged[roles.copy], judged[roles.base], examples, familiar, settings, known=known or None), memory=memory,
        relations=by_relation(judged, familiar, scores_of), hint=hint(base, examples), leaks=leaks,
        heat=heat(judged, examples, familiar, known=known or None), reliability=reliability(classifier, typed, settings.alpha),
        ability=judge_ability({one.candidate: one.ability for one in measured}, pairs, settings))


def _memory(rows: Inputs, measured: Mapping[str, CandidateMeasured], judged: Mapping[str, Sequence[RowMeasure]], roles: _Roles,
            settings: ScoresSettings) -> Memory | None:
    """What the tuned model gives away; None where there is no tuned model, or nothing was probed."""
    if roles.tuned is None:
        return None
    canaries = judge_canaries(rows.canaries, measured[roles.tuned], rows.learned, settings)
    return judge_memory(Probed(measured[roles.base], measured[roles.tuned], measured[roles.copy]), rows.train, judged, settings,
                        canaries=canaries)


def _same_tokens(measured: Sequence[CandidateMeasured]) -> bool:
    """Whether all candidates spell the replies with the same tokens."""
    return len({one.spelling for one in measured}) == 1 and bool(measured[0].spelling)


def _decide(by_pair: Mapping[tuple[str, str, str], Comparison], roles: _Roles, drafting: Sequence[Comparison], leaks: int | None,
            settings: ScoresSettings, memory: Memory | None, copies: Copies | None) -> tuple[list[Rule], GateDecision]:
    if roles.tuned is None or leaks is None:
        measured = {metric for _, _, metric in by_pair}
        compared = by_pair[roles.copy, roles.base, decides(measured)]
        rules = judged_rules(compared, drafting, leaks)
        return rules, decide_judged(compared, rules, settings)
    copy_base, copy_tuned = (by_pair[roles.copy, other, "bits_per_byte"] for other in (roles.base, roles.tuned))
    return (apply_rules(copy_base, copy_tuned, drafting, leaks, settings, memory),
            decide(copy_base, copy_tuned, drafting, leaks, settings, memory, larger=copies.larger if copies else None))


def _report(rows: Inputs, found: _Found, measured: Sequence[CandidateMeasured], roles: _Roles, classifier: TypeClassifier | None,
            chat_format: str, settings: ScoresSettings) -> Report:
    cost = next((one for one in found.comparisons
                 if (one.candidate, one.versus, one.metric) == (roles.copy, roles.tuned, "bits_per_byte")), None)
    languages = [row.language for row in found.examples.values()]
    return Report(
        decision=found.decision, copy_state=judge_copy(cost, settings.copy_margin_bits_per_byte) if cost else None,
        copy_margin=settings.copy_margin_bits_per_byte if cost else None, rules=tuple(found.rules), candidates=tuple(found.rows),
        scores=tuple(found.scores), comparisons=tuple(found.comparisons), reference=found.reference,
        classifier_rows=classifier.rows if classifier else 0, classifier_types=len(classifier.types) if classifier else 0,
        held_out_rows=len(rows.held_out), scored_rows=len(found.examples),
        drafted_rows=sum(row.draft is not None for row in found.rows[roles.base]),
        documents=len({row.document_id for row in found.rows[roles.base]}),
        too_long_rows=len({row for one in measured for row in one.too_long}),
        languages={language: languages.count(language) for language in sorted(set(languages))},
        leaks=found.leaks, leak_threshold=LEAK_SIMILARITY, artifacts=dict(rows.artifacts),
        settings=settings.model_dump() | {"beside": ", ".join(settings.beside)}, files=dict(rows.files),
        engines={one.candidate: one.engine for one in measured}, chat_format=chat_format,
        packages=installed_versions(), slices=tuple(found.slices), memory=found.memory,
        relations=tuple(found.relations), hint=found.hint, ability=found.ability,
        trained_rows=len(rows.train) + len(rows.validation) if rows.seen_is_known else None,
        examples=choose_examples(found.rows, found.examples),
        worst=choose_worst(found.rows, found.examples, candidate=roles.copy, base=roles.base, metric=found.decision.metric),
        is_judged=rows.is_judged, repeat=rows.repeat, not_measured=(*rows.not_measured, *_not_measured(measured)), heat=tuple(found.heat),
        confusions=tuple(confusions(found.rows)), reliability=found.reliability, copies=rows.copies,
        wins=tuple(wins(found.rows, base=roles.base)), sure={one.candidate: one.sure for one in measured if one.sure})


def _not_measured(measured: Sequence[CandidateMeasured]) -> list[Limit]:
    """What the engines could not give."""
    limits = [Limit(key="scores.limit.no_logprobs", facts={"candidate": one.candidate, "why": one.cannot_score})
              for one in measured if one.cannot_score]
    limits += [Limit(key="scores.limit.as_served", facts={"candidate": one.candidate}) for one in measured if not one.spelling]
    return limits if _same_tokens(measured) else [*limits, Limit(key="scores.limit.other_tokens")]


def _write(making: Making, rows: Inputs, found: _Found, report: Report, costs: Sequence[Cost], settings: ScoresSettings) -> None:
    write_rows(making.folder / "scores.jsonl", found.scores)
    write_rows(making.folder / COSTS, costs)
    write_rows(making.folder / "rows.jsonl", [row for measures in found.rows.values() for row in measures])
    write_whole(making.folder / "gate.json", found.decision.model_dump_json(indent=1))
    write_whole(making.folder / "report.json", report.model_dump_json(indent=1))
    counted = any(score.metric == "draft_tokens" for score in report.scores)
    lengths = {name: [row.draft_tokens for row in measures if row.draft_tokens is not None] if counted else []
               for name, measures in found.rows.items()}
    for language in ("en", "zh"):
        drawn = {
            "curve": plots.training_curve(rows.curve, language),
            "lengths": plots.length_histogram(lengths, settings.max_draft_tokens, language),
            "candidates": plots.candidates_plot(report.scores, report.candidates, language),
            "forest": plots.forest_plot(report.comparisons, report.copy_margin, report.decision.versus, language),
            "pareto": plots.pareto_plot(costs, report.scores, language),
            "copies": plots.pareto_plot(*costs_of_copies(report.copies), language, name="copies") if report.copies else "",
            "reliability": plots.reliability_plot(report.reliability, language),
            "sure": plots.sure_plot(report.sure, language),
            "exposure": plots.exposure_plot(report.memory.canaries if report.memory else None, language),
        }
        write_whole(making.folder / f"report.{language}.html", render_page(report, costs, drawn, language))


def _tell(making: Making, found: _Found, report: Report, measured: Sequence[CandidateMeasured]) -> None:
    """Counts, facts and the verdict."""
    making.counts.update(scored=report.scored_rows, drafted=report.drafted_rows)
    if found.leaks is not None:
        making.counts["leaks"] = found.leaks
    for one in measured:
        making.facts[f"seconds_scoring_{one.candidate}"] = one.seconds_scoring
        making.facts[f"seconds_drafting_{one.candidate}"] = one.seconds_drafting
    decision = found.decision
    making.facts.update(is_open=decision.is_open, verdict=decision.verdict, difference=decision.difference)
    key, facts = headline(decision, float(report.settings["alpha"]))
    making.events.send("scores", "verdict", spoken(key, report.is_judged), is_open=decision.is_open, **facts)
    making.events.note("scores", decision.next_key, **decision.facts)
