"""What may be asked of the stage `dataset`."""

from pydantic import Field

from tutelage.core.settings import Settings


class DatasetSettings(Settings):
    """How clauses become rows to learn from, and how many are set aside to measure with."""

    held_out: int = Field(default=150, ge=1)
    """Rows that no training sees, to measure the model with: fewer leave every verdict open."""

    validation: int = Field(default=80, ge=1)
    """Rows that tell training when to stop."""

    per_type_limit: int = Field(default=60, ge=1)
    """Training rows of one clause type at most, the surest first, so that frequent types do not drown the others."""

    minimum_characters: int = Field(default=90, ge=1)
    """Shorter clauses are dropped. A Chinese character counts as two."""

    maximum_characters: int = Field(default=1000, ge=100)
    """Longer clauses are cut at their paragraphs, and dropped if a paragraph is still longer. A Chinese character counts as two."""

    near_duplicate: float = Field(default=0.5, gt=0, le=1)
    """From this J (share of common runs of 5 words, or 4 characters in Chinese) on, two clauses count as the same one: only one
    is kept, and no row resembles a held-out row this much."""

    keywords: int = Field(default=6, ge=1, le=12)
    """Keywords of a prompt at most."""

    seed: int = 1
    """Another seed sets other documents aside."""
