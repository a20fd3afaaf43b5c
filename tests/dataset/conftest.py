"""The stage run on small contracts as the pipeline runs it."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from dataset_contracts import CONTRACTS, SMALL, Made, document

from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows, write_rows
from tutelage.core.records import Document, Example
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.dataset import make
from tutelage.dataset.report import CountTokens
from tutelage.dataset.settings import DatasetSettings

VERSION = 1


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def run(work: Path) -> Callable[..., Made]:
    def run(documents: Sequence[Document] | None = None, settings: DatasetSettings = SMALL, name: str = "first", *, recipe: str = "",
            audience: str = "everyone", today: date = date(2026, 3, 1), count_tokens: CountTokens | None = None,
            context_length: int | None = None) -> Made:
        """Make the dataset `name` of these documents. With a recipe, what earlier datasets of it assigned is continued."""
        given = [document(name, text) for name, text in CONTRACTS.items()] if documents is None else documents
        store, recorder = Store(work), Recorder()
        with store.making("documents", name, version=1, recipe=recipe or "test", settings=Settings(), parents={}, inputs={},
                          events=Events()) as making:
            making.ledger.rows_in([])
            write_rows(making.folder / "documents.jsonl", given)
        parent = store.look_up("documents", name)
        assert parent is not None
        inputs = make.fingerprint(settings, work, recipe=recipe, documents=parent.id, version=VERSION, audience=audience)
        with store.making("dataset", name, version=VERSION, recipe=recipe or "test", settings=settings, parents={"documents": parent},
                          inputs=inputs, events=Events(recorder)) as making:
            make.make(making, assigned=inputs.get("assigned", ""), audience=audience, today=today, count_tokens=count_tokens,
                      context_length=context_length)
        artifact = store.look_up("dataset", name)
        assert artifact is not None
        return Made(artifact, list(read_rows(artifact.file("examples.jsonl"), Example)), list(artifact.history()), recorder.events)
    return run
