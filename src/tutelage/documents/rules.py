"""The cleaning rules of the stage in their order, and the rewriting of one text by them: every change is an edit that can be undone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import regex

from tutelage.core.edits import Edit, replaced
from tutelage.core.errors import InputError
from tutelage.documents.boilerplate import boilerplate_rules
from tutelage.documents.paragraphs import other_paragraphs
from tutelage.documents.settings import DocumentsSettings, Replace
from tutelage.text.rules import Find, Rule, Tidied, by_line, counted, run
from tutelage.text.script import to_simplified
from tutelage.text.tidy import tidy

# A pattern that takes longer on one text tries every way to match it: a person must rewrite it.
SECONDS_A_TEXT = 2.0
# A rule may not make a text longer than this many times itself.
GROWTH = 4
GROWTH_CHARACTERS = 10_000

_NOT_CHINESE = regex.compile(r"[^\u4e00-\u9fa5\n]+")
_KINDS = {"digits": regex.compile(r"\p{Nd}"), "letters": regex.compile(r"[^\W\d_\p{Han}]"), "punctuation": regex.compile(r"[\p{P}\p{S}]"),
          "rare_characters": regex.compile(r"[\p{Han}--[\u4e00-\u9fa5]]", regex.VERSION1)}


class RuleFailed(Exception):
    """A rule of the user's did not come to an end on a text, or made it far too long."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


@dataclass(frozen=True)
class Rules:
    """The rules of one recipe: `always` for every text, `pages` only for whole documents, which have pages and paragraphs."""

    always: tuple[Rule, ...]
    pages: tuple[Rule, ...]


@lru_cache(maxsize=8)
def rules_of(settings: DocumentsSettings) -> Rules:
    """The rules that the settings ask for. Raises InputError for a pattern that cannot be used."""
    simplified = (Rule("simplified", by_line("simplified", to_simplified)),) if settings.simplified else ()
    chinese = (Rule("chinese_only", _only_chinese),) if settings.chinese_only == "delete" else ()
    pages = boilerplate_rules() if settings.boilerplate else ()
    if settings.other_paragraphs == "drop":
        pages = (*pages, other_paragraphs(settings.languages))
    return Rules((*simplified, *(Rule(f"replace:{rule.name}", _replacing(rule)) for rule in settings.replace), *chinese), pages)


def rewrite(text: str, settings: DocumentsSettings, *, is_document: bool) -> Tidied:
    """The text repaired, then without what belongs to pages, then by the rules of the recipe, then tidied again.

    Raises RuleFailed where a rule of the recipe takes too long or lets the text grow.
    """
    rules = rules_of(settings)
    tidied = tidy(text, settings.half_width)
    asked = (*rules.pages, *rules.always) if is_document else rules.always
    changed = run(tidied.text, asked) if asked else Tidied(tidied.text)
    if not changed.steps:
        return tidied
    last = tidy(changed.text, settings.half_width)
    steps = tuple(chain(tidied.steps, changed.steps, last.steps))
    return Tidied(last.text, counted(steps), steps)


def chinese_only_would_delete(text: str) -> Counter[str]:
    """How many characters of which kind the rule "remove everything outside \\u4e00-\\u9fa5" deletes from a text."""
    return Counter({kind: count for kind, pattern in _KINDS.items() if (count := len(pattern.findall(text)))})


def _only_chinese(text: str) -> list[Edit]:
    return [replaced(match.start(), match[0], "") for match in _NOT_CHINESE.finditer(text)]


def _replacing(rule: Replace) -> Find:
    try:
        pattern = regex.compile(rule.find, regex.MULTILINE)
    except regex.error as error:
        raise InputError(f"documents.replace: the pattern {rule.find!r} of {rule.name!r} cannot be used ({error}). Write it in the syntax "
                         "that Python's re and the package regex share.") from None

    def find(text: str) -> list[Edit]:
        edits, length = [], len(text)
        try:
            for match in pattern.finditer(text, timeout=SECONDS_A_TEXT):
                after = match.expand(rule.replace)
                length += len(after) - len(match[0])
                if length > GROWTH * len(text) + GROWTH_CHARACTERS:
                    raise RuleFailed(rule.name, f"The rule makes the text more than {GROWTH} times as long. "
                                     "Find less, or replace it by less.")
                if after != match[0]:
                    edits.append(replaced(match.start(), match[0], after))
        except TimeoutError:
            raise RuleFailed(rule.name, f"The pattern takes more than {SECONDS_A_TEXT:g} s on this text. Do not nest + or * within "
                             "each other, as in (a+)+.") from None
        return edits
    return find
