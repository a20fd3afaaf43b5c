"""A training as the pipeline tells it to trackers, without the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tutelage.core.events import Events, Recorder
from tutelage.pipeline.trackers import TrackerName, Trackers
from tutelage.training.settings import TrainingSettings

STEP = {"loss": 2.5, "validation_loss": 2.25, "bits_per_byte": 1.5, "score": 0.5, "learning_rate": 0.001, "gradient_norm": 0.5,
        "tokens": 300, "tokens_per_second": 100.0, "memory_mb": 500.0, "gpu_memory_mb": 100.0}


class Told:
    """A training as the pipeline tells it, with trackers that listen."""

    def __init__(self, work: Path, names: Sequence[TrackerName] = ("wandb",), settings: TrainingSettings | None = None,
                 finishing_seconds: float = 20.0) -> None:
        self.recorder = Recorder()
        self.trackers = Trackers(names, work=work, settings=settings or TrainingSettings(), tell=Events(self.recorder),
                                 finishing_seconds=finishing_seconds)
        self.events = Events(self.trackers)
        for stage in ("dataset", "training"):
            self.events.send(stage, "plan", id=f"{stage}1", is_made=False, rough_seconds=1.0)
        self.events.send("training", "started", "run.started", id="training1", rough_seconds=1.0)

    def steps(self, first: int, last: int, **more: object) -> None:
        for step in range(first, last + 1):
            self.events.step("training", done=step, total=last, **{**STEP, **more})  # type: ignore[arg-type]

    def end(self) -> None:
        self.events.send("training", "finished", "run.made", id="training1", seconds=1.0)
        self.trackers.close()

    def warnings(self) -> list[dict[str, object]]:
        return [event.facts for event in self.recorder.events if event.kind == "warning"]
