"""What may be asked of the stage `documents`."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tutelage.core.permission import EVERYONE, checked_label
from tutelage.core.records import Language
from tutelage.core.settings import Settings

RowFormat = Literal["auto", "text", "alpaca", "sharegpt", "openai", "prompt_completion", "preference", "kto", "clauses", "lines"]
HalfWidth = Literal["letters", "digits", "spaces"]
Label = Annotated[str, AfterValidator(checked_label)]

LONGEST_PATTERN = 1_000
_GROUP = re.compile(r"\\(?:\\|(\d{1,2})|g<(\w+)>)")


class Source(Settings):
    """One place where documents are; where only the path is wanted, the path alone does."""

    path: str = Field(min_length=1)
    """A file, folder (with all below it), pattern, zip file, URL, or `package:licensedcode`; relative to the recipe's folder."""

    format: RowFormat = "auto"
    """What the rows of .jsonl, .json, .csv and .parquet files are; auto recognises it file by file. `lines`: each line of a .txt file is
    a text of its own."""

    permission: Label = ""
    """Who may use it, such as `client:acme matter:2024-17 only:training until:2027-12-31`; left out: as documents.permission."""


def _in_full(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


SourceOrPath = Annotated[Source, BeforeValidator(_in_full, json_schema_input_type=str | Source)]


class Replace(Settings):
    """A rule of your own: what a regular expression finds becomes something else."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """What the rule is called in reports and edits, such as `draft_stamp`."""

    find: str = Field(min_length=1, max_length=LONGEST_PATTERN)
    """A regular expression of Python; `^` and `$` stand for the ends of lines. It may not match the empty text."""

    replace: str = Field(default="", max_length=LONGEST_PATTERN)
    r"""What stands there afterwards; `\1` is what the first pair of brackets found."""

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        try:
            with warnings.catch_warnings():
                # Signs that a later Python may read otherwise, such as "[[".
                warnings.simplefilter("ignore", FutureWarning)
                pattern = re.compile(self.find, re.MULTILINE)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the pattern {self.find!r} is no regular expression ({error}). Put a backslash before characters that "
                             "stand for themselves, such as \\( or \\*.") from None
        if pattern.match(""):
            raise ValueError(f"the pattern {self.find!r} matches the empty text: it would insert something between all characters. "
                             "Use + instead of *, or name a character that must be there.")
        for number, group in _GROUP.findall(self.replace):
            if (number and not 0 < int(number) <= pattern.groups) or (group and not _has(pattern, group)):
                raise ValueError(f"the replacement {self.replace!r} names the group {number or group!r}, and the pattern has "
                                 f"{pattern.groups} groups{''.join(f', {name!r}' for name in pattern.groupindex)}. Correct one of them.")
        if "\\" in _GROUP.sub("", self.replace):
            raise ValueError(f"the replacement {self.replace!r} has a backslash that names no group. Write \\\\ for a backslash itself.")
        return self


def _has(pattern: re.Pattern[str], group: str) -> bool:
    return group in pattern.groupindex or (group.isdigit() and int(group) <= pattern.groups)


class DocumentsSettings(Settings):
    """Which texts the model learns from, and what is done to them before."""

    sources: tuple[SourceOrPath, ...] = Field(min_length=1)
    """Files, folders (with all below them), patterns such as `contracts/*.docx`, zip files, URLs, or `package:licensedcode` for
    the licence texts of the demo; relative to the recipe's folder. Or `path`, `format` and `permission` of each."""

    tracked_changes: Literal["accept", "reject", "pairs"] = "accept"
    """Of Word files: the text after the tracked changes, before them, or after them plus each changed paragraph as a row of its own."""

    recognise: bool = False
    """Read pages of PDF files that have no text from their pictures, in Chinese and English, which takes seconds a page. Needs
    `tutelage[ocr]`. Lines of which it is unsure are listed in the report; look at them."""

    languages: tuple[Language, ...] = Field(default=("en", "zh"), min_length=1)
    """Documents in other languages are dropped."""

    other_paragraphs: Literal["keep", "drop"] = "keep"
    """What becomes of long paragraphs in other languages within a document that is kept."""

    half_width: tuple[HalfWidth, ...] = ("letters", "digits")
    """Full-width characters that become the usual ones: letters, digits, spaces. Chinese punctuation always stays."""

    simplified: bool = False
    """Turn traditional Chinese characters into simplified ones."""

    boilerplate: bool = True
    """Remove page numbers, the lines that filing services add to each page, and headers and footers that repeat at page breaks."""

    replace: tuple[Replace, ...] = ()
    r"""Rules of your own, in order, such as `{name: draft_stamp, find: "^DRAFT \d+$"}`; without `replace` what is found goes."""

    chinese_only: Literal["off", "count", "delete"] = "off"
    """The rule that articles recommend, "remove everything outside \\u4e00-\\u9fa5": it deletes digits, punctuation and Latin names.
    Use count to see what it would delete."""

    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """From this J (share of common runs of 5 words, or 4 characters in Chinese) on, two documents count as the same one and
    the longer is kept."""

    contained: float | None = Field(default=0.8, gt=0, le=1)
    """Report texts of whose runs of words at least this share stands in a longer text. Nothing is dropped for it. Empty: not searched."""

    look_alikes: bool = False
    """Report texts that say the same with other names and figures (compared without them, in simplified characters). Nothing is
    dropped for it. Takes about ten times as long as the search for near-duplicates."""

    label_conflicts: Literal["keep", "drop"] = "keep"
    """What becomes of rows whose text occurs under two labels; you are warned of them in any case."""

    min_characters: int = Field(default=80, ge=0)
    """Texts with fewer characters are dropped; of Chinese ones a quarter of it is enough."""

    max_characters: int | None = Field(default=None, ge=1)
    """Texts and rows with more characters are dropped; left out: none is too long."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Texts and rows with more tokens of the base model are dropped; left out: none is too long."""

    repetition: bool = True
    """Drop texts that repeat themselves beyond what running text does."""

    symbols: bool = True
    """Drop texts that are mostly numbers, symbols or fragments."""

    mask_emails: bool = True
    """Replace e-mail addresses by [EMAIL_1], [EMAIL_2], ..."""

    permission: Label = EVERYONE
    """Who may use these documents and all that is made from them, where a source says nothing else; everything that is made from
    them inherits it. `everyone`, or parts such as `client:acme matter:2024-17 only:training until:2027-12-31`."""

    processes: int = Field(default=0, ge=0, le=256, exclude=True)
    """How many processes read and clean at once; 0: one for each core. The result is the same, so it is not part of the artifact's id."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [rule.name for rule in self.replace]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"replace: two rules are called {twice!r}. Give each a name of its own.")
        if self.max_characters is not None and self.max_characters < self.min_characters:
            raise ValueError(f"max_characters is {self.max_characters} and min_characters {self.min_characters}: no text is left. "
                             "Raise the first or lower the second.")
        return self

    @property
    def listed(self) -> tuple[Source, ...]:
        """All sources in full, each with its permission."""
        return tuple(source.model_copy(update={"permission": source.permission or self.permission}) for source in self.sources)
