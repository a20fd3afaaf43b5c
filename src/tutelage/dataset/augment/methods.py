"""The ways to make a new clause from an old one: a table of functions, each from jobs to proposals."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.files import short_hash
from tutelage.core.records import Example, Language
from tutelage.dataset.augment.asking import OpenEngine, Reply, Speaker, ask_all
from tutelage.dataset.augment.back_translation import by_engine, by_package
from tutelage.dataset.augment.manner import Asked
from tutelage.dataset.augment.settings import AugmentSettings, Method
from tutelage.dataset.augment.swap import swapped
from tutelage.dataset.augment.synonyms import replaced, words_of
from tutelage.prompts.paraphrase import paraphrase_messages
from tutelage.text.leaks import compared_text
from tutelage.text.slots import slots

# The first translation of a row is the likeliest; a paraphrase and every further try must differ, so they are drawn.
TEMPERATURE = 0.7
NOTHING, NO_TRANSLATOR = "nothing to replace", "no translator for this language"
KEPT_SLOTS = frozenset({"amount", "percentage", "date", "period", "party", "reference"})


@dataclass(frozen=True)
class Job:
    """One try: a row, and how many tries of the same method it has had."""

    parent: Example
    turn: int

    @property
    def text(self) -> str:
        """The clause that is to be said anew."""
        return clause_of(self.parent)


def clause_of(row: Example) -> str:
    """The clause of a drafting or classification row: what other rows are compared with."""
    return compared_text(row.task, row.messages, row.rejected)


@dataclass(frozen=True)
class Proposal:
    """What a method gives for a job: a text for the gate, a candidate that `failed` before it, or why there is `none`."""

    text: str = ""
    failed: str = ""
    none: str = ""
    asked: Asked = field(default_factory=dict)


class Workshop:
    """What the methods work with: settings, seed, words that the rows use, and the engine, opened when it is first needed."""

    def __init__(self, settings: AugmentSettings, open_engine: OpenEngine, rows: Sequence[Example], seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self._open = open_engine
        self._rows = rows
        self._speaker: Speaker | None = None
        self._seen: dict[Language, frozenset[str]] = {}

    @property
    def speaker(self) -> Speaker:
        """The model that writes."""
        if self._speaker is None:
            self._speaker = self._open(self.settings.engine)
        return self._speaker

    def seen(self, language: Language) -> frozenset[str]:
        """The words of the rows in a language."""
        if language not in self._seen:
            texts = [clause_of(row) for row in self._rows if row.language == language]
            self._seen[language] = words_of(texts, language, self.settings.synonyms)
        return self._seen[language]

    def draw(self, method: Method, job: Job) -> random.Random:
        """Chance for one job: the same in every run, whatever other rows there are."""
        return random.Random(short_hash(str(self.seed), method, job.parent.id, str(job.turn)))

    def close(self) -> None:
        """Free the engine, if one was opened."""
        if self._speaker is not None:
            self._speaker.engine.close()


def back_translation(jobs: Sequence[Job], workshop: Workshop) -> list[Proposal]:
    """Through Chinese, English or Brazilian Portuguese and back."""
    proposals = [Proposal(none=NO_TRANSLATOR)] * len(jobs)
    packaged = [place for place, job in enumerate(jobs) if workshop.settings.translator == "packaged" and job.parent.language == "en"]
    for place, reply in zip(packaged, by_package([jobs[place].text for place in packaged]) if packaged else [], strict=True):
        proposals[place] = _of(reply)
    if workshop.settings.engine:
        for language, turn in sorted({(job.parent.language, job.turn) for job in jobs}):
            places = [place for place, job in enumerate(jobs)
                      if place not in packaged and (job.parent.language, job.turn) == (language, turn)]
            replies = by_engine([jobs[place].text for place in places], language, workshop.speaker,
                                temperature=TEMPERATURE if turn else 0.0, seed=workshop.seed + turn)
            for place, reply in zip(places, replies, strict=True):
                proposals[place] = _of(reply)
    return proposals


def synonyms(jobs: Sequence[Job], workshop: Workshop) -> list[Proposal]:
    """Words and phrases replaced by others that mean the same."""
    proposals = []
    for job in jobs:
        language = job.parent.language
        untouched = [(slot.start, slot.end) for slot in slots(job.text, language) if slot.kind in KEPT_SLOTS]
        text = replaced(job.text, language, workshop.settings.synonyms, wordnet=workshop.settings.wordnet, seen=workshop.seen(language),
                        untouched=untouched, draw=workshop.draw("synonyms", job))
        proposals.append(Proposal(none=NOTHING) if text == job.text else Proposal(text=text))
    return proposals


def swap(jobs: Sequence[Job], workshop: Workshop) -> list[Proposal]:
    """Other amounts, periods, percentages and companies."""
    done = [swapped(job.text, job.parent.language, workshop.draw("swap", job)) for job in jobs]
    return [Proposal(text=one.text, asked=one.asked) if one else Proposal(none=NOTHING) for one in done]


def paraphrase(jobs: Sequence[Job], workshop: Workshop) -> list[Proposal]:
    """The same in other words."""
    replies = ask_all(workshop.speaker, [paraphrase_messages(job.text, job.parent.language) for job in jobs],
                      [job.text for job in jobs], temperature=TEMPERATURE,
                      seed=workshop.seed + max((job.turn for job in jobs), default=0))
    return [_of(reply) for reply in replies]


METHODS: Mapping[Method, Callable[[Sequence[Job], Workshop], list[Proposal]]] = {
    "back_translation": back_translation, "synonyms": synonyms, "swap": swap, "paraphrase": paraphrase}


def _of(reply: Reply) -> Proposal:
    if reply.failure == "too long for the engine":
        return Proposal(none=reply.failure)
    return Proposal(failed=reply.failure) if reply.failure else Proposal(text=reply.text)
