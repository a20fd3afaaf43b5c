"""A judge model compares drafts of candidate and base, each pair in both orders. It never decides the gate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.errors import ContextTooLong, InputError
from tutelage.core.files import write_rows
from tutelage.core.permission import parse
from tutelage.core.records import Example, Sampling
from tutelage.core.store import Making
from tutelage.desk.agreement import cohen_kappa
from tutelage.prompts.preferred import preferred_messages
from tutelage.scores import statistics
from tutelage.scores.referee_results import Choice, JudgeAgreement, JudgeScores, Opinion
from tutelage.scores.results import RowMeasure
from tutelage.scores.sample import Decisions, fingerprint
from tutelage.scores.settings import ScoresSettings

OPINIONS = "judge.jsonl"
LETTER = re.compile(r"\s*[\"'“‘(（\[*]{0,2}([ABT])[\"'”’)）\]*]{0,2}[.。]?\s*")
ANSWER_TOKENS = 8
RESAMPLES = 2_000


@dataclass(frozen=True)
class Referee:
    """A judge model. `is_away`: it answers at an address, so what it reads leaves this process."""

    name: str
    open: Callable[[], Engine]
    chat_format: ChatFormat
    is_away: bool = False


@dataclass(frozen=True)
class Pair:
    """The two drafts of a row."""

    row: Example
    candidate: str
    base: str


def check_may_read(referee: Referee, permissions: Collection[str], rows: Sequence[Example]) -> None:
    """Raise InputError if the judge answers at an address and anything that it would read is for a client only."""
    labels = [label for label in (*permissions, *(row.permission for row in rows)) if parse(label).client]
    if referee.is_away and labels:
        raise InputError(f"scores.judge: {referee.name} is an address, and rows or model are for {labels[0]} only: they never leave this "
                         "machine. Name a model folder or a .gguf file as the judge, or leave scores.judge out.")


def read_answer(answer: str) -> str:
    """A, B or T, if the answer is that letter and nothing else (quotes, brackets and a full stop apart); "" for all else. Never guessed."""
    found = LETTER.fullmatch(answer)
    return found[1] if found else ""


def judge_drafts(making: Making, referee: Referee, rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example], *,
                 candidate: str, base: str, decisions: Decisions, settings: ScoresSettings) -> JudgeScores:
    """Ask the judge about all rows that both drafted, and write judge.jsonl. `decisions` are what people said of drafts."""
    drafts = {name: {row.row: row.draft for row in rows[name] if row.draft is not None} for name in (candidate, base)}
    pairs = [Pair(example, drafts[candidate][row], drafts[base][row]) for row, example in examples.items()
             if row in drafts[candidate] and row in drafts[base]]
    differing = [pair for pair in pairs if pair.candidate.strip() != pair.base.strip()]
    making.events.note("scores", "scores.judge.asking", judge=referee.name, pairs=len(differing))
    engine = referee.open()
    try:
        asked = [ask(engine, referee.chat_format, pair, seed=settings.seed) for pair in differing]
    finally:
        engine.close()
    opinions = [opinion for opinion in asked if opinion]
    write_rows(making.folder / OPINIONS, opinions)
    scores = sum_up(opinions, judge=referee.name, candidate=candidate, versus=base, settings=settings)
    return scores.model_copy(update={"same": len(pairs) - len(differing), "too_long": len(asked) - len(opinions),
                                     "agreement": agreement(opinions, people(differing, decisions), settings)})


def ask(engine: Engine, chat_format: ChatFormat, pair: Pair, *, seed: int) -> Opinion | None:
    """What the judge says of the pair in both orders; None where both drafts do not fit its context."""
    prompts = [render(preferred_messages(pair.row.prompt, *texts, pair.row.language), chat_format, engine, reply=True).ids
               for texts in ((pair.candidate, pair.base), (pair.base, pair.candidate))]
    try:
        answers = engine.generate(prompts, Sampling(max_tokens=ANSWER_TOKENS, seed=seed), end_ids=[end_id(chat_format, engine)])
    except ContextTooLong:
        return None
    letters = [read_answer(answer.text) if answer.finish_reason == "stop" else "" for answer in answers]
    places: tuple[dict[str, Choice], dict[str, Choice]] = ({"A": "candidate", "B": "base", "T": "tie"},
                                                           {"A": "base", "B": "candidate", "T": "tie"})
    return Opinion(row=pair.row.id, document_id=pair.row.document_id or pair.row.id,
                   candidate_first=places[0].get(letters[0], "unreadable"), base_first=places[1].get(letters[1], "unreadable"),
                   answers=(answers[0].text, answers[1].text))


def sum_up(opinions: Sequence[Opinion], *, judge: str, candidate: str, versus: str, settings: ScoresSettings) -> JudgeScores:
    """Wins, losses and ties with the interval of their difference by resampled documents, and the position bias with Wilson's.

    A pair whose answer depends on the order is a tie. Source: Zheng et al. 2023, arXiv:2306.05685, section 3.4.
    """
    readable = [opinion for opinion in opinions if opinion.is_readable]
    n = len(readable)
    said = Counter(opinion.choice for opinion in readable)
    flipped = [opinion for opinion in readable if opinion.is_flipped]
    between = statistics.wilson(len(flipped), n, settings.alpha) if n else statistics.Interval(0.0, 1.0)
    difference = None
    if n:
        signs = [{"candidate": 1.0, "base": -1.0}.get(opinion.choice, 0.0) for opinion in readable]
        grouped = statistics.group([opinion.document_id for opinion in readable], signs, [1.0] * n)
        resampled = statistics.resampled_ratios([grouped], resamples=settings.bootstrap, seed=settings.seed)
        difference = statistics.percentile_interval(resampled[0], settings.alpha)
    choices = [choice for opinion in opinions for choice in (opinion.candidate_first, opinion.base_first)]
    return JudgeScores(
        judge=judge, candidate=candidate, versus=versus, n=n, answers=len(choices), unreadable=choices.count("unreadable"), same=0,
        too_long=0, wins=said["candidate"], losses=said["base"], ties=said["tie"],
        difference=(said["candidate"] - said["base"]) / n if n else None, low=difference.low if difference else None,
        high=difference.high if difference else None, flipped=len(flipped), flipped_low=between.low, flipped_high=between.high,
        to_first=sum((opinion.candidate_first, opinion.base_first) == ("candidate", "base") for opinion in flipped), agreement=None)


def people(pairs: Sequence[Pair], decisions: Decisions) -> dict[str, Choice]:
    """What people prefer of each pair of which they judged both drafts: the one that alone is acceptable, else a tie."""
    found: dict[str, Choice] = {}
    for pair in pairs:
        marks = [decisions.get((pair.row.id, fingerprint(draft))) for draft in (pair.candidate, pair.base)]
        if None not in marks:
            found[pair.row.id] = "tie" if marks[0] == marks[1] else "candidate" if marks[0] else "base"
    return found


def agreement(opinions: Sequence[Opinion], said: Mapping[str, Choice], settings: ScoresSettings) -> JudgeAgreement | None:
    """How often judge and people agree on the pairs that both decided; None where there is none."""
    both = [(opinion.document_id, opinion.choice, said[opinion.row]) for opinion in opinions if opinion.is_readable and opinion.row in said]
    if not both:
        return None
    agreed = sum(one == other for _, one, other in both)
    between = statistics.wilson(agreed, len(both), settings.alpha)
    kappa = cohen_kappa(Counter((one, other) for _, one, other in both))
    resampled = _kappas(both, settings.seed) if kappa is not None else []
    low, high = np.quantile(resampled, [settings.alpha / 2, 1 - settings.alpha / 2]) if resampled else (None, None)
    sided = [(one, other) for _, one, other in both if other != "tie"]
    return JudgeAgreement(
        n=len(both), agreed=agreed, low=between.low, high=between.high, kappa=kappa, kappa_low=None if low is None else float(low),
        kappa_high=None if high is None else float(high), sided=len(sided), sided_agreed=sum(one == other for one, other in sided))


def _kappas(both: Sequence[tuple[str, Choice, Choice]], seed: int) -> list[float]:
    """Kappa in each resample of documents where it is defined."""
    by_document: dict[str, Counter[tuple[str, str]]] = {}
    for document, one, other in both:
        by_document.setdefault(document, Counter())[one, other] += 1
    counts = list(by_document.values())
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn: Counter[tuple[str, str]] = Counter()
        for place in rng.integers(len(counts), size=len(counts)):
            drawn.update(counts[place])
        kappa = cohen_kappa(drawn)
        if kappa is not None:
            found.append(kappa)
    return found
