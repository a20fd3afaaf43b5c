"""What may be asked of the stage `documents`."""

from pydantic import Field

from tutelage.core.records import Language
from tutelage.core.settings import Settings


class DocumentsSettings(Settings):
    """Which texts the model learns from, and what is done to them before."""

    sources: tuple[str, ...] = Field(min_length=1)
    """Files, folders (with all below them), patterns such as `contracts/*.md`, or `package:licensedcode` for the licence
    texts of the demo; relative to the recipe's folder."""

    languages: tuple[Language, ...] = Field(default=("en", "zh"), min_length=1)
    """Documents in other languages are dropped."""

    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """From this J (share of common runs of 5 words, or 4 characters in Chinese) on, two documents count as the same one and
    the longer is kept."""

    min_characters: int = Field(default=80, ge=0)
    """Documents with fewer characters are dropped; of Chinese ones a quarter of it is enough."""

    mask_emails: bool = True
    """Replace e-mail addresses by [EMAIL_1], [EMAIL_2], ..."""

    permission: str = Field(default="everyone", min_length=1)
    """Who may use these documents and all that is made from them; every later artifact inherits the label."""
