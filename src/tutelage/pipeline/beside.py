"""What the scores measure beside the three candidates: a search in the library of the training rows, and an outside engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date

from tutelage.core.engine import Engine
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.core.store import Artifact
from tutelage.drafting.library import allowed, from_examples
from tutelage.drafting.search import Library
from tutelage.engine.remote_wire import SERVED
from tutelage.pipeline.skills import STREAMS
from tutelage.scores.beside import Beside, Retrieved
from tutelage.scores.measure import Candidate
from tutelage.scores.settings import ScoresSettings
from tutelage.text.leaks import common_runs, compared_text, find_leaks

KEY = "OUTSIDE_API_KEY"


def beside(settings: ScoresSettings, dataset: Artifact, *, audience: str) -> Beside:
    """Both, as far as the settings ask for them."""
    return Beside(retrieve=retriever(dataset, audience=audience, today=date.today()) if settings.beside else None,
                  outside=_outside(settings))


def retriever(dataset: Artifact, *, audience: str, today: date) -> Callable[[Example], Retrieved | None]:
    """The best clause for a row's keywords, type and language, by the search of drafting; None where nothing is found.

    The library holds the training rows alone that this audience may find, without any of a held-out row's near-duplicate family, and
    without any that gives a held-out row away by the rules of `text.leaks`.
    """
    rows = list(read_rows(dataset.file("examples.jsonl"), Example))
    held_out = [row for row in rows if row.part == "held_out"]
    families = {row.family for row in held_out}
    train = [row for row in rows if row.part == "train" and row.family not in families]
    leaks = find_leaks([_compared(row) for row in train], [row.language for row in train], [_compared(row) for row in held_out],
                       [row.language for row in held_out], common_runs(dataset))
    given_away = {leak.row for leak in leaks}
    clauses = from_examples((row for place, row in enumerate(train) if place not in given_away), licence="as its source")
    library = Library(allowed(clauses, audience=audience, today=today))

    def retrieve(row: Example) -> Retrieved | None:
        hits = library.search(row.keywords, language=row.language, clause_type=row.clause_type, limit=1)
        return Retrieved(hits[0].clause.text, row=hits[0].clause.id, source=hits[0].clause.source) if hits else None

    return retrieve


def _compared(row: Example) -> str:
    return compared_text(row.task, row.messages, row.rejected)


def _outside(settings: ScoresSettings) -> Candidate | None:
    """The service that the settings name, asked only when its turn comes."""
    if not settings.outside:
        return None

    def open_service() -> Engine:
        from tutelage.engine.remote_engine import RemoteEngine

        return RemoteEngine(settings.outside, name="outside", model=settings.outside_model, key=os.environ.get(KEY, ""), parallel=STREAMS)

    return Candidate("outside", "beside", open_service, SERVED, is_served=True)
