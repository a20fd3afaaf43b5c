"""Why a cleaned text is not worth learning: too short or long, another language, repeats itself, or is no running text.

The checks on repetition and symbols and their thresholds are those of Gopher (Rae et al. 2021, arXiv:2112.11446, appendix A1 and table A1),
made for web pages. Where they dropped ordinary legal texts they were changed; each change says so. As they are, they drop none of
1,922 licences, 100 CUAD contracts, 11 Chinese statutes and 13 Common Paper agreements, and one of 6,995 statute articles.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.documents.settings import DocumentsSettings

# In two licences that say the same in Chinese and English, one Chinese character takes the place of five; four errs towards dropping.
CHINESE_CHARACTER = 4

# Shares of lines and of paragraphs that occurred before, and of their characters; Gopher drops from 0.30 or 0.20 of the characters on,
# which takes contracts with equal signature blocks and files that hold one licence for several owners (both shares up to 0.45).
DUPLICATES = 0.5
# Share of the characters in the most frequent run of n words. A Chinese run has twice as many characters: a word has two.
TOP_RUNS = {2: 0.20, 3: 0.18, 4: 0.16}
# In short texts a defined term reaches these shares ("GNU General Public License", 土地使用权); Gopher never sees fewer than 50 words.
LEAST_REPETITION_WORDS = 250
LEAST_SYMBOL_WORDS = 50
# A line of fewer characters (a bracket, a number, "and", a rule of dashes) repeats without being repetition.
LEAST_LINE = 10

# Hashes and ellipses to words; not hashes that begin a line (comments), nor dots that lead to a page number.
SYMBOLS_A_WORD = 0.1
# Gopher: 0.8; agreements in tables and articles that list articles have down to 0.7.
ALPHABETIC_WORDS = 0.6
BULLET_LINES = 0.9
ELLIPSIS_LINES = 0.3
MEAN_WORD = (3, 10)

_LETTER = re.compile(r"[^\W\d_]")
_PARAGRAPH = re.compile(r"\n[ \t\u3000]*\n\s*")
# Not * and -: licences stand in comments.
_BULLETS = ("•", "‣", "▪", "●", "○", "◦", "·")
_SYMBOL = re.compile(r"(?<!^)#(?!#)|(?<!\.)\.{3}(?!\.)|…", re.MULTILINE)
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[A-Za-z0-9]+")
_SPELT = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Dropped:
    """Why a row goes: a short reason that can be counted, and what a person should know; which field is wrong and what it should hold."""

    reason: str
    detail: str
    field: str = ""
    expected: str = ""


def unfit(text: str, language: str, settings: DocumentsSettings, *, stated: str = "") -> Dropped | None:
    """Why a document goes, None if it stays. `stated` is the language that the file itself gives, "" for none."""
    found = _size(text, language, settings) if language in settings.languages else None
    if language not in settings.languages:
        says = f" The file itself says {stated}." if stated else ""
        return Dropped(f"language:{language}", f"Wanted are {', '.join(settings.languages)} (documents.languages).{says}")
    if found is None and (settings.repetition or settings.symbols):
        words = words_of(text, language)
        found = repetition(text, words) if settings.repetition else None
        return symbols(text, words) if found is None and settings.symbols else found
    return found


@dataclass(frozen=True)
class Words:
    """The words of a text in order (of a Chinese one its characters, with Latin words and numbers whole), and how often each occurs.

    `spelt` are those with a letter or a digit in them.
    """

    all: list[str]
    times: Counter[str]
    spelt: frozenset[str]
    is_chinese: bool


def words_of(text: str, language: str) -> Words:
    """The words of a text."""
    found = _CHINESE.findall(text) if language == "zh" else text.split()
    times = Counter(found)
    return Words(found, times, frozenset(word for word in times if word.isalnum() or _SPELT.search(word)), language == "zh")


def too_long(characters: int, settings: DocumentsSettings) -> Dropped | None:
    """Why a text or row of any kind is too long, None if it is not."""
    if settings.max_characters is not None and characters > settings.max_characters:
        return Dropped("too long", f"It has {characters:,} characters; documents.max_characters is {settings.max_characters:,}.")
    return None


def too_many_tokens(tokens: int, settings: DocumentsSettings) -> Dropped | None:
    """Why a text or row has too many tokens, None if it has not."""
    if settings.max_tokens is not None and tokens > settings.max_tokens:
        return Dropped("too many tokens", f"It has {tokens:,} tokens of the base model; documents.max_tokens is {settings.max_tokens:,}.")
    return None


def _size(text: str, language: str, settings: DocumentsSettings) -> Dropped | None:
    least = math.ceil(settings.min_characters / CHINESE_CHARACTER) if language == "zh" else settings.min_characters
    if len(text) < least:
        chinese = f", for Chinese {least}" if language == "zh" else ""
        return Dropped("too short", f"It has {len(text)} characters; documents.min_characters is {settings.min_characters}{chinese}.")
    return too_long(len(text), settings)


def repetition(text: str, words: Words) -> Dropped | None:
    """Whether the text repeats itself, by lines, paragraphs, and runs of words (of characters in Chinese)."""
    units = [word for word in words.all if word in words.spelt]
    units_a_word = 2 if words.is_chinese else 1
    if len(units) < LEAST_REPETITION_WORDS * units_a_word:
        return None
    for name, pieces in (("duplicate lines", text.split("\n")), ("duplicate paragraphs", _PARAGRAPH.split(text))):
        share, characters = duplicated(pieces)
        if share > DUPLICATES and characters > DUPLICATES:
            return Dropped("repetitive", f"{name}: {share:.0%} of them and {characters:.0%} of their characters "
                           f"({DUPLICATES:.0%} allowed). documents.repetition switches this off.")
    runs = top_runs(units, [length * units_a_word for length in TOP_RUNS])
    for (run, share), most in zip(runs, TOP_RUNS.values(), strict=False):
        if share > most:
            shown = ("" if words.is_chinese else " ").join(run)
            return Dropped("repetitive", f"most frequent run of {len(run)}: {shown[:60]!r} has {share:.0%} of the characters "
                           f"({most:.0%} allowed). documents.repetition switches this off.")
    return None


def duplicated(pieces: Iterable[str]) -> tuple[float, float]:
    """Share of the pieces that stood before, and of the characters in them. Pieces of a few characters do not count."""
    kept = [piece for piece in (piece.strip() for piece in pieces) if len(piece) >= LEAST_LINE and _LETTER.search(piece)]
    if not kept:
        return 0.0, 0.0
    seen: set[str] = set()
    again = [piece for piece in kept if piece in seen or seen.add(piece)]  # type: ignore[func-returns-value]
    return len(again) / len(kept), sum(map(len, again)) / sum(map(len, kept))


def top_runs(units: Sequence[str], lengths: Sequence[int]) -> Iterator[tuple[tuple[str, ...], float]]:
    """For each length, rising, the most frequent run of so many units and the share of the characters that its occurrences hold.

    Of equally frequent ones it is the longest, as in the paper. It ends where no run occurs twice.
    """
    number = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    ids = np.array([number[unit] for unit in units], dtype=np.int64)
    characters = sum(map(len, units))
    codes, done = ids, 1
    for length in lengths:
        if len(units) < length:
            return
        for step in range(done, length):
            codes = np.unique(codes[:-1] * len(number) + ids[step:], return_inverse=True)[1]
        done = length
        _, first, times = np.unique(codes, return_index=True, return_counts=True)
        most = int(times.max())
        if most < 2:
            return
        run = max((tuple(units[start:start + length]) for start in first[times == most].tolist()), key=lambda run: sum(map(len, run)))
        yield run, most * sum(map(len, run)) / characters


def symbols(text: str, words: Words) -> Dropped | None:
    """Whether the text is no running text: symbols, bullets, cut lines, words without letters, or words of odd length."""
    count = len(words.all)
    if count < LEAST_SYMBOL_WORDS:
        return None
    lines = [line for line in text.split("\n") if line.strip()]
    has_symbols = any(symbol in text for symbol in ("#", "...", "…"))
    most = {"# and ellipses a word": (len(_SYMBOL.findall(text)) / count if has_symbols else 0.0, SYMBOLS_A_WORD),
            "lines that begin with a bullet": (sum(line.lstrip().startswith(_BULLETS) for line in lines) / len(lines), BULLET_LINES),
            "lines that end in an ellipsis": (sum(line.endswith(("...", "…")) for line in lines) / len(lines), ELLIPSIS_LINES)}
    for name, (share, allowed) in most.items():
        if share > allowed:
            return _no_text(f"{name}: {share:.2f} ({allowed:.2f} allowed)")
    alphabetic = sum(times for word, times in words.times.items() if word.isalpha() or _LETTER.search(word)) / count
    if alphabetic < ALPHABETIC_WORDS:
        return _no_text(f"words with a letter: {alphabetic:.2f} (at least {ALPHABETIC_WORDS:.2f})")
    spelt = sum(words.times[word] for word in words.spelt)
    mean = sum(len(word) * words.times[word] for word in words.spelt) / spelt
    if not words.is_chinese and not MEAN_WORD[0] <= mean <= MEAN_WORD[1]:
        return _no_text(f"mean length of a word: {mean:.1f} characters ({MEAN_WORD[0]} to {MEAN_WORD[1]} allowed)")
    return None


def _no_text(what: str) -> Dropped:
    return Dropped("symbols", f"{what}. documents.symbols switches this off.")
