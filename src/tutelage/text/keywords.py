"""Keywords of a clause: what a lawyer would type to ask for it. Rules and two word lists of ours; no model, no corpus."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tutelage.core.records import Language

# How much a kind of keyword tells, best first; a word that is repeated gains a little.
AMOUNT, PLACE, TERM, DEFINED, PHRASE, NAME, WORD = 6.0, 5.0, 4.0, 3.5, 2.5, 2.0, 1.0
NUMBER_WORDS = ("one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|twenty-four|thirty|forty-five|forty|sixty|ninety"
                "|one hundred twenty|one hundred and eighty|hundred")
UNITS = "(?:business |calendar |working )?(?:days?|weeks?|months?|years?|hours?)"
AMOUNT_EN = re.compile(rf"\b(?:(?:{NUMBER_WORDS})(?: ?\(\d+\))?|\(?\d+\)?)[ -]{UNITS}\b"
                       r"|(?:\b(?:USD|EUR|GBP|CNY|RMB) ?|(?:US)?[$€£¥] ?)\d[\d,.]*\d|\b\d+(?:\.\d+)? ?(?:%|percent\b)", re.IGNORECASE)
AMOUNT_ZH = re.compile(r"(?:[一二三四五六七八九十百]+|\d+)(?:个)?(?:工作日|自然日|日|天|周|个月|月|年|小时)(?:内|前|以上|以内)?"
                       r"|(?:人民币)?\d[\d,.]*(?:万|亿)?元"
                       r"|百分之[一二三四五六七八九十百]+|[千万]分之[一二三四五六七八九十]+|\d+(?:\.\d+)?[%‰]")
PLACE_EN = re.compile(r"\b(?:laws?|courts?|State|Commonwealth|County|Province|Republic|Kingdom) (?:of|in) (?:the )?"
                      r"((?:State of |Republic of )?[A-Z][a-z]+(?: (?:and |of )?[A-Z][a-z]+){0,2})")
DEFINED_EN = re.compile(r"[\"“]([A-Z][\w'’-]*(?: [\w'’-]+){0,3})[,.]?[\"”]")
NAME_EN = re.compile(r"(?<=[a-z,] )([A-Z][a-zA-Z]+(?: [A-Z][a-zA-Z]+){0,2})")
DEFINED_ZH = re.compile(r"[“\"《]([\u4e00-\u9fffA-Za-z]{2,12})[”\"》]")
WORD_EN = re.compile(r"[a-z][a-z'’-]+")
STOP_ZH = re.compile("有关|依照|按照|根据|依据|双方|甲方|乙方|丙方|合同|协议|条款|规定|约定|当事人|另一方|一方|对方"
                     "|任何|应当|可以|不得|本法|但是|或者"
                     "|并且|因此|因为|以及|其他|上述|下列|前款|如下|情形|没有|不能|另有|进行|具有|属于|作为|造成|之一|之日|[的了是在和与或及其之于对将由被就并而且该此各第他她未已]")


@dataclass(frozen=True)
class _Found:
    keyword: str
    place: int
    weight: float


def keywords(text: str, language: Language, limit: int = 6, *, apart_from: str = "") -> tuple[str, ...]:
    """At most `limit` keywords of a clause, in the order in which they stand in it.

    Each occurs in the text, letter case and line breaks apart. None says the same as another, and none repeats
    `apart_from`, the name of the clause's type.
    """
    one = " ".join(text.split())
    found = _chinese(one) if language == "zh" else _english(one)
    chosen: list[_Found] = []
    for candidate in sorted(found, key=lambda item: (-item.weight, item.place)):
        if len(chosen) == limit:
            break
        others = [apart_from.lower(), *(item.keyword.lower() for item in chosen)]
        if not any(_says_same(candidate.keyword.lower(), other, language) for other in others):
            chosen.append(candidate)
    return tuple(item.keyword for item in sorted(chosen, key=lambda item: item.place))


@cache
def lexicon(language: Language) -> tuple[str, ...]:
    """Terms of contracts that are keywords wherever they stand; the longest first."""
    return tuple(sorted(_lines(f"keywords.{language}.txt"), key=lambda term: (-len(term), term)))


def _lines(name: str) -> list[str]:
    return files("tutelage.text").joinpath("data", name).read_text("utf-8").split("\n")[:-1]


@cache
def _lexicon_pattern(language: Language) -> re.Pattern[str]:
    terms = "|".join(re.escape(term) for term in lexicon(language))
    return re.compile(rf"(?<![\w-])(?:{terms})(?![\w-])" if language == "en" else rf"(?<!承)(?:{terms})", re.IGNORECASE)


def _says_same(keyword: str, other: str, language: Language) -> bool:
    if language == "zh":
        return keyword in other or (other != "" and other in keyword)
    mine, theirs = ({word.rstrip("s") for word in re.findall(r"[\w'’$%-]+", phrase)} for phrase in (keyword, other))
    return bool(mine & theirs) and len(mine & theirs) >= min(len(mine), len(theirs)) / 2


def _english(text: str) -> list[_Found]:
    is_shouted = sum(letter.isupper() for letter in text) > 0.5 * max(1, sum(letter.isalpha() for letter in text))
    lower = text.lower()
    found = [_Found(match[0].lower().strip(" ("), match.start(), AMOUNT) for match in AMOUNT_EN.finditer(text)]
    counts = Counter(match[0] for match in _lexicon_pattern("en").finditer(lower))
    for match in _lexicon_pattern("en").finditer(lower):
        words = match[0].count(" ") + match[0].count("-") + 1
        found.append(_Found(match[0], match.start(), (TERM if words > 1 else PHRASE - 0.3) + 0.3 * min(counts[match[0]], 3)))
    if not is_shouted:
        found += [_Found(match[1], match.start(1), PLACE) for match in PLACE_EN.finditer(text)]
        found += [_Found(match[1], match.start(1), DEFINED) for match in DEFINED_EN.finditer(text)
                  if not all(word.lower() in _stop_words() for word in match[1].split())]
        found += [_Found(match[1], match.start(1), NAME) for match in NAME_EN.finditer(text)
                  if not any(word.lower() in _stop_words() for word in match[1].split())]
    return found + _phrases(lower)


def _phrases(lower: str) -> list[_Found]:
    """Runs of one to three words between stop words and punctuation; a run whose words recur weighs more."""
    stop = _stop_words()
    words = list(WORD_EN.finditer(lower))
    counts = Counter(word[0] for word in words)
    runs: list[list[re.Match[str]]] = [[]]
    for word in words:
        is_stop = word[0] in stop or word[0].endswith(("'s", "’s", "s'", "s’"))
        if is_stop or (runs[-1] and lower[runs[-1][-1].end():word.start()] != " "):
            runs.append([])
        if not is_stop:
            runs[-1].append(word)
    found = []
    for run in runs:
        last = run[-1][0] if run else ""
        if not 1 <= len(run) <= 3 or len(last) < 4 or last.endswith(("ly", "ing", "ed")) or run[0][0].endswith("ly"):
            continue
        weight = (PHRASE - 0.5 if len(run) > 1 else WORD) + 0.2 * min(3, max(counts[word[0]] for word in run))
        found.append(_Found(lower[run[0].start():run[-1].end()], run[0].start(), weight))
    return found


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(_lines("stop_words.en.txt"))


def _chinese(text: str) -> list[_Found]:
    found = [_Found(match[0], match.start(), AMOUNT) for match in AMOUNT_ZH.finditer(text)]
    found += [_Found(match[0], match.start(), TERM + 0.1 * len(match[0])) for match in _lexicon_pattern("zh").finditer(text)]
    found += [_Found(match[1], match.start(1), DEFINED) for match in DEFINED_ZH.finditer(text)]
    return found + _repeats(text)


def _repeats(text: str) -> list[_Found]:
    """Chinese words that recur: runs of 2 to 4 characters, found twice, that no longer run always contains."""
    places: dict[str, list[int]] = {}
    around: dict[str, tuple[set[str], set[str]]] = {}
    for run in re.finditer(r"[\u4e00-\u9fff]+", STOP_ZH.sub(lambda word: "，" * len(word[0]), text)):
        letters = run[0]
        for width in range(2, min(4, len(letters)) + 1):
            for offset in range(len(letters) - width + 1):
                gram = letters[offset:offset + width]
                places.setdefault(gram, []).append(run.start() + offset)
                before, after = around.setdefault(gram, (set(), set()))
                before.add(letters[offset - 1] if offset else "")
                after.add(letters[offset + width] if offset + width < len(letters) else "")
    return [_Found(gram, found[0], WORD + 0.3 * min(len(gram), 4) + 0.2 * min(len(found), 3)) for gram, found in places.items()
            if len(found) > 1 and all(len(side) > 1 or "" in side for side in around[gram]) and gram[0] not in "性者们化员"]
