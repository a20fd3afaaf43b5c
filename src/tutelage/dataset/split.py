"""Which rows are trained on and which are set aside: by unit, by language, type in turn, without leaks.

Tier 1: units (documents that belong together or resemble each other) are assigned whole, for ever. What is not drawn from a
unit that was set aside is not trained on either. Tier 2: every other row that gives a held-out row away is dropped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tutelage.core.errors import InputError
from tutelage.core.history import Fate
from tutelage.core.records import Part
from tutelage.dataset.assigned import text_key
from tutelage.dataset.examples import Candidate
from tutelage.dataset.pools import Place, hash_of, set_aside, settled_parts, shared_out
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.twins import Twins, duplicate
from tutelage.dataset.units import units_of
from tutelage.text.leaks import Leak, find_leaks
from tutelage.text.similarity import Shingles, families

ASIDE: dict[Part, str] = {"held_out": "set aside with its document (held out), not drawn",
                          "validation": "set aside with its document (validation), not drawn"}
# Of a collection too small for the rows that are asked, these shares are set aside instead.
SMALL_SHARES: dict[Part, float] = {"held_out": 0.2, "validation": 0.1}
MOST_ASIDE = 0.5
LIMITED = ("clause", "classification")


@dataclass
class Split:
    """The rows of each part, in order, and the fate of every candidate that is in none; `ordered` are all candidates.

    `unit`, `family` and `why` are by row id, `part_of` by document id, `asked` what was looked for after a small collection
    lowered it.
    """

    ordered: Sequence[Candidate]
    twins: Twins
    parts: dict[Part, list[Candidate]] = field(default_factory=lambda: {"held_out": [], "validation": [], "train": []})
    asked: dict[Part, int] = field(default_factory=dict)
    unit: dict[str, str] = field(default_factory=dict)
    family: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    part_of: dict[str, Part] = field(default_factory=dict)
    dropped: list[Fate] = field(default_factory=list)


@dataclass(frozen=True)
class Earlier:
    """What an earlier dataset decided: the part of each document (by id), and the rows it drew (by fingerprint of their text)."""

    known: Mapping[str, Part] = field(default_factory=dict)
    drawn: Mapping[str, Part] = field(default_factory=dict)


def split(candidates: Sequence[Candidate], settings: DatasetSettings, *, earlier: Earlier | None = None,
          common: Shingles | None = None) -> Split:
    """Every candidate in a part, or dropped with the reason. `common` are runs that give nothing away.

    Raises InputError where no sensible split exists.
    """
    earlier = earlier or Earlier()
    common = np.array([], dtype=np.uint64) if common is None else common
    ordered = _in_order(candidates, settings.seed)
    twins = Twins(ordered, settings.near_duplicate)
    done = Split(ordered, twins)
    reviews = [row for row in ordered if row.origin == "review"]
    rows = [row for row in ordered if row.origin != "review"]
    numbers = units_of(ordered, twins.row_pairs(ordered))
    done.unit = {row.id: unit for row, unit in zip(ordered, numbers, strict=True)}
    done.asked = _asked(rows, twins, settings)
    _Filling(settings, earlier, common, done).fill(rows, reviews)
    if not all(done.parts.values()):
        raise InputError(_too_few(ordered, done, settings))
    _name_families(done, twins, settings.near_duplicate)
    return done


class _Filling:
    """Rows taken into the parts, one part after the other."""

    def __init__(self, settings: DatasetSettings, earlier: Earlier, common: Shingles, done: Split) -> None:
        self._settings, self._earlier, self._common, self._done, self._twins = settings, earlier, common, done, done.twins
        self._taken: dict[int, Candidate] = {}

    def fill(self, rows: Sequence[Candidate], reviews: Sequence[Candidate]) -> None:
        """Held-out rows first, then approved rows, validation rows, and training rows with what is left."""
        settled = settled_parts(rows, self._done.unit, self._earlier.known)
        placed = {unit: Place(part, "as in the dataset before") for unit, part in settled.items()}
        placed |= self._places("held_out", rows, settled, placed)
        held_out, rest = self._parted("held_out", rows, placed)
        self._draw(held_out, "held_out")
        leaks = self._leaks([*reviews, *rest], "held_out")
        for row in reviews:
            self._take_review(row, leaks)
        placed |= self._places("validation", [row for row in rest if row.id not in leaks], settled, placed)
        validation, rest = self._parted("validation", rest, placed)
        self._draw([row for row in validation if not self._is_dropped(row, leaks, "leak")], "validation")
        train, _ = self._parted("train", rest, placed)
        near = self._leaks([row for row in train if row.id not in leaks], "validation")
        self._fill([row for row in train if not self._is_dropped(row, leaks, "leak")
                    and not self._is_dropped(row, near, "resembles a validation row")])

    def _fill(self, rows: Sequence[Candidate]) -> None:
        """Training rows, the surest first, up to the limit of each type."""
        counts: Counter[str] = Counter()
        for row in rows:
            if self._has_twin(row):
                continue
            if row.task in LIMITED and counts[row.clause_type] == self._settings.per_type_limit:
                self._drop(row, "type is full")
                continue
            counts[row.clause_type] += 1
            self._take(row, "train")

    def _places(self, part: Part, rows: Sequence[Candidate], settled: Mapping[str, Part], placed: Mapping[str, Place]) -> dict[str, Place]:
        """The units to set aside for a part, language by language; a unit counts to the language of most of its rows."""
        units = self._done.unit
        languages: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            languages[units[row.id]][row.language] += 1
        main = {unit: min(counts, key=lambda name: (-counts[name], name)) for unit, counts in languages.items()}
        by_language: dict[str, list[Candidate]] = defaultdict(list)
        for row in rows:
            by_language[main[units[row.id]]].append(row)
        needed = shared_out(self._done.asked[part], {language: len(found) for language, found in by_language.items()}, {})
        later: tuple[Part, ...] = ("validation", "train") if part == "held_out" else ("train",)
        found: dict[str, Place] = {}
        for language, its in by_language.items():
            parts = {settled[units[row.id]] for row in its if units[row.id] in settled}
            found |= set_aside(part, its, units, self._twins, settled=settled, needed=needed[language], seed=self._settings.seed,
                               free=sorted(unit for unit, name in main.items() if name == language and unit not in placed),
                               spare=sum(other not in parts for other in later))
        return found

    def _parted(self, part: Part, rows: Sequence[Candidate], placed: Mapping[str, Place]) -> tuple[list[Candidate], list[Candidate]]:
        """The rows of the units in a part, with the reason, and the other rows."""
        inside: list[Candidate] = []
        outside: list[Candidate] = []
        for row in rows:
            place = placed.get(self._done.unit[row.id], Place("train", "not set aside"))
            if place.part == part:
                self._done.part_of[row.document_id] = part
                self._done.why[row.id] = f"unit {self._done.unit[row.id]}: {place.rule}"
            (inside if place.part == part else outside).append(row)
        return inside, outside

    def _draw(self, pool: Sequence[Candidate], part: Part) -> None:
        """Rows that an earlier dataset drew, then one of each type in turn, as many of each language as its share; the rest is dropped."""
        open_rows: list[Candidate] = []
        again: list[Candidate] = []
        for row in pool:
            is_again = self._earlier.drawn.get(text_key(row.text)) == part
            (again if is_again else open_rows).append(row)
        for row in again:
            if len(self._done.parts[part]) < self._done.asked[part] and not self._has_twin(row):
                self._take(row, part, "drawn before")
        quota = shared_out(self._done.asked[part], Counter(row.language for row in self._done.ordered if row.origin != "review"),
                           Counter(row.language for row in self._done.parts[part]))
        queues: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
        for row in reversed(open_rows):
            if self._earlier.known.get(row.document_id) != "train":
                queues[row.language, row.clause_type].append(row)
        drawn: Counter[tuple[str, str]] = Counter((row.language, row.clause_type) for row in self._done.parts[part])
        for language, rows in quota.items():
            missing = rows - sum(count for (spoken, _), count in drawn.items() if spoken == language)
            self._draw_in_turn({key: queue for key, queue in queues.items() if key[0] == language}, drawn, missing, part)
        # What one language cannot give, another one may.
        self._draw_in_turn(queues, drawn, self._done.asked[part] - len(self._done.parts[part]), part)
        taken = {row.id for row in self._done.parts[part]} | {fate.row for fate in self._done.dropped}
        for row in pool:
            if row.id not in taken:
                self._drop(row, ASIDE[part])

    def _draw_in_turn(self, queues: Mapping[tuple[str, str], list[Candidate]], drawn: Counter[tuple[str, str]], missing: int,
                      part: Part) -> None:
        """Take `missing` rows, each of the type that has fewest."""
        while missing > 0 and any(queues.values()):
            key = min((key for key, queue in queues.items() if queue), key=lambda key: (drawn[key], key))
            row = queues[key].pop()
            if not self._has_twin(row):
                self._take(row, part, "drawn in turn of its type" if row.clause_type else "drawn")
                drawn[key] += 1
                missing -= 1

    def _take_review(self, row: Candidate, leaks: Mapping[str, tuple[Leak, Candidate]]) -> None:
        """Approved rows are trained on, near-duplicates of each other too, unless they give a held-out row away."""
        number = self._twins.number(row)
        if self._is_dropped(row, leaks, "leak"):
            return
        if number in self._taken:
            self._done.dropped.append(duplicate(row, self._taken[number], 1.0, True))
        else:
            self._take(row, "train", "approved by two people")

    def _leaks(self, rows: Sequence[Candidate], part: Part) -> dict[str, tuple[Leak, Candidate]]:
        """The rows that give one of a part away, by id, with that one."""
        measured = self._done.parts[part]
        found = find_leaks([row.text for row in rows], [row.language for row in rows], [row.text for row in measured],
                           [row.language for row in measured], self._common)
        return {rows[leak.row].id: (leak, measured[leak.held_out]) for leak in found}

    def _is_dropped(self, row: Candidate, leaks: Mapping[str, tuple[Leak, Candidate]], reason: str) -> bool:
        if row.id not in leaks:
            return False
        leak, cause = leaks[row.id]
        self._done.dropped.append(Fate(row=row.id, what="dropped", reason=reason, cause=cause.id, detail=f"leak:{cause.id} {leak.told}"))
        return True

    def _has_twin(self, row: Candidate) -> bool:
        twin = self._twins.twin(row, self._taken)
        if twin:
            self._done.dropped.append(duplicate(row, *twin, self._twins.number(row) == self._twins.number(twin[0])))
        return twin is not None

    def _take(self, row: Candidate, part: Part, how: str = "") -> None:
        self._taken[self._twins.number(row)] = row
        self._done.parts[part].append(row)
        self._done.why[row.id] = "; ".join(text for text in (self._done.why.get(row.id, ""), how) if text)

    def _drop(self, row: Candidate, reason: str) -> None:
        self._done.dropped.append(Fate(row=row.id, what="dropped", reason=reason, detail=self._done.why[row.id]))


def _in_order(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    """The surest first; among equals the first of each type and document before the second; among these by hash."""
    by_hash = sorted(candidates, key=lambda candidate: hash_of(candidate.id, seed))
    earlier: Counter[tuple[int, str, str]] = Counter()
    ranks: dict[str, tuple[int, int]] = {}
    for row in by_hash:
        group = (row.certainty, row.clause_type, row.stays_with)
        ranks[row.id] = (-row.certainty, earlier[group])
        earlier[group] += 1
    return sorted(by_hash, key=lambda row: ranks[row.id])


def _asked(rows: Sequence[Candidate], twins: Twins, settings: DatasetSettings) -> dict[Part, int]:
    """The rows to set aside: as asked, or shares of the distinct rows where what is asked would take more than half of them."""
    asked: dict[Part, int] = {"held_out": settings.held_out, "validation": settings.validation}
    taken: dict[int, Candidate] = {}
    for row in rows:
        if not twins.twin(row, taken):
            taken[twins.number(row)] = row
    if sum(asked.values()) <= MOST_ASIDE * len(taken):
        return asked
    return {part: max(1, min(asked[part], int(share * len(taken)))) for part, share in SMALL_SHARES.items()}


def _name_families(done: Split, twins: Twins, near_duplicate: float) -> None:
    rows = [row for part in done.parts.values() for row in part]
    position = {twins.number(row): place for place, row in enumerate(rows)}
    inside = [pair._replace(left=position[pair.left], right=position[pair.right]) for pair in twins.pairs
              if pair.left in position and pair.right in position and pair.similarity >= near_duplicate]
    done.family = {row.id: rows[first].id for row, first in zip(rows, families(len(rows), inside), strict=True)}


def _too_few(candidates: Sequence[Candidate], done: Split, settings: DatasetSettings) -> str:
    documents = len({row.stays_with for row in candidates if row.origin != "review"})
    counts = {part: len(rows) for part, rows in done.parts.items()}
    return (f"dataset: {len(candidates)} rows of {documents} documents give {counts['train']} training, {counts['validation']} "
            f"validation and {counts['held_out']} held-out rows; each part needs at least one, from documents of its own "
            f"(dataset.validation = {settings.validation}, dataset.held_out = {settings.held_out}). Give more documents, at least three "
            "that do not resemble each other.")
