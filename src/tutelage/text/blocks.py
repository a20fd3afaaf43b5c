"""Paragraphs of a text with their numbers and headings, whether lines are hard-wrapped or not; offsets point into the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tutelage.core.records import Language
from tutelage.text.clause_types import heading_types

ITEM = 9  # the level of an enumeration inside a clause: (a), (i), a bullet
PLAIN = 0  # a paragraph without a number
MARKERS: dict[Language, tuple[tuple[str, int], ...]] = {
    "en": (
        (r"#{1,6}\s+(?P<number>(?:\d{1,2}\.)*\d{0,2}\.?)\s*", 1),
        (r"(?P<number>(?:ARTICLE|SECTION|CLAUSE|Article|Section|Clause|Art\.|Sec\.)\s+(?:[IVXLC]+|\d+(?:\.\d+)*))"
         r"(?=[\s.:)–—-])[\s.:)–—-]*", 1),
        (r"(?:§|\*\*)?\s*(?P<number>\d{1,2}\.(?:\d{1,2}\.?)+)\)?(?:\s+|(?=[A-Z\"“]))", 2),
        (r"(?:§|\*\*)?\s*(?P<number>\d{1,2})[.)](?:\s*[-–]\s+|\s+|(?=[A-Z\"“]))", 1),
        (r"(?P<number>\d{1,2})\s+(?=[A-Z]{3,}[A-Z ,/&-]*[A-Z][.:]?(?:\n|$))", 1),
        (r"(?P<number>[IVX]{1,5})[.)]\s+", 1),
        (r"(?P<number>[A-Z])[.)]\s+(?=[A-Z\"“])", 2),
        (r"(?P<number>\((?:[a-zA-Z]{1,2}|[ivx]{1,5}|\d{1,2})\)|[a-z]{1,2}[.)]|[ivx]{1,5}[.)])(?:\s+|(?=[A-Z]))", ITEM),
        (r"(?P<number>[-*•·+o–])\s+", ITEM),
    ),
    "zh": (
        (r"#{1,6}\s+(?P<number>第[一二三四五六七八九十百零〇\d]+[条章节编]|[一二三四五六七八九十]+、|(?:\d{1,2}\.)*\d{0,2}[.、]?)\s*", 1),
        (r"(?P<number>第[一二三四五六七八九十百零〇\d]+[章节编])[\s、:：.]*", 1),
        (r"(?:\*\*)?(?P<number>第[一二三四五六七八九十百千零〇\d]+条(?:之[一二三四五])?)(?:\*\*)?[\s、:：.]*", 1),
        (r"(?P<number>[一二三四五六七八九十]{1,3}、)\s*", 1),
        (r"(?P<number>\d{1,2}\.(?:\d{1,2}\.?)+)\s*", 2),
        (r"(?P<number>\d{1,2}[.、．])\s*(?!\d)", 2),
        (r"(?P<number>[（(][一二三四五六七八九十\d]{1,3}[)）]|[①-⑳]|\d{1,2}[)）])\s*", ITEM),
        (r"(?P<number>[-*•·])\s+", ITEM),
    ),
}
RULE = re.compile(r"\s*([-=_*~#])(?:\s*\1){3,}\s*$")
CLOSED = re.compile(r"[.;:,!?)\"”]\s*$|\b(and|or)\s*$|[。；：！？”]\s*$")
NOT_IN_HEADING = re.compile(
    r"\b(is|are|was|shall|will|may|must|has|have|does|hereby|provided|permitted|includes|contains|applies|means|refers|agrees?"
    r"|Inc|Ltd|Corp|Co|LLC|http\S*|www\S*|e\.g|i\.e|vs?)\b\.?|[@{}<>|]", re.IGNORECASE)
EMPHASIS = re.compile(r"\*\*|(?<!_)__(?!_)")  # a longer run of underscores is a blank to fill in
LEADS_ON_ZH = re.compile(r"如下|下列|以下|应当|不得|可以|包括|主要有|有权")
SMALL_WORDS = frozenset(["a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "no", "nor", "not", "of", "on", "or", "per",
                         "the", "to", "under", "with"])


@dataclass(frozen=True)
class Block:
    """A paragraph, an item or a heading. `level` is 1 or 2 for a numbered one, ITEM for an item, PLAIN without number.

    `heading` is a heading of its own, alone on the line or run in; `body` is the rest, joined to one line.
    """

    number: str
    level: int
    heading: str
    body: str
    start: int
    end: int


def blocks(text: str, language: Language) -> list[Block]:
    """The text's paragraphs in order; rules and page marks are left out."""
    found: list[Block] = []
    for start, end in _spans(text, language):
        found.append(_block(text, start, end, language))
    return [block for block in found if block.heading or block.body]


def joined(lines: str, language: Language) -> str:
    """Hard-wrapped lines as one: with a space in English, without one between Chinese characters; a hyphen at a line's end stays."""
    one = " ".join(lines.split())
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])", "", one) if language == "zh" else one


def marker(line: str, language: Language) -> tuple[re.Match[str], int] | None:
    """The number or bullet that a line begins with, and its level."""
    for expression, level in MARKERS[language]:
        if found := re.match(r"\s*" + expression, line):
            return found, level
    return None


def _spans(text: str, language: Language) -> Iterator[tuple[int, int]]:
    """Start and end of each paragraph: at blank lines and rules, before numbered lines, around heading lines."""
    lines = list(re.finditer(r"[^\n]+", text))
    width = sorted(len(line[0]) for line in lines)[int(len(lines) * 0.9)] if lines else 0
    start = end = -1
    for line in lines:
        content = line[0]
        is_apart = end < 0 or "\n" in text[end:line.start()].replace("\n", "", 1) or bool(RULE.match(content))
        if not is_apart:
            before = text[max(start, text.rfind("\n", 0, end) + 1):end]
            is_apart = _starts_anew(before, content, width=width, language=language)
        if is_apart and start >= 0:
            yield start, end
            start = -1
        if RULE.match(content) or not content.strip():
            end = line.end() if start >= 0 else -1
            continue
        if start < 0:
            start = line.start() + len(content) - len(content.lstrip())
        end = line.start() + len(content.rstrip())
    if start >= 0:
        yield start, end


def _starts_anew(before: str, line: str, *, width: int, language: Language) -> bool:
    """Whether a line that follows another without a blank line begins a paragraph."""
    has_marker = marker(line, language) is not None
    is_short = len(before.strip()) < 0.75 * width
    if language == "zh":
        return has_marker or bool(CLOSED.search(before)) or is_short
    if has_marker:
        return bool(CLOSED.search(before)) or is_short
    found = marker(before, language)
    above = before[found[0].end():] if found else before
    if is_heading(above.strip(" .:"), numbered=bool(found)) and len(above.split()) <= 8 and (not found or found[1] != ITEM):
        return bool(re.match(r"\s*[\"“(]?[A-Z]", line)) and len(before.strip()) < 0.75 * width
    if line.strip().isupper() and not before.strip().isupper() and is_heading(line.strip(), numbered=False):
        return bool(CLOSED.search(before))
    return is_short and bool(re.search(r"[.;:!?][\"”')]?\s*$", before)) and bool(re.match(r"\s*[\"“(]?[A-Z]", line))


def _block(text: str, start: int, end: int, language: Language) -> Block:
    raw = text[start:end]
    found = marker(raw, language)
    number, level, rest, forced = "", PLAIN, raw, False
    if found:
        match, level = found
        number, rest = match["number"].strip(), raw[match.end():]
        forced = raw.lstrip().startswith("#")
        if number in {"-", "*", "•", "·", "+", "o", "–"}:
            number = "-"
    one = joined(EMPHASIS.sub("", rest), language)
    heading, body = _headed(one, forced=forced, level=level, number=number, language=language)
    return Block(number=number, level=level, heading=heading, body=body, start=start, end=end)


def _headed(one: str, *, forced: bool, level: int, number: str, language: Language) -> tuple[str, str]:
    """Heading and body of a paragraph whose number is taken off."""
    if forced:
        return one.rstrip(" .:："), ""
    if language == "zh":
        return _headed_zh(one, number)
    if number == "-":
        return "", one
    numbered = level not in (PLAIN, ITEM)
    is_alone = len(one) <= 90 and not one.endswith((",", ";")) and not (level == ITEM and one.endswith("."))
    is_sentence = one.endswith(".") and len(one.split()) > 3
    if is_alone and is_heading(one.rstrip(" .:-–"), numbered=numbered and not is_sentence):
        return one.rstrip(" .:-–"), ""
    capitals = re.match(r"(?P<heading>[A-Z][A-Z\d ,/&'’()-]{4,70}[A-Z)])\.? +(?=[A-Z\"“][a-z\"“]|[A-Z] [a-z])", one)
    if capitals and level != ITEM and is_heading(capitals["heading"], numbered=numbered):
        return capitals["heading"], one[capitals.end():]
    run_in = re.match(r"[\"“']?(?P<heading>[A-Z][^.:\n]{1,90}?)[\"”']?(?:[.:](?:\s*[-–—])?|\s[-–—]{1,2})\s+(?=[A-Z\"“(\[0-9a-z])", one)
    if run_in and (is_heading(run_in["heading"], numbered=numbered) or _names_type(run_in["heading"])):
        return run_in["heading"].strip(), one[run_in.end():]
    return "", one


def _names_type(line: str) -> bool:
    """Whether a few words without capitals are a heading all the same, because they name a type: "No agency"."""
    return len(line.split()) <= 5 and is_heading(line, numbered=True) and bool(heading_types(line, "en"))


def _headed_zh(one: str, number: str) -> tuple[str, str]:
    framed = re.match(r"[【\[（(](?P<heading>[^】\])）]{2,20})[】\])）][\s:：]*", one)
    if framed and number:
        return framed["heading"], one[framed.end():]
    if len(one) <= 22 and not re.search(r"[，。；：、,;:]", one.rstrip("：:")) and (number or len(one) <= 12):
        leads_on = one.endswith(("：", ":")) and LEADS_ON_ZH.search(one)
        return ("", one) if leads_on else (one.rstrip("：: "), "")
    run_in = re.match(r"(?P<heading>[^，。；：:、\s]{2,14})(?:[：:]|\s+)(?=\S)", one)
    if run_in and number and not LEADS_ON_ZH.search(run_in["heading"]) and not re.search(r"[《》（）()]", run_in["heading"]):
        return run_in["heading"], one[run_in.end():]
    return "", one


def is_heading(line: str, *, numbered: bool) -> bool:
    """Whether an English line reads as a heading: few words, capitals, no verb of a sentence."""
    words = re.findall(r"[A-Za-z][\w'’/-]*", line)
    if line.count('"') % 2 or line.count("“") != line.count("”"):
        return False
    if not 1 <= len(words) <= 12 or NOT_IN_HEADING.search(line) or line.endswith((",", ";")):
        return False
    if not line[:1].isupper() and line[:1] not in "\"“":
        return False
    if line.isupper():
        return len(line) > 3 and len(words) <= 10
    telling = [word for word in words if word.lower() not in SMALL_WORDS]
    capital = sum(word[0].isupper() for word in telling)
    if telling and capital >= 0.75 * len(telling):
        return len(words) > 1 or numbered or len(line) > 5
    return numbered and len(words) <= 6 and line[0].isupper()
