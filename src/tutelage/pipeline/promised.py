"""What the training of a recipe would take, before it begins: settled by a probe, and kept for the training itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.events import Events, Listener
from tutelage.core.language import text
from tutelage.core.store import Making, Store
from tutelage.pipeline.conduct import plan
from tutelage.pipeline.recipe import Loaded
from tutelage.pipeline.runs import alone
from tutelage.pipeline.skills import trim_base
from tutelage.pipeline.stages import STAGES, Site, stage_settings
from tutelage.training.budget import Settled


def promised(settled: Settled, language: str) -> list[str]:
    """Lines for a person: what is promised of the training, and what was chosen for it with the reasons."""
    return [*([text("training.promise", language, **settled.promise.told())] if settled.promise else []),
            *(text("training.chosen", language, **chosen.model_dump()) for chosen in settled.chosen)]


def foresee_training(loaded: Loaded, work: Path, *, language: str, listeners: Sequence[Listener] = ()) -> Settled | None:
    """Choices and promise for the training of this recipe on its dataset, which must be made. None where the training is made already.

    Raises what the training would raise before its first step.
    """
    from tutelage.training.make import foresee

    site, store = Site(loaded, work), Store(work)
    ids = {row.stage: row for row in plan(loaded, work, until="training")}
    dataset = store.look_up("dataset", ids["dataset"].id)
    assert dataset is not None
    if ids["training"].is_made:
        return None
    stage = next(stage for stage in STAGES if stage.name == "training")
    with alone(work), tempfile.TemporaryDirectory() as folder:
        making = Making(settings=stage_settings(site, stage), parents={"dataset": dataset}, folder=Path(folder),
                        scratch=store.scratch("training", ids["training"].id), work=work, events=Events(*listeners), language=language)
        return foresee(making, base_folder=site.base_folder, trim=trim_base)
