"""Base class of all settings: unknown keys are refused, values never change, every field is described."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """What may be asked of a stage. A field's docstring is its row in docs/recipe.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
