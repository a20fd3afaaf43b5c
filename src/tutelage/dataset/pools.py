"""Which units are set aside: for ever where an earlier dataset decided, else by the unit's own hash."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.files import short_hash
from tutelage.core.records import Part
from tutelage.dataset.assigned import PRECEDENCE
from tutelage.dataset.examples import Candidate
from tutelage.dataset.twins import Twins

# Shares of the units that may be set aside: steps, so that a grown collection mostly stays on the same one.
STEP = 1 / 32
SHARES: dict[Part, tuple[float, ...]] = {"held_out": tuple(STEP * step for step in range(1, 17)),
                                        "validation": tuple(STEP * step for step in range(1, 13))}
# So many times the rows that are needed leave a choice among types; it is not worth more than these shares.
CHOICE: dict[Part, int] = {"held_out": 4, "validation": 2}
WORTH: dict[Part, float] = {"held_out": 1 / 4, "validation": 1 / 8}


@dataclass(frozen=True)
class Place:
    """The part of a unit, and the rule that put it there."""

    part: Part
    rule: str


def hash_of(name: str, seed: int) -> float:
    """A number from 0 to 1 that only the name and the seed decide."""
    return int(short_hash(str(seed), name), 16) / 16**12


def settled_parts(rows: Sequence[Candidate], units: Mapping[str, str], known: Mapping[str, Part]) -> dict[str, Part]:
    """The part of each unit of which an earlier dataset had a document. `units` is by row id, `known` by document id."""
    parts: dict[str, set[Part]] = defaultdict(set)
    for row in rows:
        if row.document_id in known:
            parts[units[row.id]].add(known[row.document_id])
    return {unit: next(part for part in PRECEDENCE if part in found) for unit, found in parts.items()}


def set_aside(part: Part, rows: Sequence[Candidate], units: Mapping[str, str], twins: Twins, *, settled: Mapping[str, Part],
              free: Collection[str], needed: int, seed: int, spare: int) -> dict[str, Place]:
    """Which of the `free` units are held out (those with the smallest hashes) or for validation (those with the largest).

    Just so many that `rows`, with those of the settled units of this part, hold a choice of `needed` distinct ones; none where the
    settled ones suffice. At least `spare` free units stay. Where hashes do not give that, or not every type that deserves a row,
    ranks decide, taken in turn of the units' main types; where ranks do not, the part gets as many units as may be.
    """
    by_hash = {unit: hash_of(unit, seed) if part == "held_out" else 1 - hash_of(unit, seed) for unit in free}
    by_rank = _ranks(by_hash, rows, units)
    for kind, at in (("hash", by_hash), ("rank", by_rank)):
        share = _share(part, needed, rows, units, twins, settled, at, must_mix=kind == "hash")
        if share is not None and sum(place > share for place in at.values()) >= spare:
            return _placed(part, kind, at, share)
    return _placed(part, "rank", by_rank, next((share for share in reversed(SHARES[part])
                                                if sum(place > share for place in by_rank.values()) >= spare), 0.0))


def _ranks(at: Mapping[str, float], rows: Sequence[Candidate], units: Mapping[str, str]) -> dict[str, float]:
    """The places of units as ranks, spread over 0 to 1, so that any share of them has its share of each main type."""
    types: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        types[units[row.id]][row.clause_type] += 1
    by_type: dict[str, list[str]] = defaultdict(list)
    for unit in sorted(at, key=at.__getitem__):
        counts = types[unit]
        by_type[min(counts, key=lambda key: (-counts[key], key)) if counts else ""].append(unit)
    inside = {unit: (rank + 0.5) / len(its) for its in by_type.values() for rank, unit in enumerate(its)}
    return {unit: (rank + 0.5) / len(at) for rank, unit in enumerate(sorted(at, key=lambda unit: (inside[unit], at[unit])))}


def _placed(part: Part, kind: str, at: Mapping[str, float], share: float) -> dict[str, Place]:
    end = "lowest" if part == "held_out" else "highest"
    return {unit: Place(part, f"{kind} {place:.3f} from the {end}, within {share:.3f}") for unit, place in at.items() if place <= share}


def _share(part: Part, needed: int, rows: Sequence[Candidate], units: Mapping[str, str], twins: Twins, settled: Mapping[str, Part],
           at: Mapping[str, float], *, must_mix: bool) -> float | None:
    """The smallest share of units with a choice of distinct rows, if it is worth it; else the smallest with just enough of them and,
    if it is worth it, one of each type that deserves one; else None. 0.0 where the settled units have enough.
    """
    counts = Counter(row.clause_type for row in rows)
    deserving = {key for key, count in counts.items() if count * needed >= len(rows)}
    mixed: list[tuple[float, int]] = []
    first: float | None = None
    for share in (0.0, *SHARES[part]):
        if first is not None and share > max(first, WORTH[part]):
            break
        taken: dict[int, Candidate] = {}
        for row in rows:
            unit = units[row.id]
            inside = settled[unit] == part if unit in settled else unit in at and at[unit] <= share
            if inside and not twins.twin(row, taken):
                taken[twins.number(row)] = row
        if len(taken) < needed:
            continue
        if share == 0.0:
            return share
        first = share if first is None else first
        if deserving <= {row.clause_type for row in taken.values()}:
            mixed.append((share, len(taken)))
    choice = [share for share, distinct in mixed if distinct >= CHOICE[part] * needed]
    return next(iter([*choice, *(share for share, _ in mixed)]), None if must_mix else first)


def shared_out(total: int, sizes: Mapping[str, int], already: Mapping[str, int]) -> dict[str, int]:
    """How many of `total` rows each language gives: as its share of all rows, at least one, and never fewer than it has `already`."""
    wanted = {name: total * size / max(1, sum(sizes.values())) for name, size in sizes.items()}
    given = {name: already.get(name, 0) for name in sizes}
    for _ in range(total - sum(given.values()) if sizes else 0):
        name = max(sorted(sizes), key=lambda name: (given[name] == 0, wanted[name] - given[name]))
        given[name] += 1
    return given
