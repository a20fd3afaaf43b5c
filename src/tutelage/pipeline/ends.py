"""Trainings whose result the later stages cannot use: told by line before the work, with the way that is open."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.chat import NO_CHAT
from tutelage.core.errors import InputError
from tutelage.core.language import text
from tutelage.engine.bases import find_base, is_on_hub
from tutelage.engine.kinds import read_config
from tutelage.pipeline.recipe import Loaded


def why_it_ends(loaded: Loaded, language: str) -> str | None:
    """Why no stage after the training can use what it makes, by line. None where they can, and for a base that must be downloaded first.

    The base must be one that `check` passes.
    """
    training = loaded.recipe.training
    base = None if is_on_hub(training.base) else find_base(training.base)
    if training.task == "classification" or (training.task == "distillation" and base and base.chat_format == NO_CHAT):
        return _line(loaded, "task", text("run.ends_classifier", language, task=training.task))
    if training.method == "adapter":
        return _line(loaded, "method", text("run.ends_adapter", language))
    if base and base.folder:
        from tutelage.model.export_gguf import check_supported

        config = read_config(Path(base.folder))
        try:
            check_supported(config, Path(base.folder))
        except InputError:
            return _line(loaded, "base", text("run.ends_base", language, family=config["model_type"]))
    return None


def _line(loaded: Loaded, setting: str, why: str) -> str:
    return f"{loaded.path.name}:{loaded.tree.line(('training', setting))}: training.{setting}: {why}"
