"""What may be asked of the stage `dataset`."""

from typing import Literal

from pydantic import Field

from tutelage.core.settings import Settings
from tutelage.dataset.augment.settings import AugmentSettings


class DatasetSettings(Settings):
    """How documents become rows to learn from, and how many are set aside to measure with."""

    task: Literal["auto", "clause", "instruction", "pretraining", "classification", "preference", "feedback"] = "auto"
    """What the rows teach. "auto" goes by the documents: texts and labelled clauses become clause drafting rows, conversations
    instruction rows; where there are neither, preference pairs or judged replies. Training takes clause, instruction and
    classification rows."""

    held_out: int = Field(default=150, ge=1)
    """Rows that no training sees, to measure the model with: fewer leave every verdict open. A small collection gives fewer,
    with a warning."""

    validation: int = Field(default=80, ge=1)
    """Rows that tell training when to stop."""

    per_type_limit: int = Field(default=60, ge=1)
    """Training rows of one clause type at most, the surest first, so that frequent types do not drown the others. Rows without
    a clause type have no limit."""

    minimum_characters: int = Field(default=90, ge=1)
    """Shorter clauses are dropped. A Chinese character counts as two."""

    maximum_characters: int = Field(default=1000, ge=100)
    """Longer clauses are cut at their paragraphs, and dropped if a paragraph is still longer. A Chinese character counts as two."""

    pretraining_characters: int = Field(default=4000, ge=200)
    """Paragraphs of one document are packed into pretraining rows of at most so many characters. A Chinese character counts as two."""

    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """From this J (share of common runs of 5 words, or 4 characters in Chinese) on, two rows count as the same one: only one is
    kept. What resembles a held-out row is dropped by stricter rules of its own, whatever stands here."""

    group_by: str = ""
    """Field of a row file that names the document a row is from, such as `contract`: rows of one document stay in one part. Left
    out, the first of contract, agreement, document, document_id, doc_id, law and file that a row has."""

    keywords: int = Field(default=6, ge=1, le=12)
    """Keywords of a prompt at most."""

    label_errors: Literal["report", "drop", "off"] = "report"
    """Labels that the other rows speak against are listed in label_issues.jsonl, or their rows are dropped as well. Needs
    `tutelage[data]`."""

    augment: AugmentSettings = AugmentSettings()
    """New training rows made from old ones; nothing is made unless methods are named."""

    canaries: Literal["off", "on"] = "off"
    """Plant harmless random test texts among the training rows, 34 rows for each language, so that `scores.memory: full` can measure what
    the model remembers of what it saw once. They never reach the library, the held-out rows or the scores' clauses."""

    seed: int = 1
    """Another seed sets other documents aside."""

    processes: int = Field(default=0, ge=0, le=256, exclude=True)
    """How many processes cut documents at once; 0: one for each core. The result is the same, so it is not part of the artifact's id."""
