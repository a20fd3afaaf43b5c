"""Settings that gain nothing where the model is served: told by line before the work."""

from __future__ import annotations

from tutelage.core.language import text
from tutelage.pipeline.recipe import Loaded


def what_gains_nothing(loaded: Loaded, language: str) -> str | None:
    """Why weights that are set to 0 make the copy neither smaller nor faster, by line. None where the recipe sets none."""
    sparsity = loaded.recipe.model.sparsity
    if not sparsity:
        return None
    why = text("run.sparsity_gains_nothing", language, sparsity=sparsity)
    return f"{loaded.path.name}:{loaded.tree.line(('model', 'sparsity'))}: model.sparsity: {why}"
