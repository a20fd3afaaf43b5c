"""What the dataset holds, in numbers: report.json, and what the page shows."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tutelage.core.history import Ledger
from tutelage.core.records import Example, Part, Record
from tutelage.dataset.augment.rows import Augmented
from tutelage.dataset.examples import Candidate, characters
from tutelage.dataset.labels import LabelIssue
from tutelage.dataset.split import Split
from tutelage.dataset.twins import Twins
from tutelage.dataset.units import FAMILY_SIMILARITY, sizes_of
from tutelage.text.similarity import families

PARTS: tuple[Part, ...] = ("train", "validation", "held_out")
BIN = 100  # characters
EXAMPLES = 12
CountTokens = Callable[[Sequence[str]], list[int]]


class LeakRow(Record):
    """One way to split these rows: how many held-out rows it gives, and the share of them with a twin in training."""

    split: str
    held_out: int
    at_80: float
    at_50: float


class Tally(Record):
    """What the augmentation proposed by one method in one language, how much of it was kept, and why the rest was not."""

    method: str
    language: str
    candidates: int
    accepted: int
    refused: dict[str, int]


class Report(Record):
    """report.json. `tokens` are the lengths of all rows in the order of examples.jsonl, empty where no model was there to count."""

    rows: dict[str, int]
    asked: dict[str, int]
    tasks: dict[str, int]
    types: dict[str, dict[str, int]]
    languages: dict[str, int]
    origins: dict[str, int]
    documents: dict[str, int]
    dropped: dict[str, int]
    keywords: tuple[dict[str, object], ...]
    leak_table: tuple[LeakRow, ...]
    families: dict[str, int]
    units: dict[str, int]
    label_issues: dict[str, int]
    permissions: dict[str, int]
    lengths_in_characters: dict[str, dict[str, int]]
    tokens: tuple[int, ...]
    context_length: int | None
    augmented: tuple[Tally, ...]


@dataclass(frozen=True)
class Gathered:
    """All that the report is made from."""

    rows: Sequence[Example]
    done: Split
    issues: Sequence[LabelIssue]
    ledger: Ledger
    seed: int
    count_tokens: CountTokens | None = None
    context_length: int | None = None
    augmented: Augmented | None = None


def report_of(made: Gathered) -> Report:
    """Counts of rows by all that a person may ask, the leak table, and lengths."""
    rows = made.rows
    texts = ["\n".join(message.content for message in row.messages) for row in rows]
    return Report(
        rows={part: sum(row.part == part for row in rows) for part in PARTS},
        asked=dict(made.done.asked),
        tasks=_counted(row.task for row in rows),
        types={key: {part: sum(row.clause_type == key and row.part == part for row in rows) for part in PARTS}
               for key in sorted({row.clause_type for row in rows if row.clause_type})},
        languages=_counted(row.language for row in rows),
        origins=_counted(row.origin for row in rows),
        documents={part: len({row.document_id for row in rows if row.part == part and row.document_id}) for part in PARTS},
        dropped=made.ledger.reasons("dropped"),
        keywords=tuple({"row": row.id, "type": row.clause_type, "keywords": list(row.keywords)}
                       for row in rows[:: max(1, len(rows) // EXAMPLES)] if row.keywords),
        leak_table=leak_table(made),
        families=_family_sizes(made),
        units={str(size): count for size, count in sizes_of(made.done.unit, made.done.ordered).items()},
        label_issues=_counted(issue.why for issue in made.issues),
        permissions=_counted(row.permission for row in rows),
        lengths_in_characters={part: lengths(rows, part) for part in PARTS},
        tokens=tuple(made.count_tokens(texts)) if made.count_tokens else (),
        context_length=made.context_length, augmented=_tallies(made.augmented))


def lengths(rows: Sequence[Example], part: Part) -> dict[str, int]:
    """Rows of a part by the length of what is learned, in bins of 100 characters, named by their lower end."""
    counts = Counter(characters(row.text) // BIN * BIN for row in rows if row.part == part)
    return {str(low): counts[low] for low in sorted(counts)}


def leak_table(made: Gathered) -> tuple[LeakRow, ...]:
    """The share of held-out rows with a twin in training, had these rows been split at random, or by document; and as they were.

    Equal texts of one document count once.
    """
    twins, chance = made.done.twins, random.Random(made.seed)
    distinct = list({(row.stays_with, twins.number(row)): row for row in made.done.ordered if row.origin == "document"}.values())
    wanted = len(made.done.parts["held_out"])
    chance.shuffle(distinct)
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for row in distinct:
        groups[row.stays_with].append(row)
    by_document: list[Candidate] = []
    for group in sorted(groups, key=lambda name: chance.random()):
        if len(by_document) >= wanted:
            break
        by_document += groups[group]
    aside = {row.id for row in by_document}
    rest = [row for row in distinct if row.id not in aside]
    return (_leak_row("random", distinct[:wanted], distinct[wanted:], twins), _leak_row("document", by_document, rest, twins),
            _leak_row("ours", made.done.parts["held_out"], made.done.parts["train"], twins))


def _leak_row(name: str, held_out: Sequence[Candidate], train: Sequence[Candidate], twins: Twins) -> LeakRow:
    trained = {twins.number(row) for row in train}
    greatest = [twins.greatest(twins.number(row), trained) for row in held_out]
    return LeakRow(split=name, held_out=len(held_out), at_80=_share(greatest, 0.8), at_50=_share(greatest, 0.5))


def _share(values: Sequence[float], least: float) -> float:
    return round(sum(value >= least for value in values) / max(1, len(values)), 4)


def _family_sizes(made: Gathered) -> dict[str, int]:
    """How many near-duplicate families (J >= 0.8, copies included) there are of each size, before any row was dropped."""
    pairs = [pair for pair in made.done.twins.row_pairs(made.done.ordered) if pair.similarity >= FAMILY_SIMILARITY]
    sizes = Counter(Counter(families(len(made.done.ordered), pairs)).values())
    return {str(size): sizes[size] for size in sorted(sizes)}


def _tallies(augmented: Augmented | None) -> tuple[Tally, ...]:
    return tuple(Tally(method=method, language=language, candidates=tally.candidates, accepted=tally.accepted,
                       refused=dict(tally.reasons.most_common()))
                 for (method, language), tally in sorted(augmented.tallies.items())) if augmented else ()


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
