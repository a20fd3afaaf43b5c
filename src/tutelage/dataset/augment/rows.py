"""New training rows: every proposal is judged, few enough are kept, and what was refused says why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tutelage.core.files import short_hash
from tutelage.core.records import Example, Message, Record
from tutelage.dataset.augment.accept import HeldOut, why_refused
from tutelage.dataset.augment.asking import OpenEngine
from tutelage.dataset.augment.manner import Refusal
from tutelage.dataset.augment.methods import METHODS, Job, Proposal, Workshop, clause_of
from tutelage.dataset.augment.settings import AugmentSettings, Method
from tutelage.dataset.examples import SURE, Candidate, example_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.text.leaks import find_leaks
from tutelage.text.similarity import Shingles, jaccard, shingles

PARENT_TASKS = ("clause", "classification")
LEAK = "leak"
BATCH = 16  # jobs that go to a method at once: engines answer several at a time
SUMMARY = "augment.summary"
SIBLING = 0.95  # J from which on two new clauses of one row are one


class Rejected(Record):
    """A candidate that was not kept: the row it was made from, how, and what it said otherwise. Its text is not kept."""

    id: str
    parent: str
    method: str
    reason: str
    detail: str


@dataclass
class Tally:
    """What became of one method's tries in one language. `without` counts tries that gave no candidate, by reason."""

    tries: int = 0
    candidates: int = 0
    accepted: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)

    def facts(self) -> dict[str, object]:
        """As JSON; `rate` is the share of candidates that were accepted, None where there were none."""
        return {"tries": self.tries, "candidates": self.candidates, "accepted": self.accepted,
                "rate": round(self.accepted / self.candidates, 4) if self.candidates else None,
                "reasons": dict(self.reasons.most_common()), "without": dict(self.without.most_common())}


@dataclass
class Augmented:
    """The new rows, the candidates that were refused, and the tally of each method and language."""

    parents: int
    room: int
    originals: int
    rows: list[Example] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))

    @property
    def share(self) -> float:
        """New rows among all training rows."""
        return len(self.rows) / max(1, len(self.rows) + self.originals)

    @property
    def report(self) -> dict[str, object]:
        """All figures as JSON: methods -> language -> tally."""
        methods: dict[str, dict[str, object]] = defaultdict(dict)
        for (method, language), tally in sorted(self.tallies.items()):
            methods[method][language] = tally.facts()
        return {"rows": len(self.rows), "share": round(self.share, 4), "room": self.room, "parents": self.parents, "methods": dict(methods)}


def augment(rows: Sequence[Example], held_out: Sequence[Example], settings: AugmentSettings, *, dataset: DatasetSettings,
            open_engine: OpenEngine, common: Shingles, step: Callable[[int, int], None]) -> Augmented:
    """New rows of part "train" from the rows that are there, at most `settings.maximum_share` of all.

    `rows` are all of part "train"; clauses that are drafted or classified have children, rows of other tasks and new rows have
    none. No new row gives one of `held_out` away; `common` are the runs that do not (see text.leaks). Rows are built as `dataset`
    says; same rows, settings and seed: same result. `step` hears of progress: tries done, tries planned.
    Raises ExtraMissing if a method needs a package that is not installed.
    """
    parents = sorted((row for row in rows if row.task in PARENT_TASKS and row.origin != "augmented"),
                     key=lambda row: short_hash(str(dataset.seed), row.id))
    room = int(settings.maximum_share / (1 - settings.maximum_share) * len(rows) + 1e-9)
    done = Augmented(parents=len(parents), room=room, originals=len(rows))
    judge = _Judge(held_out, done, dataset)
    workshop = Workshop(settings, open_engine, parents, dataset.seed)
    planned = len(parents) * len(settings.methods) * settings.per_row
    tried = 0
    try:
        for batch in _batches(parents, settings):
            if len(done.rows) >= room:
                break
            step(tried, planned)
            for method in settings.methods:
                jobs = [job for job, its in batch if its == method]
                for job, proposal in zip(jobs, METHODS[method](jobs, workshop) if jobs else [], strict=True):
                    if len(done.rows) < room:
                        judge.take(method, job, proposal)
            tried += len(batch)
    finally:
        workshop.close()
    judge.purge(held_out, common)
    step(planned, planned)
    return done


def summary_facts(done: Augmented) -> dict[str, str | int | float]:
    """What the text SUMMARY of the message catalogue says."""
    rates = "; ".join(f"{method} ({language}) {tally.accepted}/{tally.candidates}"
                      for (method, language), tally in sorted(done.tallies.items()))
    return {"rows": len(done.rows), "candidates": len(done.rows) + len(done.rejected), "percent": round(100 * done.share, 1),
            "rates": rates or "-"}


def _batches(parents: Sequence[Example], settings: AugmentSettings) -> Iterator[list[tuple[Job, Method]]]:
    """All tries in order: each row by one method, the methods in turn; then each row by its next method, and so on."""
    methods = settings.methods
    batch: list[tuple[Job, Method]] = []
    for around in range(len(methods) * settings.per_row):
        for place, parent in enumerate(parents):
            batch.append((Job(parent, around // len(methods)), methods[(place + around) % len(methods)]))
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


class _Judge:
    """Judges proposals one after the other and writes down what became of each."""

    def __init__(self, held_out: Sequence[Example], done: Augmented, dataset: DatasetSettings) -> None:
        self._held_out = HeldOut(held_out)
        self._done = done
        self._dataset = dataset
        self._children: dict[str, list[str]] = defaultdict(list)

    def take(self, method: Method, job: Job, proposal: Proposal) -> None:
        """Keep the proposal as a row, or write down why not."""
        parent = job.parent
        tally = self._done.tallies[method, parent.language]
        tally.tries += 1
        if proposal.none:
            tally.without[proposal.none] += 1
            return
        tally.candidates += 1
        refusal = Refusal(proposal.failed) if proposal.failed else self._refusal(job, proposal)
        if refusal is None:
            tally.accepted += 1
            self._children[parent.id].append(proposal.text)
            self._done.rows.append(_derived(parent, proposal.text, method, self._dataset))
            return
        tally.reasons[refusal.reason] += 1
        row_id = short_hash("refused", parent.id, method, str(job.turn), proposal.text)
        self._done.rejected.append(Rejected(id=row_id, parent=parent.id, method=method, reason=refusal.reason, detail=refusal.detail))

    def purge(self, held_out: Sequence[Example], common: Shingles) -> None:
        """Take back the rows that give a held-out row away by the rules for all training rows, which see more than J."""
        rows = self._done.rows
        leaks = find_leaks([clause_of(row) for row in rows], [row.language for row in rows], [clause_of(row) for row in held_out],
                           [row.language for row in held_out], common)
        for leak in reversed(leaks):
            row = rows.pop(leak.row)
            tally = self._done.tallies[row.method, row.language]
            tally.accepted -= 1
            tally.reasons[LEAK] += 1
            self._done.rejected.append(Rejected(id=row.id, parent=row.parent, method=row.method, reason=LEAK,
                                                detail=f"{held_out[leak.held_out].id}, {leak.told}"))

    def _refusal(self, job: Job, proposal: Proposal) -> Refusal | None:
        language = job.parent.language
        refusal = why_refused(job.text, proposal.text, language, asked=proposal.asked) or self._held_out.resembled(proposal.text, language)
        if refusal:
            return refusal
        mine = shingles(proposal.text, language)
        nearest = max((jaccard(mine, shingles(text, language)) for text in self._children[job.parent.id]), default=0.0)
        return Refusal("sibling", f"J = {nearest:.3f}") if nearest >= SIBLING else None


def _derived(parent: Example, text: str, method: Method, dataset: DatasetSettings) -> Example:
    """The new row: its prompt asks for the new text by its own keywords; source, unit, family and permission are the parent's."""
    messages: tuple[Message, ...] = ()
    if parent.task == "classification":
        messages = (*parent.messages[:-2], Message(role="user", content=text), parent.messages[-1])
    candidate = Candidate(id=short_hash("augmented", parent.id, method, text), text=text, clause_type=parent.clause_type,
                          language=parent.language, heading=parent.heading, document_id=parent.document_id, source=parent.source,
                          start=parent.start, end=parent.end, certainty=SURE, task=parent.task, permission=parent.permission,
                          label=parent.label, messages=messages)
    row = example_of(candidate, "train", dataset, family=parent.family, unit=parent.unit)
    return row.model_copy(update={"origin": "augmented", "parent": parent.id, "method": method})
