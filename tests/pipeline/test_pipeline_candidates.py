"""Who is compared: only files that are as they were made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from adapter_copies import make_copies

from tutelage.core.errors import ArtifactError
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store
from tutelage.pipeline.candidates import candidates


@pytest.mark.parametrize("changed", ["weight", "weights of another"], ids=["truncated", "changed"])
def test_a_truncated_or_changed_copy_is_not_scored(tmp_path: Path, changed: str) -> None:
    store = Store(tmp_path)
    with store.making("model", "m1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_whole(making.folder / "model-q8_0.gguf", "weights")
    model = store.look_up("model", "m1")
    assert model is not None
    (model.folder / "model-q8_0.gguf").write_text(changed, "utf-8")
    making = Making(settings=Settings(), parents={"model": model}, folder=tmp_path, scratch=tmp_path, work=tmp_path, events=Events())
    with pytest.raises(ArtifactError, match=r"model-q8_0\.gguf: is not the file that was made \(SHA-256 differs or it is gone\)\. Delete "):
        candidates(making, None)  # type: ignore[arg-type]


def test_an_adapter_whose_base_copy_was_changed_is_not_scored(tmp_path: Path) -> None:
    copies = make_copies(tmp_path, seeds=(1,))
    store = Store(tmp_path)
    with store.making("model", "m9", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        shutil.copy(copies.adapters[0], making.folder / "model-f16.gguf")
    model = store.look_up("model", "m9")
    assert model is not None
    copies.weights.write_bytes(copies.weights.read_bytes() + b"more")
    making = Making(settings=Settings(), parents={"model": model}, folder=tmp_path, scratch=tmp_path, work=tmp_path, events=Events())
    with pytest.raises(ArtifactError, match=r"f16\.gguf: is not the base copy on which .*model-f16\.gguf passed the gate"):
        candidates(making, None)  # type: ignore[arg-type]
