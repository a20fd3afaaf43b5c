"""What the scores must know to measure memory: how often training learned from each row, and personal data of the original texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.core.store import Artifact
from tutelage.pipeline.stages import Site
from tutelage.scores.personal import Known, known_of
from tutelage.scores.plots import CurvePoint


def times_learned(dataset: Artifact, training: Artifact) -> Counter[str]:
    """How often each training row received loss up to the step whose weights were kept. A row that was dropped, or never reached, has 0.

    Batches are looked up again: their order depends on the rows, `batch_rows` and `seed` alone.
    """
    from tutelage.training.batches import BatchOrder
    from tutelage.training.rows import TrainingRow

    parts = {row.id: row.part for row in read_rows(dataset.file("examples.jsonl"), Example)}
    used = {name: fate.row for fate in training.history() if fate.what in ("kept", "split") and parts.get(fate.row) == "train"
            for name in fate.became or (fate.row,)}
    rows = [TrainingRow(id=name, ids=(), supervised=(), reply_bytes=0) for name in used]
    settings = training.manifest.settings
    order = BatchOrder(rows, batch_rows=int(str(settings["batch_rows"])), seed=int(str(settings["seed"])))
    seen = Counter(row.id for step in range(_kept_step(training)) for row in order.batch(step))
    learned: Counter[str] = Counter()
    for name, row in used.items():  # of a row in pieces the piece that was learned most often
        learned[row] = max(learned[row], seen[name])
    return learned


def _kept_step(training: Artifact) -> int:
    """The step whose weights were kept; without a note of it the last one."""
    noted = training.manifest.facts.get("best_step")
    if noted is not None:
        return int(noted)
    return max((point.step for point in read_rows(training.file("curve.jsonl"), CurvePoint)), default=0)


def original_personal_data(site: Site) -> Known:
    """Fingerprints of the personal data in the sources as they are read, before anything is masked. Reads all sources again."""
    return known_of(_original_texts(site))


def _original_texts(site: Site) -> Iterator[str]:
    from tutelage.documents.batches import read_options
    from tutelage.documents.readers import read
    from tutelage.documents.sources import find

    settings = site.recipe.documents
    for found in find(settings.listed, site.loaded.root):
        for file in found.files:
            for row in read(file, read_options(settings)):
                yield "\n".join([row.text, row.rejected, row.title, *(message.content for message in row.messages),
                                 *(value for _, value in row.metadata)])
