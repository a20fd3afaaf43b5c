"""What may be asked of drafting: the library, the search and how the model drafts."""

from __future__ import annotations

from pydantic import Field, field_validator

from tutelage.core.records import Language, Sampling
from tutelage.core.settings import Settings
from tutelage.drafting.known_types import unknown_type


class Opening(Settings):
    """What stands in the form when the drafting page opens."""

    clause_type: str = "confidentiality"
    """Type of clause; one of the keys in the list of clause types."""
    keywords: str = ""
    """Keywords as a person types them, several parted by commas; left out: the name of the type in the language of the clause."""
    language: Language | None = None
    """Language of the clause: en or zh; left out: that of the page. Set it where the base model knows one of the two only."""

    @field_validator("clause_type")
    @classmethod
    def _known(cls, value: str) -> str:
        if mistake := unknown_type(value):
            raise ValueError(mistake)
        return value


class DraftingSettings(Settings):
    """How clauses are found and drafted."""

    opening: Opening = Opening()
    """What stands in the form when the page opens."""
    shown_hits: int = Field(default=5, ge=1, le=50)
    """How many clauses of the library are shown beside the draft."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest draft, in tokens of the model."""
    repetition_penalty: float = Field(default=1.1, ge=1.0, le=2.0)
    """Above 1.0 the model repeats itself less; small models without it write one sentence again and again."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """0: the likeliest draft, the same at each request; higher: more varied and less reliable."""
    library_from_dataset: bool = True
    """Whether the training rows of the dataset enter the library beside the shipped clauses. Held-out rows never do."""
    dataset_licence: str = Field(default="as its source", min_length=1)
    """Licence shown with the clauses that come from the dataset."""

    def sampling(self) -> Sampling:
        """How the model decodes a draft."""
        return Sampling(max_tokens=self.max_tokens, repetition_penalty=self.repetition_penalty, temperature=self.temperature)
