"""Cutting a contract or licence into its clauses, by headings and numbering, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutelage.core.records import Language
from tutelage.text.blocks import ITEM, PLAIN, Block, blocks
from tutelage.text.clause_types import DEFINING, heading_types, opening_type, told_types, type_of
from tutelage.text.pages import RECITAL, SIGNATURE, shown_places

TITLE = re.compile(r"\b(licen[sc]es?|agreement|eula|contract|terms( and conditions)?|version)\b"
                   r"|(合同|协议|协议书|法|条例|规定|办法|解释)$", re.IGNORECASE)
CLOSING = re.compile(r"\W*(end of (the |these )?(terms|licen[sc]e|agreement|document)"
                     r"|exhibit\b|appendix\b|schedule\b|annex\b|attachment\b|how to (apply|use) |in witness whereof"
                     r"|附件|附表|附录|（?以下无正文|签署页|甲方（(签字|盖章|签章))", re.IGNORECASE)
COPYRIGHT_LINE = re.compile(r"\W*(portions )?(copyright|\(c\)|©)\W{0,3}(\(c\)|©|\d{4}|by\b)"
                            r"|(.{0,30}\b)?all rights reserved\W*$", re.IGNORECASE)
STANDS_ALONE = re.compile(
    r"(THE|THIS|ALL|ANY)\b[^.]{0,90}\b(IS|ARE)\b[^.]{0,40}"
    r"\b(PROVIDED|LICENSED|SUPPLIED|DISTRIBUTED|FURNISHED|MADE AVAILABLE|DELIVERED)\b[^.]{0,160}\bAS[ -]IS\b"
    r"|(IN|UNDER) NO (EVENT|CIRCUMSTANCES?)\b|BECAUSE THE \w+ IS LICENSED FREE|PERMISSION (IS|TO)\b"
    r"|(YOU|LICENSEE) ACKNOWLEDGES? THAT (YOU|IT) HA(VE|S) READ\b"
    r"|NEITHER THE NAMES?\b|REDISTRIBUTIONS? AND USE\b"
    r"|(THERE IS|\w+ MAKES?) NO WARRANT", re.IGNORECASE)
MIXED = re.compile(r"general|miscellan|other (terms|provisions)|^legal|additional (terms|provisions)|^$|其他|附则|一般条款", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.;])\s+(?=[\"“(]?[A-Z])|(?<=[。；])(?=.)")
MINIMUM_CUT = 60  # characters: a shorter piece stays with its neighbour


@dataclass(frozen=True)
class Clause:
    """One clause as clean prose without its number and heading; enumerations stand on lines of their own.

    `above` is the heading of the section around it, "" for none; a piece of a section that was too long has only that.
    `start` and `end` bound it, heading included, in the text that was cut.
    """

    number: str
    heading: str
    text: str
    start: int
    end: int
    above: str = ""

    def type_in(self, language: Language) -> str | None:
        """Its type: by its heading, else by what it says. Under a heading above, a type that both name goes first."""
        if not self.above or DEFINING[language].match(self.text) or heading_types(self.heading, language):
            return type_of(self.heading, self.text, language)
        told = told_types(self.text, language)
        named = heading_types(self.above, language)
        return next((key for key in told if key in named), opening_type(self.text, language))


@dataclass(frozen=True)
class _Unit:
    above: str
    parts: tuple[Block, ...]

    @property
    def heading(self) -> str:
        return self.parts[0].heading

    @property
    def has_text(self) -> bool:
        return any(block.body for block in self.parts)


def cut_clauses(text: str, language: Language, *, longest: int = 1200) -> list[Clause]:
    """The clauses in order. A section of more than `longest` characters is cut at its paragraphs.

    Titles, recitals, copyright and signature lines, page numbers and the headings of annexes are left out. A text without
    headings gives its paragraphs.
    """
    clauses = []
    for unit in _units(blocks(text, language), language):
        for piece in _pieces(unit, text, language, longest):
            clauses.append(_clause(piece, language))
    return clauses


def _units(found: Sequence[Block], language: Language) -> Iterator[_Unit]:
    """Blocks gathered under the heading or number that they belong to."""
    parts: list[Block] = []
    above = top = ""
    for position, block in enumerate(found):
        if CLOSING.match(block.heading or block.body) and block.level in (PLAIN, 1):
            if parts:
                yield _Unit(above, tuple(parts))
            parts, above, top = [], "", ""
            continue
        if block.level == PLAIN and len(block.heading + block.body) < 300 and COPYRIGHT_LINE.match(block.heading or block.body):
            continue
        said = f"{block.heading}: {block.body}" if block.heading else block.body
        if block.level == PLAIN and (RECITAL.match(said) or SIGNATURE.match(said)):
            continue
        if position < 5 and block.level == PLAIN and not block.body and TITLE.search(block.heading):
            continue
        if parts and not _begins(block, parts, language):
            parts.append(block)
            continue
        if parts:
            unit = _Unit(above, tuple(parts))
            if unit.has_text:
                yield unit
            if unit.heading and (unit.parts[0].level == 1 or not unit.has_text):
                top = unit.heading
        above = top if not (block.heading and block.level == 1) else ""
        parts = [block]
    if parts and any(block.body for block in parts):
        yield _Unit(above, tuple(parts))


def _begins(block: Block, parts: Sequence[Block], language: Language) -> bool:
    """Whether a block begins a clause, given the clause that is open."""
    first, last = parts[0], parts[-1]
    if block.heading or block.number.endswith("条"):
        return True
    if block.level == ITEM or (language == "zh" and block.level == PLAIN and first.level == 1):
        return False
    if STANDS_ALONE.match(block.body):
        known = heading_types(first.heading, language)
        return not known or type_of("", block.body, language) not in known
    if _goes_on(last, block):
        return False
    if first.heading:
        return block.level == 1 and not heading_types(first.heading, language)
    if block.level == 1:
        return not (first.level != 1 and any(part.body.endswith((":", "：")) for part in parts))
    return block.level == PLAIN or first.level == PLAIN


def _pieces(unit: _Unit, text: str, language: Language, longest: int) -> Iterator[_Unit]:
    """The unit itself, or its paragraphs if it is too long, or its sentences by topic if it gathers many matters."""
    is_mixed = bool(MIXED.search(unit.heading or unit.above))
    if len(unit.parts) > 1 and (is_mixed or sum(len(part.body) for part in unit.parts) > longest):
        yield from _paragraphs(unit, text, language)
    elif is_mixed or (len(unit.parts) == 1 and not unit.heading):
        yield from _topics(unit, text, language)
    else:
        yield unit


def _paragraphs(unit: _Unit, text: str, language: Language) -> Iterator[_Unit]:
    heading = unit.heading or unit.above
    gathered: list[Block] = []
    for part in unit.parts:
        is_listed = part.level != PLAIN and any(before.body.endswith((":", "：")) for before in gathered)
        if gathered and part.level != ITEM and gathered[-1].body and not is_listed and not _goes_on(gathered[-1], part):
            yield from _piece(gathered, heading, text, language)
            gathered = []
        gathered.append(part)
    yield from _piece(gathered, heading, text, language)


def _goes_on(before: Block, after: Block) -> bool:
    """Whether a paragraph is in the middle of the sentence that the one before it began."""
    return before.body.endswith((":", "：", ",", "，")) or after.body[:1].islower()


def _piece(gathered: Sequence[Block], heading: str, text: str, language: Language) -> Iterator[_Unit]:
    piece = _Unit(heading, (replace(gathered[0], heading=""), *gathered[1:]))
    if len(gathered) == 1 and MIXED.search(heading):
        yield from _topics(piece, text, language)
    elif piece.has_text:
        yield piece


def _topics(unit: _Unit, text: str, language: Language) -> Iterator[_Unit]:
    """A paragraph cut where a sentence opens another matter. Without a heading that gathers, only at sentences that stand alone."""
    block = unit.parts[0]
    gathers = bool((block.heading or unit.above) and MIXED.search(block.heading or unit.above))
    cuts, now = [0], type_of("", block.body, language)
    for gap in SENTENCE.finditer(block.body):
        rest = block.body[gap.end():]
        sentence = SENTENCE.split(rest, maxsplit=1)[0]
        kind = type_of("", sentence, language) if gathers or STANDS_ALONE.match(rest) else None
        if kind and kind != now and gap.end() - cuts[-1] >= MINIMUM_CUT and len(rest) >= MINIMUM_CUT:
            cuts.append(gap.end())
            now = kind
    if len(cuts) == 1:
        yield unit
        return
    for begin, finish in zip(cuts, [*cuts[1:], len(block.body)], strict=True):
        start = block.start if begin == 0 else _offset(text, block, begin)
        end = block.end if finish == len(block.body) else _offset(text, block, finish)
        end = start + len(text[start:end].rstrip())
        body = block.body[begin:finish].strip()
        yield _Unit(unit.above or block.heading, (replace(block, heading="", body=body, start=start, end=end),))


def _offset(text: str, block: Block, position: int) -> int:
    """Where a position of the joined body lies in the text: counted in visible characters from the block's end."""
    left = len(re.sub(r"[\s*_]", "", block.body[position:]))
    return block.start + shown_places(text[block.start:block.end])[-left] if left else block.end


def _clause(unit: _Unit, language: Language) -> Clause:
    gap, stop = ("", "：") if language == "zh" else (" ", ". ")
    first = unit.parts[0]
    lines = [first.body] if first.body else []
    for part in unit.parts[1:]:
        shows_number = part.level == ITEM or (part.level == 1 and not first.heading)
        mark = f"{part.number}{gap if part.number != '-' else ' '}" if shows_number else ""
        lead = f"{part.heading}{stop}" if part.heading and part.body else part.heading
        lines.append(f"{mark}{lead}{part.body}")
    return Clause(number=first.number, heading=first.heading, text="\n".join(lines), start=first.start, end=unit.parts[-1].end,
                  above=unit.above)
