"""What may be asked of the stage `documents`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from tutelage.core.permission import EVERYONE, checked_label
from tutelage.core.records import Language
from tutelage.core.settings import Settings

RowFormat = Literal["auto", "text", "alpaca", "sharegpt", "openai", "prompt_completion", "preference", "kto", "clauses"]
Label = Annotated[str, AfterValidator(checked_label)]


class Source(Settings):
    """One place where documents are; where only the path is wanted, the path alone does."""

    path: str = Field(min_length=1)
    """A file, folder (with all below it), pattern, zip file, URL, or `package:licensedcode`; relative to the recipe's folder."""

    format: RowFormat = "auto"
    """What the rows of .jsonl, .json, .csv and .parquet files are; auto recognises it file by file."""

    permission: Label = ""
    """Who may use it, such as `client:acme matter:2024-17 only:training until:2027-12-31`; left out: as documents.permission."""


def _in_full(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


SourceOrPath = Annotated[Source, BeforeValidator(_in_full, json_schema_input_type=str | Source)]


class DocumentsSettings(Settings):
    """Which texts the model learns from, and what is done to them before."""

    sources: tuple[SourceOrPath, ...] = Field(min_length=1)
    """Files, folders (with all below them), patterns such as `contracts/*.docx`, zip files, URLs, or `package:licensedcode` for
    the licence texts of the demo; relative to the recipe's folder. Or `path`, `format` and `permission` of each."""

    languages: tuple[Language, ...] = Field(default=("en", "zh"), min_length=1)
    """Documents in other languages are dropped."""

    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """From this J (share of common runs of 5 words, or 4 characters in Chinese) on, two documents count as the same one and
    the longer is kept."""

    min_characters: int = Field(default=80, ge=0)
    """Documents with fewer characters are dropped; of Chinese ones a quarter of it is enough."""

    mask_emails: bool = True
    """Replace e-mail addresses by [EMAIL_1], [EMAIL_2], ..."""

    permission: Label = EVERYONE
    """Who may use these documents and all that is made from them, where a source says nothing else; everything that is made from
    them inherits it. `everyone`, or parts such as `client:acme matter:2024-17 only:training until:2027-12-31`."""

    @property
    def listed(self) -> tuple[Source, ...]:
        """All sources in full, each with its permission."""
        return tuple(source.model_copy(update={"permission": source.permission or self.permission}) for source in self.sources)
