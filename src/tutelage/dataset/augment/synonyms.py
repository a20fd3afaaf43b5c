"""Synonyms: words and phrases of a clause replaced by others that mean the same in a contract."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache

from tutelage.core.records import Language
from tutelage.dataset.augment.cilin import open_cilin
from tutelage.dataset.augment.settings import Source
from tutelage.dataset.augment.synonyms_en import KEPT as KEPT_EN
from tutelage.dataset.augment.synonyms_en import LEXICON as LEXICON_EN
from tutelage.dataset.augment.synonyms_zh import KEPT as KEPT_ZH
from tutelage.dataset.augment.synonyms_zh import KEPT_ENDS
from tutelage.dataset.augment.synonyms_zh import LEXICON as LEXICON_ZH
from tutelage.dataset.augment.wordnet import open_wordnet
from tutelage.text.keywords import lexicon as legal_terms

LEXICONS: dict[Language, str] = {"en": LEXICON_EN, "zh": LEXICON_ZH}
LANGUAGES_OF: dict[Source, tuple[Language, ...]] = {"lexicon": ("en", "zh"), "wordnet": ("en",), "cilin": ("zh",)}
WORD = re.compile(r"(?<![\w’'-])[a-z]+(?![\w’'-])")
# Each place is taken with this chance, one at least, so that two new clauses of one row differ.
CHANCE = 0.6
SAYS_AN = re.compile(r"(?!uni|use|usa|eu|one)[aeiou]", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A stretch of the text, and what may stand there instead."""

    start: int
    end: int
    choices: tuple[str, ...]


@cache
def lexicon_groups(language: Language) -> dict[str, tuple[str, ...]]:
    """Each phrase of our lexicon -> what may stand in its place."""
    groups: dict[str, tuple[str, ...]] = {}
    for line in LEXICONS[language].strip().splitlines():
        one_way = " > " in line
        phrases = line.split(" > " if one_way else " | ")
        for phrase in phrases[:1] if one_way else phrases:
            groups[phrase] = (*groups.get(phrase, ()), *(other for other in phrases if other != phrase))
    return groups


def replaced(text: str, language: Language, sources: Sequence[Source], *, wordnet: str, seen: Collection[str],
             untouched: Sequence[tuple[int, int]], draw: random.Random) -> str:
    """The text with some synonyms in it; the text itself where none fits.

    `seen` are the words of the training rows: a dictionary's word that no clause uses is not legal language. `untouched` are
    stretches (start, end) that stay: amounts, periods, parties, defined terms. Raises ExtraMissing if a source is not installed.
    """
    places = [place for place in _places(text, language, sources, wordnet, seen)
              if not any(start < place.end and place.start < end for start, end in untouched)]
    if not places:
        return text
    chosen = [place for place in places if draw.random() < CHANCE] or [draw.choice(places)]
    for place in reversed(chosen):
        text = _put(text, place, draw.choice(place.choices), language)
    return text


def _places(text: str, language: Language, sources: Sequence[Source], wordnet: str, seen: Collection[str]) -> list[Place]:
    """Where something may be replaced, in order; where two places overlap, the first and longest stays."""
    finders: dict[Source, Callable[[], list[Place]]] = {
        "lexicon": lambda: _by_lexicon(text, language),
        "wordnet": lambda: _by_wordnet(text, wordnet, seen),
        "cilin": lambda: _by_cilin(text, seen),
    }
    found = [place for source in sources if language in LANGUAGES_OF[source] for place in finders[source]()]
    places: list[Place] = []
    for place in sorted(found, key=lambda place: (place.start, -place.end)):
        if not places or place.start >= places[-1].end:
            places.append(place)
    return places


@cache
def _lexicon_pattern(language: Language) -> re.Pattern[str]:
    phrases = "|".join(re.escape(phrase) for phrase in sorted(lexicon_groups(language), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{phrases})(?![\w-])" if language == "en" else phrases, re.IGNORECASE)


def _by_lexicon(text: str, language: Language) -> list[Place]:
    """Phrases of ours. One that is all capitals, or has a capital within, may be a defined term and stays."""
    found = []
    for match in _lexicon_pattern(language).finditer(text):
        phrase = match[0]
        if language == "zh" or phrase[1:].islower():
            found.append(Place(match.start(), match.end(), lexicon_groups(language)[phrase.lower()]))
    return found


def _by_wordnet(text: str, folder: str, seen: Collection[str]) -> list[Place]:
    """Words in small letters that are no term of art, and whose substitute is none."""
    words = open_wordnet(folder)
    found = []
    for match in WORD.finditer(text):
        choices = tuple(other for other in words.substitutes(match[0]) if other in seen and _is_plain_en(other))
        if choices and _is_plain_en(match[0]):
            found.append(Place(match.start(), match.end(), choices))
    return found


def _by_cilin(text: str, seen: Collection[str]) -> list[Place]:
    cilin = open_cilin()
    found = []
    for at, word in cilin.words(text):
        choices = tuple(other for other in cilin.substitutes(word) if other in seen and _is_plain_zh(other))
        if choices and _is_plain_zh(word):
            found.append(Place(at, at + len(word), choices))
    return found


def _is_plain_en(word: str) -> bool:
    return word not in KEPT_EN and word not in _terms("en")


def _is_plain_zh(word: str) -> bool:
    return word not in KEPT_ZH and not word.endswith(KEPT_ENDS) and word not in _terms("zh")


@cache
def _terms(language: Language) -> frozenset[str]:
    return frozenset(legal_terms(language))


def _put(text: str, place: Place, choice: str, language: Language) -> str:
    """The choice in its place, with the first letter as it was, and "a" or "an" before it as it must be."""
    before, after = text[:place.start], text[place.end:]
    if language == "en":
        if text[place.start].isupper():
            choice = choice[0].upper() + choice[1:]
        article = re.search(r"(?<![\w’'-])([Aa])n? $", before)
        if article:
            before = before[:article.start()] + article[1] + ("n " if SAYS_AN.match(choice) else " ")
    return before + choice + after


def words_of(texts: Sequence[str], language: Language, sources: Sequence[Source]) -> frozenset[str]:
    """The words that some texts use, as far as `sources` ask for them."""
    if language == "en" and "wordnet" in sources:
        return frozenset(word for text in texts for word in WORD.findall(text))
    if language == "zh" and "cilin" in sources:
        return frozenset(word for text in texts for _, word in open_cilin().words(text))
    return frozenset()
