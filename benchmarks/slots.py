"""Slot parsing measured on our own labelled sentences: F1 of kind and value in each language, by set and by kind."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from common import at_least, finish

from tutelage.core.records import Language
from tutelage.text.slots import KINDS, slots

DATA = Path(__file__).parent / "data"
PARSER = ("slots.py", "slots_kinds.py", "slots_en.py", "slots_zh.py", "numerals.py", "data/roles.en.txt", "data/roles.zh.txt",
          "data/no_polarity.zh.txt")
Facts = Counter[tuple[str, ...]]


class Tally:
    """Slots that were right, found too much, and missed."""

    def __init__(self) -> None:
        self.right = self.extra = self.missed = 0

    def add(self, labelled: Facts, found: Facts) -> None:
        """Count one sentence."""
        self.right += (labelled & found).total()
        self.extra += (found - labelled).total()
        self.missed += (labelled - found).total()

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there was nothing to find and nothing was found."""
        all_told = 2 * self.right + self.extra + self.missed
        return round(2 * self.right / all_told, 4) if all_told else 1.0


def rows_of(language: Language) -> list[dict[str, object]]:
    """All labelled sentences of a language."""
    return [json.loads(line) for file in sorted(DATA.glob(f"slots_{language}_*.jsonl")) for line in file.read_text("utf-8").splitlines()]


def measured(rows: Sequence[dict[str, object]], language: Language, kinds: Iterable[str] = KINDS, *, exact: bool = False) -> Tally:
    """Slots of some kinds: the value must be right and, if `exact`, the stretch of the text too."""
    tally = Tally()
    wanted = set(kinds)
    for row in rows:
        labels = row["slots"]
        assert isinstance(labels, list)
        labelled = Counter(_fact(label["kind"], label["value"], label["text"], exact) for label in labels if label["kind"] in wanted)
        found = Counter(_fact(each.kind, each.value, each.text, exact) for each in slots(str(row["text"]), language) if each.kind in wanted)
        tally.add(labelled, found)
    return tally


def _fact(kind: str, value: str, text: str, exact: bool) -> tuple[str, ...]:
    return (kind, value, text) if exact else (kind, value)


def main() -> None:
    """Measure both languages and write the result."""
    figures: dict[str, object] = {}
    for language in get_args(Language):
        rows = rows_of(language)
        halves = sorted({str(row["half"]) for row in rows})
        sets = {half: [row for row in rows if row["half"] == half] for half in halves}
        figures |= {
            f"f1_{language}": measured(rows, language).f1,
            f"f1_exact_stretch_{language}": measured(rows, language, exact=True).f1,
            f"sentences_{language}": len(rows),
            f"slots_{language}": sum(len(row["slots"]) for row in rows if isinstance(row["slots"], list)),
            f"by_set_{language}": {half: {"f1": measured(own, language).f1, "sentences": len(own)} for half, own in sets.items()},
            f"by_kind_{language}": {kind: measured(rows, language, [kind]).f1 for kind in KINDS},
        }
    room = Path(__file__).parents[1] / "src" / "tutelage" / "text"
    figures["parser_sha256"] = {name: hashlib.sha256((room / name).read_bytes()).hexdigest() for name in PARSER}
    bars = [at_least(f"f1_{language}", 0.95) for language in get_args(Language)]
    finish("slots", figures, [*bars, *(at_least(f"sentences_{language}", 300) for language in get_args(Language))])


if __name__ == "__main__":
    main()
