"""Proof that a tune took: what was learned is read back from the disk into a fresh base and compared with that base."""

from __future__ import annotations

from pathlib import Path

from tutelage.core.errors import TutelageError
from tutelage.core.records import Record
from tutelage.training.methods import Method
from tutelage.training.preflight import Ready
from tutelage.training.rows import R
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import Task

ROWS = 10


class Proof(Record):
    """Loss on some training rows without and with what was learned (nats a unit), and how far the weights moved.

    `update_norm` is the Frobenius norm of all changes together, `update_share` that divided by the norm of the weights
    that were changed; 0 where none was (new layers only).
    """

    rows: int
    base_loss: float
    tuned_loss: float
    update_norm: float
    update_share: float


def prove(task: Task[R], method: Method, settings: TrainingSettings, *, ready: Ready[R], base_folder: Path, adapter: Path,
          scratch: Path) -> Proof:
    """Compare base and tuned model on the first ten training rows, by the model's own layers.

    Raises TutelageError if the loss did not fall: such an adapter is worth nothing.
    """
    model, chosen = task.load(base_folder, settings, ready), ready.train[:ROWS]
    objective = task.objective(model, settings, ready=ready, base_folder=base_folder, scratch=scratch, plain=True)
    objective.refresh()
    base = objective.measure(chosen, tokens=settings.micro_batch_tokens).loss
    loaded = method.load(model, adapter)
    objective = task.objective(loaded.model, settings, ready=ready, base_folder=base_folder, scratch=scratch, plain=True)
    objective.refresh()
    tuned = objective.measure(chosen, tokens=settings.micro_batch_tokens).loss
    if not tuned < base:
        raise TutelageError(f"training: the tune did not take: on {len(chosen)} training rows the loss is {tuned:.4f} with the adapter and "
                            f"{base:.4f} without it (norm of the update {loaded.update_norm:.4f}). Raise training.maximum_steps or "
                            "training.learning_rate, or give more documents, and run again.")
    return Proof(rows=len(chosen), base_loss=base, tuned_loss=tuned, update_norm=loaded.update_norm,
                 update_share=loaded.update_norm / loaded.base_norm if loaded.base_norm else 0.0)
