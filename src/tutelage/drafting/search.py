"""Search in the clause library: BM25 over English words and pairs of Chinese characters, across both languages."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from tutelage.core.records import Language, LibraryClause, Record
from tutelage.drafting.glossary import translations

K1, B = 1.2, 0.75  # the usual values; Robertson and Zaragoza 2009, section 3.4
TITLE, KEYWORD = 3.0, 4.0  # a word of the title or of the keywords counts as so many words of the text
PHRASE = 6.0  # added where the whole keyword is the title or one of the keywords of the clause
SAME_TYPE = 1.5  # factor for clauses of the asked type
TYPE_ALONE = 0.01  # clauses of the asked type that match no keyword stand at the end
TRANSLATED = 0.4  # factor for what is found by the translation of a keyword; the clause must hold all of its words
ENOUGH = 0.6  # share of a keyword's words that a clause must hold to count as matched: both of two, two of three
NOISE = 0.15  # clauses below this share of the best score are left out, unless they are of the asked type

_PARTS = re.compile(r"[,，、;；\n|]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(("a", "an", "and", "any", "are", "as", "at", "be", "by", "for", "from", "if", "in", "is", "it", "its", "may", "not",
                   "of", "on", "or", "shall", "such", "that", "the", "this", "to", "will", "with"))


class Hit(Record):
    """A clause that was found. `matched` are the keywords that it matched; one found by translation reads
    "保密期限 = confidentiality period".
    """

    clause: LibraryClause
    score: float
    matched: tuple[str, ...]


def split_keywords(keywords: str | Sequence[str]) -> tuple[str, ...]:
    """Keywords as typed, parted at commas, semicolons and line ends, Chinese ones also at spaces; each once."""
    typed = [keywords] if isinstance(keywords, str) else keywords
    words: list[str] = []
    for part in (part for entry in typed for part in _PARTS.split(unicodedata.normalize("NFKC", entry))):
        tidy = " ".join(part.split())
        words += tidy.split() if _CHINESE.search(tidy) else [tidy]
    return tuple(dict.fromkeys(word for word in words if word))


def terms(text: str) -> list[str]:
    """What is indexed: English words in lower case and singular, pairs of neighbouring Chinese characters."""
    plain = unicodedata.normalize("NFKC", text).lower()
    found = [_singular(word) for word in _WORD.findall(plain) if word not in _STOP]
    for run in _CHINESE.findall(plain):
        found += [run[i:i + 2] for i in range(len(run) - 1)] or [run]
    return found


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class Library:
    """An index over clauses, made once and asked often. It does not follow later changes: make a new one then."""

    def __init__(self, clauses: Iterable[LibraryClause]) -> None:
        self.clauses = tuple(clauses)
        self._languages = np.array([clause.language for clause in self.clauses], dtype="U2")
        self._types = np.array([clause.clause_type for clause in self.clauses], dtype="U64")
        self._phrases: dict[str, list[int]] = defaultdict(list)
        self._postings = self._index()

    def search(self, keywords: str | Sequence[str], *, language: Language | None = None, clause_type: str | None = None,
               limit: int = 8) -> list[Hit]:
        """The best clauses first. `language` restricts, `clause_type` lifts.

        A keyword also finds clauses of the other language if the glossary knows its translation.
        """
        scores = np.zeros(len(self.clauses))
        matched: dict[int, dict[str, None]] = defaultdict(dict)
        for keyword in split_keywords(keywords):
            worth, share = self._worth(keyword)
            is_held = share >= ENOUGH
            for place in np.flatnonzero(is_held):
                matched[int(place)][keyword] = None
            for other in translations(keyword):
                other_worth, other_share = self._worth(other)
                is_translated = other_share > 1 - 1e-9
                worth = np.maximum(worth, TRANSLATED * other_worth * is_translated)
                for place in np.flatnonzero(is_translated & ~is_held):
                    matched[int(place)][f"{keyword} = {other}"] = None
            scores += worth
        if language:
            scores[self._languages != language] = 0.0
        scores[scores < NOISE * scores.max(initial=0.0)] = 0.0
        if clause_type:
            is_same = (self._types == clause_type) & ((self._languages == language) if language else True)
            scores[is_same] = scores[is_same] * SAME_TYPE + TYPE_ALONE
        order = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(clause=self.clauses[i], score=round(float(scores[i]), 3), matched=tuple(matched.get(int(i), ())))
                for i in order if scores[i] > 0]

    def _worth(self, keyword: str) -> tuple[np.ndarray, np.ndarray]:
        """What one keyword is worth in each clause, and what share of its words each clause holds; few words count less."""
        wanted = set(terms(keyword))
        worth, share = np.zeros(len(self.clauses)), np.zeros(len(self.clauses))
        for term in sorted(wanted & self._postings.keys()):
            places, values = self._postings[term]
            worth[places] += values
            share[places] += 1.0 / len(wanted)
        worth[self._phrases.get(_phrase(keyword), [])] += PHRASE
        return worth * share, share

    def _index(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each term the clauses that hold it, and its BM25 value there."""
        counts: list[Counter[str]] = []
        lengths: list[int] = []
        for place, clause in enumerate(self.clauses):
            words = terms(clause.text)
            counts.append(_weighted(clause, words))
            lengths.append(len(words))
            for phrase in {_phrase(clause.title), *map(_phrase, clause.keywords)}:
                self._phrases[phrase].append(place)
        usual = sum(lengths) / len(lengths) if lengths else 1.0
        places: dict[str, list[int]] = defaultdict(list)
        values: dict[str, list[float]] = defaultdict(list)
        for place, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            damping = K1 * (1 - B + B * length / usual)
            for term, often in count.items():
                places[term].append(place)
                values[term].append(often * (K1 + 1) / (often + damping))
        return {term: (np.array(found), np.array(values[term]) * math.log(1 + (len(counts) - len(found) + 0.5) / (len(found) + 0.5)))
                for term, found in places.items()}


def search(clauses: Iterable[LibraryClause], keywords: str | Sequence[str], *, language: Language | None = None,
           clause_type: str | None = None, limit: int = 8) -> list[Hit]:
    """One search without keeping the index; `Library` is for many."""
    return Library(clauses).search(keywords, language=language, clause_type=clause_type, limit=limit)


def _weighted(clause: LibraryClause, words: list[str]) -> Counter[str]:
    count: Counter[str] = Counter(words)
    weights: dict[str, float] = defaultdict(float)
    for term in set(terms(clause.title)):
        weights[term] += TITLE
    for term in {term for keyword in clause.keywords for term in terms(keyword)}:
        weights[term] += KEYWORD
    for term, weight in weights.items():
        count[term] += int(weight)
    return count


def _phrase(text: str) -> str:
    return " ".join(terms(text))
