"""What each candidate says of the held-out rows: it is opened, asked, and closed before the next one is opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tutelage.core.chat import ChatFormat, end_id
from tutelage.core.engine import CannotDo, Engine, HasOwnProcess
from tutelage.core.errors import ContextTooLong
from tutelage.core.files import short_hash
from tutelage.core.memory import most_of_process_mb
from tutelage.core.records import Answer, Example, Language, Sampling
from tutelage.engine.child_engine import kind_of
from tutelage.scores.ability import AbilityItem, ask_items
from tutelage.scores.asked import Prepared, Surprise, prepare, score_rows
from tutelage.scores.calibration import calibration
from tutelage.scores.personal import Known, Lure, emit
from tutelage.scores.probes import SHORT, Probed, probe
from tutelage.scores.results import CandidateMeasured, Measured
from tutelage.scores.settings import ScoresSettings

DRAFTED_ROWS = 48  # at once: for an engine, many replies cost little more than few


@dataclass(frozen=True)
class Asked:
    """What a candidate is asked: rows to score, which of them to draft, and probes of its memory.

    `probed` are training rows, of which `continued` are to be continued after each of `tokens`, beside as many of `rows`. `canaries` are
    planted texts with their controls, `never_planted` those that they are ranked among. `lures` ask for personal data; `known` is what
    must not come out. `ability` are items of the general set.
    """

    rows: Sequence[Example]
    drafted: Collection[str] = ()
    probed: Sequence[Example] = ()
    continued: int = 0
    tokens: tuple[int, ...] = (SHORT,)
    canaries: Sequence[Example] = ()
    never_planted: Mapping[Language, Sequence[Example]] = field(default_factory=dict)
    lures: Sequence[Lure] = ()
    known: Known | None = None
    ability: Sequence[AbilityItem] = ()

    @property
    def units(self) -> int:
        """Rows to do, for the progress bar."""
        return (len(self.rows) + len(self.drafted) + len(self.probed) + len(self.canaries) + sum(map(len, self.never_planted.values()))
                + len(self.lures) + len(self.ability))


@dataclass(frozen=True)
class Candidate:
    """A model to be compared. `open` loads it; it is closed again before the next one is opened.

    One of role "beside" decides nothing. `is_served`: a service answers, whose tokens are its own, so that figures in tokens mean
    nothing beside other candidates.
    `size_bytes` is that of its file or folder, where it has one here.
    """

    name: str
    role: Literal["base", "tuned", "copy", "beside"]
    open: Callable[[], Engine]
    chat_format: ChatFormat
    is_served: bool = False
    size_bytes: int | None = None


def choose_rows(rows: Sequence[Example], limit: int, seed: int) -> list[Example]:
    """At most `limit` rows, drawn by a hash of seed and id: the same rows whatever the order they came in."""
    return sorted(rows, key=lambda row: short_hash(str(seed), row.id))[:limit]


def choose_drafted(rows: Sequence[Example], limit: int) -> list[Example]:
    """At most `limit` rows, one clause type after the other in turn, so that rare types are drafted too."""
    seen: dict[str, int] = {}
    rounds: list[int] = []
    for row in rows:
        rounds.append(seen.get(row.clause_type, 0))
        seen[row.clause_type] = rounds[-1] + 1
    order = sorted(range(len(rows)), key=lambda place: (rounds[place], place))
    return [rows[place] for place in sorted(order[:limit])]


def measure(candidate: Candidate, asked: Asked, settings: ScoresSettings, progress: Callable[[int], None]) -> CandidateMeasured:
    """All that the candidate is asked. A row without a true reply is drafted and not scored. An engine that cannot score drafts all the
    same. `progress` hears how many units were done since the last call.
    """
    engine = candidate.open()
    try:
        prepared = [prepare(row, candidate.chat_format, engine) for row in asked.rows]
        fits = [one for one in prepared if len(one.ids) <= engine.context_length]
        started = time.monotonic()
        surprises, cannot_score = _score(engine, [one for one in fits if one.row.text], progress)
        scored = time.monotonic()
        to_draft = [one for one in fits if one.row.id in asked.drafted]
        answers = _draft(engine, candidate.chat_format, to_draft, settings, progress)
        finished = time.monotonic()
        memory = _remembered(engine, candidate.chat_format, asked, fits, surprises, progress) if not cannot_score else {}
        if asked.known is not None:
            memory["emitted"] = emit(engine, candidate.chat_format, asked.lures, [answer.text for answer in answers.values()], asked.known,
                                     progress)
        ability = ask_items(engine, candidate.chat_format, asked.ability, progress)
        most = most_of_process_mb(engine.pid) if isinstance(engine, HasOwnProcess) and engine.pid else None
    finally:
        engine.close()
    measured = tuple(Measured(
        row=one.row.id, nats=found.nats if (found := surprises.get(one.row.id)) else None, hardest=found.hardest if found else None,
        reply_tokens=len(one.ids) - one.start, size_bytes=len(one.row.text.encode("utf-8")), answer=answers.get(one.row.id))
        for one in fits)
    return CandidateMeasured(
        candidate=candidate.name, engine=kind_of(engine), rows=measured, size_bytes=candidate.size_bytes,
        peak_memory_mb=None if most is None else round(most),
        seconds_scoring=round(scored - started, 2), seconds_drafting=round(finished - scored, 2),
        too_long=tuple(one.row.id for one in prepared if len(one.ids) > engine.context_length), cannot_score=cannot_score,
        spelling="" if candidate.is_served else short_hash(*(str(one.ids[one.start:]) for one in fits)),
        ability=ability, sure=calibration([guess for one in surprises.values() for guess in one.guesses], settings.alpha), **memory)


def _remembered(engine: Engine, chat_format: ChatFormat, asked: Asked, fits: Sequence[Prepared], surprises: Mapping[str, Surprise],
                progress: Callable[[int], None]) -> dict[str, Any]:
    """Probes of memory that need log-probabilities, by field of CandidateMeasured."""
    def fitting(rows: Sequence[Example]) -> list[Prepared]:
        return [one for one in (prepare(row, chat_format, engine) for row in rows) if len(one.ids) <= engine.context_length]

    found: dict[str, Any] = {}
    if asked.probed:
        probed = Probed(fitting(asked.probed), fits[:len(asked.probed)], asked.continued, asked.tokens)
        found["probes"] = probe(engine, end_id(chat_format, engine), probed, surprises, progress)
    if asked.canaries:
        planted = score_rows(engine, fitting(asked.canaries), progress)
        found["canaries"] = {row.parent: planted[row.id].nats for row in asked.canaries if row.id in planted}
        found["never_planted"] = {language: tuple(one.nats for one in score_rows(engine, fitting(rows), progress).values())
                                  for language, rows in asked.never_planted.items()}
    return found


def _score(engine: Engine, prepared: Sequence[Prepared], progress: Callable[[int], None]) -> tuple[dict[str, Surprise], str]:
    """Surprises by row, and why there are none where the engine gives no log-probabilities."""
    try:
        return score_rows(engine, prepared, progress), ""
    except CannotDo as error:
        progress(len(prepared))
        return {}, str(error)


def _draft(engine: Engine, chat_format: ChatFormat, prepared: Sequence[Prepared], settings: ScoresSettings,
           progress: Callable[[int], None]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    sampling = Sampling(max_tokens=settings.max_draft_tokens, repetition_penalty=settings.repetition_penalty, seed=settings.seed)
    end = end_id(chat_format, engine)
    fits = [one for one in prepared if one.start + settings.max_draft_tokens <= engine.context_length]
    by_length = sorted(fits, key=lambda one: (one.start, one.row.id))
    for begin in range(0, len(by_length), DRAFTED_ROWS):
        batch = by_length[begin:begin + DRAFTED_ROWS]
        answers.update(_replies(engine, batch, sampling, end))
        progress(len(batch))
    return answers


def _replies(engine: Engine, batch: Sequence[Prepared], sampling: Sampling, end: int) -> dict[str, Answer]:
    """Replies by row. Where one prompt is too long for a service, which counts tokens itself, only that row goes without."""
    try:
        replies = engine.generate([one.ids[:one.start] for one in batch], sampling, end_ids=(end,))
    except ContextTooLong:
        if len(batch) == 1:
            return {}
        return {row: answer for one in batch for row, answer in _replies(engine, [one], sampling, end).items()}
    return {one.row.id: reply for one, reply in zip(batch, replies, strict=True)}
