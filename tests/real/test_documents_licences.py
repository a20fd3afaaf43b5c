"""The stage on the licence texts of licensedcode-data."""

import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows
from tutelage.core.records import Document
from tutelage.core.store import Store
from tutelage.documents import make
from tutelage.documents.settings import DocumentsSettings
from tutelage.guard.personal_data import mask_emails
from tutelage.text.similarity import near_pairs


def _installed() -> bool:
    try:
        return version("licensedcode-data") == "32.1.0"
    except PackageNotFoundError:
        return False


@pytest.mark.real
@pytest.mark.skipif(not _installed(), reason="licensedcode-data 32.1.0 is not installed (pip install tutelage[demo])")
def test_the_licences_are_read_and_no_two_that_are_kept_resemble_each_other(tmp_path: Path) -> None:
    settings = DocumentsSettings(sources=("package:licensedcode",))
    started = time.perf_counter()
    inputs = make.fingerprint(settings, tmp_path)
    assert time.perf_counter() - started < 2
    with Store(tmp_path).making("documents", "0" * 12, version=1, recipe="test", settings=settings, parents={},
                                inputs=inputs, events=Events(Recorder())) as making:
        make.make(making, root=tmp_path)
    artifact = Store(tmp_path).latest("documents")
    assert artifact is not None
    fates = list(artifact.history())
    documents = list(read_rows(artifact.file("documents.jsonl"), Document))
    dropped = [fate for fate in fates if fate.what == "dropped"]
    assert len(documents) + len(dropped) == 2310
    # Counted with grep: 21 files end with their front matter, 35 state another language than English or Chinese.
    assert sum(fate.reason == "empty" for fate in dropped) == 21
    assert 35 <= sum(fate.reason == "language:other" for fate in dropped) <= 40
    assert {document.metadata.get("language", "en") for document in documents} == {"en", "zh-hans"}
    assert len(documents) > 1800
    texts = {document.id: document.text for document in documents}
    assert near_pairs(list(texts.values()), [document.language for document in documents], 0.8) == []
    assert all(fate.cause in texts for fate in dropped if "duplicate" in fate.reason)
    assert not [document.name for document in documents if mask_emails(document.text).spans]
