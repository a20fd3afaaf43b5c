"""The numbers that Word shows before paragraphs: resolved from numbering and styles, counted in the order of the document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutelage.documents.readers.docx_package import MC, W, is_on, value
from tutelage.documents.readers.numerals import number_in

if TYPE_CHECKING:
    from lxml.etree import _Element

LEVELS = 9
BULLET = "•"
_HOLE = re.compile(r"%([1-9])")
# Bullets are drawn with characters of symbol fonts, which mean something else elsewhere.
_PRIVATE = re.compile(r"[\ue000-\uf8ff]")


@dataclass(frozen=True)
class Level:
    """How one level of a list is numbered. `restart`: the level (from 1) after which it begins anew, 0 never, None after any higher."""

    start: int = 1
    style: str = "decimal"
    text: str = ""
    restart: int | None = None
    is_legal: bool = False
    paragraph_style: str = ""
    has_space: bool = True


@dataclass(frozen=True)
class Number:
    """The number of a paragraph as Word shows it, and in full with the levels above: "(a)" and "3.2(a)"."""

    shown: str
    full: str
    has_space: bool = True


@dataclass(frozen=True)
class _List:
    """A list that paragraphs may belong to; lists of the same `abstract` count on together."""

    abstract: str
    levels: dict[int, Level]
    starts: dict[int, int]


class Numbering:
    """Gives each numbered paragraph its number; ask in the order of the document, once for each paragraph."""

    def __init__(self, numbering: _Element | None, styles: _Element | None) -> None:
        self._styles = {style.get(W + "styleId") or "": style for style in styles.iter(W + "style")} if styles is not None else {}
        self._lists = _lists(numbering, self._styles) if numbering is not None else {}
        self._counters: dict[str, list[int | None]] = {}
        self._begun: set[tuple[str, int]] = set()

    def style_name(self, properties: _Element | None) -> str:
        """The name of the style of a paragraph, in small letters."""
        style = self._styles.get(value(properties, "pStyle"))
        return (value(style, "name") or value(properties, "pStyle")).lower()

    def of(self, properties: _Element | None) -> Number | None:
        """The number of the next paragraph with these properties, None if it has none."""
        found = self._place(properties)
        if found is None:
            return None
        identifier, depth = found
        here = self._lists[identifier]
        counters = self._counters.setdefault(here.abstract, [None] * LEVELS)
        if depth in here.starts and (identifier, depth) not in self._begun:
            counters[depth] = here.starts[depth]
        else:
            current = counters[depth]
            counters[depth] = _start(here, depth) if current is None else current + 1
        self._begun.add((identifier, depth))
        for deeper in range(depth + 1, LEVELS):
            restart = here.levels.get(deeper, Level()).restart
            if restart is None or depth < restart:
                counters[deeper] = None
        return _written(here, counters, depth)

    def _place(self, properties: _Element | None) -> tuple[str, int] | None:
        """The list and the level: the paragraph's own words first, then its style's and those that the style is based on."""
        identifier, depth = value(properties, "numPr/numId"), value(properties, "numPr/ilvl")
        style_id, seen = value(properties, "pStyle") or self._default(), set()
        while not identifier and style_id in self._styles and style_id not in seen:
            seen.add(style_id)
            style = self._styles[style_id]
            own = style.find(f"{W}pPr")
            identifier = value(own, "numPr/numId")
            if identifier:
                linked = [level for level, is_ in self._lists[identifier].levels.items() if is_.paragraph_style == style_id] \
                    if identifier in self._lists else []
                depth = depth or (str(linked[0]) if linked else value(own, "numPr/ilvl"))
            style_id = value(style, "basedOn")
        if identifier not in self._lists:
            return None
        return identifier, min(int(depth), LEVELS - 1) if depth.isdigit() else 0

    def _default(self) -> str:
        return next((name for name, style in self._styles.items()
                     if style.get(W + "default") in ("1", "true") and style.get(W + "type") == "paragraph"), "")


def _start(here: _List, depth: int) -> int:
    return here.starts.get(depth, here.levels[depth].start if depth in here.levels else 1)


def _written(here: _List, counters: list[int | None], depth: int) -> Number | None:
    level = here.levels.get(depth)
    if level is None or level.style == "none":
        return None
    if level.style == "bullet":
        return Number(_PRIVATE.sub(BULLET, level.text) or BULLET, "", level.has_space)
    shown = _filled(here, counters, level)
    full, needs = shown, _is_relative(level, depth)
    for above in range(depth - 1, -1, -1):
        higher = here.levels.get(above)
        if not needs or higher is None or counters[above] is None or higher.style in ("bullet", "none"):
            break
        full = _filled(here, counters, higher).rstrip(" .、．:：") + full
        needs = _is_relative(higher, above)
    return Number(shown, full, level.has_space) if shown else None


def _is_relative(level: Level, depth: int) -> bool:
    """Whether its number means nothing without the one above; one that never begins anew, as of articles, does."""
    return _HOLE.findall(level.text) == [str(depth + 1)] and level.restart != 0


def _filled(here: _List, counters: list[int | None], level: Level) -> str:
    def fill(hole: re.Match[str]) -> str:
        depth = int(hole[1]) - 1
        count = counters[depth]
        style = "decimal" if level.is_legal else here.levels.get(depth, Level()).style
        return number_in(style, _start(here, depth) if count is None else count)

    return _HOLE.sub(fill, level.text).strip()


def _lists(numbering: _Element, styles: dict[str, _Element]) -> dict[str, _List]:
    abstracts = {abstract.get(W + "abstractNumId") or "": abstract for abstract in numbering.iter(W + "abstractNum")}
    nums = {num.get(W + "numId") or "": num for num in numbering.iter(W + "num")}
    lists = {}
    for identifier, num in nums.items():
        name = _behind(value(num, "abstractNumId"), abstracts, nums, styles)
        if identifier == "0" or name not in abstracts:
            continue
        levels = dict(map(_level, abstracts[name].iterfind(W + "lvl")))
        starts = {}
        for override in num.iterfind(W + "lvlOverride"):
            depth = _whole(override.get(W + "ilvl"), 0)
            own = override.find(W + "lvl")
            if own is not None:
                levels[depth] = _level(own)[1]
            if start := value(override, "startOverride"):
                starts[depth] = _whole(start, 1)
        lists[identifier] = _List(name, levels, starts)
    return lists


def _behind(name: str, abstracts: dict[str, _Element], nums: dict[str, _Element], styles: dict[str, _Element]) -> str:
    """A list may be defined by a list style: then that of the style counts."""
    for _ in range(LEVELS):
        link = value(abstracts.get(name), "numStyleLink")
        if not link or link not in styles:
            return name
        name = value(nums.get(value(styles[link], "pPr/numPr/numId")), "abstractNumId")
    return name


def _level(level: _Element) -> tuple[int, Level]:
    # Word wraps formats of its newer versions, with an older one to fall back on.
    style = value(level, "numFmt") or value(level.find(f"{MC}AlternateContent/{MC}Fallback"), "numFmt")
    restart = value(level, "lvlRestart")
    made = Level(start=_whole(value(level, "start"), 0 if level.find(W + "start") is None else 1), style=style or "decimal",
                 text=value(level, "lvlText"), restart=_whole(restart, 0) if restart else None, is_legal=is_on(level, "isLgl"),
                 paragraph_style=value(level, "pStyle"), has_space=value(level, "suff") != "nothing")
    return _whole(level.get(W + "ilvl"), 0), made


def _whole(stated: str | None, otherwise: int) -> int:
    return int(stated) if stated and re.fullmatch(r"\d{1,9}", stated) else otherwise
