"""What the dataset holds, in numbers: report.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from tutelage.core.history import Ledger
from tutelage.core.records import Example, Part
from tutelage.dataset.examples import characters
from tutelage.text.similarity import Shingles, resembling, shingles

PARTS: tuple[Part, ...] = ("train", "validation", "held_out")
BIN = 100  # characters
# Resemblance below this is that of any two clauses of one type, and is told as such.
LOWEST = 0.1
EXAMPLES = 12


def report_of(rows: Sequence[Example], ledger: Ledger) -> dict[str, object]:
    """Counts by type and part, languages, reasons, keywords of some rows, greatest J between parts, lengths."""
    return {
        "rows": {part: sum(row.part == part for row in rows) for part in PARTS},
        "types": {key: {part: sum(row.clause_type == key and row.part == part for row in rows) for part in PARTS}
                  for key in sorted({row.clause_type for row in rows})},
        "languages": dict(Counter(row.language for row in rows)),
        "origins": dict(Counter(row.origin for row in rows)),
        "documents": {part: len({row.document_id for row in rows if row.part == part and row.document_id}) for part in PARTS},
        "dropped": ledger.reasons("dropped"),
        "keywords": [{"row": row.id, "type": row.clause_type, "keywords": list(row.keywords)}
                     for row in rows[:: max(1, len(rows) // EXAMPLES)]],
        "greatest_similarity": greatest_similarity(rows),
        "lengths_in_characters": {part: lengths(rows, part) for part in PARTS},
    }


def lengths(rows: Sequence[Example], part: Part) -> dict[str, int]:
    """Rows of a part by length, in bins of 100 characters, named by their lower end."""
    counts = Counter(characters(row.text) // BIN * BIN for row in rows if row.part == part)
    return {str(low): counts[low] for low in sorted(counts)}


def greatest_similarity(rows: Sequence[Example]) -> dict[str, float | str]:
    """The greatest J between rows of two parts, for each pair of parts."""
    sets: dict[Part, list[Shingles]] = {part: [shingles(row.text, row.language) for row in rows if row.part == part] for part in PARTS}
    table: dict[str, float | str] = {}
    for left, right in combinations(PARTS, 2):
        found = [pair.similarity for pair in resembling(sets[left], sets[right], LOWEST)]
        table[f"{left} - {right}"] = round(max(found), 4) if found else f"below {LOWEST}"
    return table
