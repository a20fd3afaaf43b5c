"""Which rows are trained on and which are set aside, without leaks: by document, by type, and by what resembles what.

A document's own hash decides its part, so new documents do not move old ones: those with the smallest hashes are held out,
those with the largest are for validation. From these, rows are drawn type by type in turn; what is not drawn is not trained
on either, for its document was set aside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from tutelage.core.errors import InputError, LeakFound
from tutelage.core.files import short_hash
from tutelage.core.history import Fate
from tutelage.core.records import Example, Part
from tutelage.dataset.examples import Candidate
from tutelage.dataset.settings import DatasetSettings
from tutelage.text.similarity import families, near_pairs, resembling, shingles

# Shares of the documents that may be set aside. Steps this wide hold still while the collection grows.
HELD_OUT_SHARES = (1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2)
VALIDATION_SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8)
# So many times the rows that are needed leave a choice among types.
CHOICE = 4


@dataclass
class Split:
    """The rows of each part, in order, the family of each, and the fate of every candidate that is in none."""

    parts: dict[Part, list[Candidate]] = field(default_factory=lambda: {"held_out": [], "validation": [], "train": []})
    family: dict[str, str] = field(default_factory=dict)
    dropped: list[Fate] = field(default_factory=list)


class _Twins:
    """Who resembles whom among candidates, and which of them are taken."""

    def __init__(self, candidates: Sequence[Candidate], threshold: float) -> None:
        self._key = {candidate.id: " ".join(candidate.text.lower().split()) for candidate in candidates}
        unique = {self._key[candidate.id]: candidate for candidate in candidates}
        self._number = {key: number for number, key in enumerate(unique)}
        self._near: dict[int, set[int]] = defaultdict(set)
        self.pairs = near_pairs([row.text for row in unique.values()], [row.language for row in unique.values()], threshold)
        for pair in self.pairs:
            self._near[pair.left].add(pair.right)
            self._near[pair.right].add(pair.left)

    def number(self, candidate: Candidate) -> int:
        """The same number for the same text."""
        return self._number[self._key[candidate.id]]

    def twin(self, candidate: Candidate, taken: Mapping[int, Candidate]) -> tuple[Candidate, bool] | None:
        """The taken row that has the same text or resembles the candidate, and whether it is the same; None if there is none."""
        number = self.number(candidate)
        if number in taken:
            return taken[number], True
        near = sorted(self._near[number] & taken.keys())
        return (taken[near[0]], False) if near else None


def split(candidates: Sequence[Candidate], settings: DatasetSettings) -> Split:
    """Every candidate in a part, or dropped with the reason. Raises InputError if the asked rows cannot be found."""
    ordered = _in_order(candidates, settings)
    twins = _Twins(ordered, settings.near_duplicate)
    pools = _pools(ordered, twins, settings)
    done = Split()
    taken: dict[int, Candidate] = {}
    _draw(pools["held_out"], "held_out", settings.held_out, twins, taken, done)
    held_out = dict(taken)
    reviews = [candidate for candidate in ordered if candidate.origin == "review"]
    _take_reviews(reviews, twins, taken, held_out, done)
    _draw(pools["validation"], "validation", settings.validation, twins, taken, done)
    _fill(pools["train"], settings.per_type_limit, twins, taken, done)
    asked: dict[Part, int] = {"held_out": settings.held_out, "validation": settings.validation, "train": 1}
    if any(len(done.parts[part]) < rows for part, rows in asked.items()):
        raise InputError(_too_few(ordered, done, settings))
    _name_families(done, twins)
    return done


def leaks(rows: Sequence[Example], threshold: float) -> list[tuple[str, str, float]]:
    """Row, held-out row and J of every row outside the held-out part that resembles a row in it. Exact, nothing is sampled."""
    inside = [row for row in rows if row.part == "held_out"]
    outside = [row for row in rows if row.part != "held_out"]
    found = resembling([shingles(row.text, row.language) for row in outside], [shingles(row.text, row.language) for row in inside],
                       threshold)
    return [(outside[pair.left].id, inside[pair.right].id, pair.similarity) for pair in found]


def check_leaks(rows: Sequence[Example], threshold: float) -> None:
    """Raise LeakFound, with all pairs, if a row that training sees resembles a held-out row."""
    found = leaks(rows, threshold)
    if found:
        pairs = "\n".join(f"  {row} resembles held-out {other}, J = {similarity:.3f}" for row, other, similarity in found)
        raise LeakFound(f"dataset: {len(found)} rows resemble a held-out row at J >= {threshold}; none may:\n{pairs}\n"
                        "A model trained on them would be measured on what it was shown. Please report this.")


def _in_order(candidates: Sequence[Candidate], settings: DatasetSettings) -> list[Candidate]:
    """The surest first; among equals the first of each type and document before the second; among these by hash."""
    by_hash = sorted(candidates, key=lambda candidate: _hash(candidate.id, settings))
    earlier: Counter[tuple[int, str, str]] = Counter()
    ranks: dict[str, tuple[int, int]] = {}
    for row in by_hash:
        group = (row.certainty, row.clause_type, row.document_id)
        ranks[row.id] = (-row.certainty, earlier[group])
        earlier[group] += 1
    return sorted(by_hash, key=lambda row: ranks[row.id])


def _hash(name: str, settings: DatasetSettings) -> float:
    return int(short_hash(str(settings.seed), name), 16) / 16**12


def _pools(candidates: Sequence[Candidate], twins: _Twins, settings: DatasetSettings) -> dict[Part, list[Candidate]]:
    """Candidates from documents by part. Small collections are shared out by the rank of the hash, where its value does not suffice."""
    rows = [candidate for candidate in candidates if candidate.origin == "document"]
    by_hash = {row.document_id: _hash(row.document_id, settings) for row in rows}
    by_rank = {document: (rank + 0.5) / len(by_hash) for rank, document in enumerate(sorted(by_hash, key=by_hash.__getitem__))}
    for place in (by_hash, by_rank):
        from_top = {document: 1 - at for document, at in place.items()}
        low = _share(HELD_OUT_SHARES, settings.held_out, rows, twins, place)
        high = _share(VALIDATION_SHARES, settings.validation, rows, twins, from_top)
        if low and high and any(low < at < 1 - high for at in place.values()):
            break
    low, high = low or HELD_OUT_SHARES[-1], high or VALIDATION_SHARES[-1]
    pools: dict[Part, list[Candidate]] = {"held_out": [], "validation": [], "train": []}
    for row in rows:
        at = place[row.document_id]
        pools["held_out" if at <= low else "validation" if 1 - at <= high else "train"].append(row)
    return pools


def _share(shares: Sequence[float], needed: int, rows: Sequence[Candidate], twins: _Twins, place: Mapping[str, float]) -> float:
    """The smallest share of documents with a choice of distinct rows, else the smallest with just enough, else 0."""
    enough = 0.0
    for share in shares:
        taken: dict[int, Candidate] = {}
        for row in rows:
            if place[row.document_id] <= share and not twins.twin(row, taken):
                taken[twins.number(row)] = row
        if len(taken) >= CHOICE * needed:
            return share
        if len(taken) >= needed and not enough:
            enough = share
    return enough


def _draw(pool: Sequence[Candidate], part: Part, needed: int, twins: _Twins, taken: dict[int, Candidate], done: Split) -> None:
    """Take rows from the pool, one of each type in turn, until there are enough; the rest is dropped."""
    queues: dict[str, list[Candidate]] = defaultdict(list)
    for row in reversed(pool):
        queues[row.clause_type].append(row)
    for key in cycle(sorted(queues)) if queues else ():
        if len(done.parts[part]) == needed or not any(queues.values()):
            break
        while queues[key]:
            row = queues[key].pop()
            if twin := twins.twin(row, taken):
                done.dropped.append(_duplicate(row, *twin))
                continue
            taken[twins.number(row)] = row
            done.parts[part].append(row)
            break
    for rest in queues.values():
        done.dropped += [Fate(row=row.id, what="dropped", reason=f"set aside with its document ({part}), not drawn") for row in rest]


def _take_reviews(reviews: Sequence[Candidate], twins: _Twins, taken: dict[int, Candidate], held_out: Mapping[int, Candidate],
                  done: Split) -> None:
    """Approved rows are trained on, near-duplicates of each other too, unless they resemble a held-out row."""
    for row in reviews:
        if twin := twins.twin(row, held_out):
            done.dropped.append(Fate(row=row.id, what="dropped", reason="leak", cause=twin[0].id, detail=f"leak:{twin[0].id}"))
        elif twins.number(row) in taken:
            done.dropped.append(_duplicate(row, taken[twins.number(row)], True))
        else:
            taken[twins.number(row)] = row
            done.parts["train"].append(row)


def _fill(pool: Sequence[Candidate], limit: int, twins: _Twins, taken: dict[int, Candidate], done: Split) -> None:
    """Take training rows, the surest first, up to the limit of each type."""
    aside = {row.id for part in ("held_out", "validation") for row in done.parts[part]}
    counts: dict[str, int] = defaultdict(int)
    for row in pool:
        twin = twins.twin(row, taken)
        if twin and twin[0].id in aside:
            done.dropped.append(Fate(row=row.id, what="dropped", reason="leak", cause=twin[0].id, detail=f"leak:{twin[0].id}"))
        elif twin:
            done.dropped.append(_duplicate(row, *twin))
        elif counts[row.clause_type] == limit:
            done.dropped.append(Fate(row=row.id, what="dropped", reason="type is full"))
        else:
            counts[row.clause_type] += 1
            taken[twins.number(row)] = row
            done.parts["train"].append(row)


def _duplicate(row: Candidate, twin: Candidate, is_same: bool) -> Fate:
    return Fate(row=row.id, what="dropped", reason="exact duplicate" if is_same else "near duplicate", cause=twin.id)


def _name_families(done: Split, twins: _Twins) -> None:
    rows = [row for part in done.parts.values() for row in part]
    position = {twins.number(row): place for place, row in enumerate(rows)}
    inside = [pair._replace(left=position[pair.left], right=position[pair.right]) for pair in twins.pairs
              if pair.left in position and pair.right in position]
    done.family = {row.id: rows[first].id for row, first in zip(rows, families(len(rows), inside), strict=True)}


def _too_few(candidates: Sequence[Candidate], done: Split, settings: DatasetSettings) -> str:
    documents = len({candidate.document_id for candidate in candidates if candidate.document_id})
    counts = {part: len(rows) for part, rows in done.parts.items()}
    return (f"dataset: {len(candidates)} typed clauses of {documents} documents give {counts['train']} training, {counts['validation']} "
            f"validation and {counts['held_out']} held-out rows, each part from documents of its own; asked are at least 1, "
            f"dataset.validation = {settings.validation} and dataset.held_out = {settings.held_out}. Add documents, or lower these two.")
