"""How much Gemma 3 270M remembers of what it saw once, 4, 16 and 64 times: exposure of planted test texts after one pass of training.

`make bench NAME=memory`: about ten minutes on two cores. The test texts stand among our own library clauses in English and Chinese.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from common import at_least, at_most, finish

from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Canary, Example, LibraryClause, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.drafting.library import load_shipped
from tutelage.engine.bases import Base, find_base
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.pipeline.memory import times_learned
from tutelage.pipeline.skills import trim_base
from tutelage.prompts.clause import clause_messages
from tutelage.scores.canaries import judge_canaries, rows_to_score
from tutelage.scores.measure import Asked, Candidate, measure
from tutelage.scores.settings import ScoresSettings
from tutelage.text.canaries import canary_text, row_of
from tutelage.training.make import make
from tutelage.training.settings import TrainingSettings

BASE = "gemma3-270m"
COPIES = {0: 10, 1: 10, 4: 4, 16: 2, 64: 1}  # copies -> test texts of each language
VALIDATION = 8
BATCH_ROWS = 8
SCORES = ScoresSettings(memory="full")


def main() -> None:
    """Plant, train one pass, rank each text among never-planted ones, and compare."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        work, base = Path(temporary), find_base(BASE)
        folder = as_folder(base, work / "base")
        canaries = planted()
        rows = [*clauses(), *(row_of(canary, copy) for canary in canaries for copy in range(1, canary.copies + 1))]
        dataset, training = train(Store(work), folder, rows)
        figures = measured(base, folder, canaries, dataset, training)
    summary = figures | {"base": BASE, "rows": len(rows), "minutes": round((time.monotonic() - started) / 60, 1)}
    finish("memory", summary, [
        at_least("controls_within", 1), at_least("trained_share", 1), at_least("exposure_16_copies", 3),
        at_least("exposure_64_copies", 6), at_most("minutes", 15)])


def planted() -> list[Canary]:
    """The test texts of both languages with their controls."""
    return [Canary(id=f"canary-{language}-{copies}-{number}", language=language, copies=copies,
                   text=canary_text(language, f"benchmark {copies} {number}"))
            for language in ("en", "zh") for copies, count in COPIES.items() for number in range(count)]


def clauses() -> list[Example]:
    """Our library clauses as rows; a few of them are for validation."""
    shipped = sorted(load_shipped(), key=lambda clause: clause.id)
    return [as_row(clause, is_watched=number % (len(shipped) // VALIDATION) == 0) for number, clause in enumerate(shipped)]


def as_row(clause: LibraryClause, *, is_watched: bool) -> Example:
    """A clause as a row to learn, or to watch the training by."""
    messages = (*clause_messages(clause.clause_type, clause.keywords, clause.language), Message(role="assistant", content=clause.text))
    return Example(id=clause.id, messages=messages, clause_type=clause.clause_type, keywords=clause.keywords, language=clause.language,
                   heading=clause.title, document_id=clause.id, source=clause.source, start=0, end=len(clause.text), family=clause.id,
                   part="validation" if is_watched else "train")


def train(store: Store, folder: Path, rows: list[Example]) -> tuple[Artifact, Artifact]:
    """One pass over all training rows, so that copies are times seen."""
    with store.making("dataset", "1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", rows)
    dataset = found(store, "dataset")
    steps = -(-sum(row.part == "train" for row in rows) // BATCH_ROWS)
    settings = TrainingSettings(base=BASE, batch_rows=BATCH_ROWS, maximum_steps=steps, validate_every=steps)
    with store.making("training", "1", version=1, recipe="", settings=settings, parents={"dataset": dataset}, inputs={},
                      events=Events()) as making:
        make(making, base_folder=lambda: folder, trim=trim_base)
    return dataset, found(store, "training")


def found(store: Store, stage: str) -> Artifact:
    """The only artifact of a stage."""
    artifact = store.latest(stage)
    assert artifact is not None
    return artifact


def measured(base: Base, folder: Path, canaries: list[Canary], dataset: Artifact, training: Artifact) -> dict[str, object]:
    """Exposures by copies, and what the training did."""
    rows, others = rows_to_score(canaries, SCORES.seed)
    tuned = measure(Candidate("tuned", "tuned", lambda: TorchEngine(folder, name="tuned", adapter=training.folder / "adapter"),
                              base.chat_format), Asked((), canaries=rows, never_planted=others), SCORES, lambda count: None)
    judged = judge_canaries(canaries, tuned, times_learned(dataset, training), SCORES)
    assert judged is not None
    summary = json.loads(training.file("training.json").read_text("utf-8"))
    figures: dict[str, object] = {
        "others": judged.others, "ceiling": judged.ceiling, "one_copy_high": round(judged.one_copy_high, 2),
        "is_within_at_one_copy": judged.is_within, "controls_within": int(judged.controls_are_within),
        "trained_share": min(one.trained / one.planted for one in judged.exposures if one.copies),
        "steps": summary["steps"], "best_step": summary["best_step"], "learning_rate": summary["learning_rate"]}
    for one in judged.exposures:
        name = f"exposure_{one.copies}_copies" if one.copies else "exposure_controls"
        figures[name] = None if one.mean is None else round(one.mean, 2)
        figures[f"{name}_highest"] = None if one.highest is None else round(one.highest, 2)
        figures[f"{name}_texts"] = one.planted
    return figures


if __name__ == "__main__":
    main()
