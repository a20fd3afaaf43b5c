"""Paragraphs of a text with their numbers and headings, whether lines are hard-wrapped or not; offsets point into the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutelage.core.records import Language
from tutelage.text.clause_types import heading_types
from tutelage.text.pages import is_page_line, shown

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
INLINE = re.compile(  # a numbered heading, or a number of several levels, in the middle of a paragraph
    r"(?:(?P<ended>(?<=[.;:!?)\]”\"’'])\s+|(?<=[A-Z]{2})\s+|\s{2,})|\s)(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})(?P<dot>\.?)(?P<gap>\s+)"
    r"(?=[A-Z“\"])(?=(?P<line>[^\n]{1,100}))")
INLINE_HEAD = re.compile(r"(?P<capitals>[A-Z][A-Z ,/&'’-]{3,70}[A-Z])\s+(?=[A-Z][a-z])"
                         r"|(?P<heading>[A-Z][^.:;]{1,80}?)(?:[.:](?=\s|$)|\s{2,}(?=\S)|\s*$)")
SPACED = re.compile(r"(?P<heading>[A-Z][^.:;\n]{2,80}?)(?:[ \t]{2,}|\t)(?=[A-Z\"“(])")
BOLD = re.compile(r"\s*\*\*(?P<heading>[A-Z][^*\n]{2,80}?)[.:?]?\*\*[.:]?[ \t]+(?=\S)")
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
    spans = _joined_over_pages(text, list(_spans(text, language)), language)
    if language == "en":
        spans = list(_cut_inline(text, spans))
    found = [_block(text, start, end, language) for start, end in spans]
    return _nested(text, [block for block in found if re.search(r"\w", block.heading + block.body)])


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
            is_apart = is_page_line(content) or _starts_anew(before, content, width=width, language=language)
        if is_apart and start >= 0:
            yield start, end
            start = -1
        if RULE.match(content) or not content.strip() or is_page_line(content):
            end = line.end() if start >= 0 else -1
            continue
        if start < 0:
            start = line.start() + len(content) - len(content.lstrip())
        end = line.start() + len(content.rstrip())
    if start >= 0:
        yield start, end


def _joined_over_pages(text: str, spans: Sequence[tuple[int, int]], language: Language) -> list[tuple[int, int]]:
    """Paragraphs that only the end of a page cut in two are one."""
    whole: list[tuple[int, int]] = []
    for start, end in spans:
        between = text[whole[-1][1]:start].strip() if whole else ""
        is_cut = between and all(is_page_line(line) for line in between.split("\n") if line.strip())
        goes_on = is_cut and (language == "zh" or text[start].islower()) and marker(text[start:end], language) is None
        if goes_on and not CLOSED.search(text[whole[-1][0]:whole[-1][1]]):
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole


def _cut_inline(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """English paragraphs cut before numbered headings that stand in their midst; a number counts only if it is the next one."""
    last: tuple[int, ...] = ()
    for start, end in spans:
        if numbered := re.compile(r"\s*(?:\*\*|§)?\s*(\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s").match(text, start, end):
            last = tuple(int(part) for part in numbered[1].split("."))
        for match in INLINE.finditer(text, start, end):
            number = tuple(int(part) for part in match["number"].split("."))
            if not _follows(last, number) or not (match["dot"] or len(number) > 1 or len(match["gap"]) > 1):
                continue
            head = INLINE_HEAD.match(match["line"])
            heading = (head["capitals"] or head["heading"]).strip() if head else ""
            is_head = is_heading(heading, numbered=True)
            if (is_head and heading.isupper()) or (match["ended"] and (is_head or (len(number) > 1 and last))):
                last = number
                yield start, start + len(text[start:match.start()].rstrip())
                start = match.start("number")
        yield start, end


def _follows(last: tuple[int, ...], number: tuple[int, ...]) -> bool:
    """Whether a section's number may come after another: 3.2 after 3.1, 3.1 after 3, 4 or 4.1 after 3.2."""
    if not last:
        return number in ((1,), (1, 1))
    nexts = {(*last[:depth], last[depth] + 1) for depth in range(len(last))} | {(*last, 1), (last[0] + 1, 1)}
    return number in nexts


def _nested(text: str, found: Sequence[Block]) -> list[Block]:
    """Indented lists of Markdown: the 2 under the 3 is 3.2, one level down."""
    made: list[Block] = []
    open_lists: list[tuple[int, str]] = []
    for block in found:
        if block.level == 1 and block.number.isdigit():
            line = text[text.rfind("\n", 0, block.start) + 1:block.start]
            indent, own = len(line.expandtabs(4)), block.number
            is_known = any(known == indent for known, _ in open_lists[1:])
            while open_lists and open_lists[-1][0] >= indent:
                open_lists.pop()
            is_enumeration = bool(made) and made[-1].body.endswith((":", "："))
            if line.strip() or is_enumeration or (open_lists and own != "1" and not is_known):
                open_lists = []
            elif open_lists:
                own = f"{open_lists[-1][1]}.{own}"
                block = replace(block, number=own, level=2)
            open_lists.append((indent, own))
        made.append(block)
    return made


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
    visible = shown(rest)
    one = joined(visible, language)
    heading, body = _headed(one, forced=forced, level=level, number=number, language=language)
    if language == "en" and not heading and level != ITEM:
        spaced = SPACED.match(visible) if level != PLAIN else None
        if bold := BOLD.match(rest):
            heading, body = joined(bold["heading"], language), joined(shown(rest[bold.end():]), language)
        elif spaced and is_heading(spaced["heading"].strip(), numbered=True):
            heading, body = joined(spaced["heading"], language), joined(visible[spaced.end():], language)
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
    run_in = re.match(r"[\"“']?(?P<heading>[A-Z][^.:\n]{1,90}?)[\"”']?"
                      r"(?:(?:[.:](?:\s*[-–—])?|\s[-–—]{1,2})\s+(?=[A-Z\"“(\[0-9a-z])|(?<=[a-z])\.(?=[A-Z][a-z]+ ))", one)
    if run_in and (is_heading(run_in["heading"], numbered=numbered) or _names_type(run_in["heading"])):
        return run_in["heading"].strip(), one[run_in.end():]
    return "", one


def _names_type(line: str) -> bool:
    """Whether a few words without capitals are a heading all the same, because they name a type: "No agency"."""
    return len(line.split()) <= 5 and is_heading(line, numbered=True) and bool(heading_types(line, "en"))


def _headed_zh(one: str, number: str) -> tuple[str, str]:
    if number == "-":
        return "", one
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
    if not 1 <= len(words) <= 12 or NOT_IN_HEADING.search(line.removeprefix("Permitted ")) or line.endswith((",", ";")):
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
