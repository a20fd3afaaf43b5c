"""Stems of English words, so that "pays" and "paying" count as the same word where ROUGE is asked to see it so."""

from __future__ import annotations

from functools import cache

from tutelage.scores.overlap import tokens

LONGEST_KEPT = 3  # rouge-score stems only words of more than three characters
IRREGULAR = {"skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news", "innings": "inning", "inning": "inning",
             "outings": "outing", "outing": "outing", "cannings": "canning", "canning": "canning", "howe": "howe", "proceed": "proceed",
             "exceed": "exceed", "succeed": "succeed"}
SECOND = {"ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al", "entli": "ent",
          "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
          "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "fulli": "ful"}
THIRD = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
FOURTH = ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive",
          "ize")


def stemmed_tokens(text: str) -> list[str]:
    """The tokens of a text, English words of more than three letters as their stems; Chinese characters stay as they are."""
    return [stem(token) if len(token) > LONGEST_KEPT and token.isascii() else token for token in tokens(text)]


@cache
def stem(word: str) -> str:
    """The stem of a lower-case word, as the package rouge-score has it: Porter's steps with the additions of NLTK.

    Source: Porter 1980, An algorithm for suffix stripping; NLTK's PorterStemmer, mode NLTK_EXTENSIONS.
    """
    if word in IRREGULAR or len(word) <= 2:
        return IRREGULAR.get(word, word)
    for step in (_plural, _past, _y, _second, _third, _fourth, _last_e):
        word = step(word)
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        left = word.removesuffix(suffix)
        if left != word and "v" in _shape(left):
            return _mended(left)
    return word


def _mended(left: str) -> str:
    """What is left of a word whose "ed" or "ing" was taken off, as a word: "hopp" is hop, "fil" is file."""
    if left.endswith(("at", "bl", "iz")):
        return left + "e"
    if len(left) >= 2 and left[-1] == left[-2] and _shape(left)[-1] == "c":
        return left if left[-1] in "lsz" else left[:-1]
    return left + "e" if _measure(left) == 1 and _is_short(left) else left


def _y(word: str) -> str:
    left = word[:-1]
    return left + "i" if word.endswith("y") and len(left) > 1 and _shape(left)[-1] == "c" else word


def _second(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _second(word[:-2])
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replaced(word, SECOND)


def _third(word: str) -> str:
    return _replaced(word, THIRD)


def _replaced(word: str, endings: dict[str, str]) -> str:
    """The word with the first of the endings that it has replaced, if what is before has a vowel with a consonant after it."""
    suffix = next((suffix for suffix in endings if word.endswith(suffix)), None)
    if suffix is None or not _measure(word.removesuffix(suffix)):
        return word
    return word.removesuffix(suffix) + endings[suffix]


def _fourth(word: str) -> str:
    suffix = next((suffix for suffix in FOURTH if word.endswith(suffix)), "")
    left = word.removesuffix(suffix)
    return left if _measure(left) > 1 and (suffix != "ion" or left[-1] in "st") else word


def _last_e(word: str) -> str:
    left = word[:-1]
    longer = 2 if _is_short(left) else 1
    return left if word.endswith("e") and _measure(left) >= longer else word


def _shape(word: str) -> str:
    """A c for each consonant and a v for each vowel; a y is a vowel after a consonant."""
    shape = ""
    for letter in word:
        is_vowel = letter in "aeiou" or (letter == "y" and shape[-1:] == "c")
        shape += "v" if is_vowel else "c"
    return shape


def _measure(word: str) -> int:
    """How often a consonant follows a vowel: Porter's m."""
    return _shape(word).count("vc")


def _is_short(word: str) -> bool:
    """Whether a word ends as "hop" does: consonant, vowel, consonant other than w, x, y; or is a vowel and a consonant."""
    shape = _shape(word)
    return shape == "vc" or (shape.endswith("cvc") and word[-1] not in "wxy")

