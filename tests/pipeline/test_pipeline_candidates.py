"""Who is compared: only files that are as they were made, each in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from adapter_copies import make_copies
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.errors import ArtifactError, InputError
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.records import Example, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store
from tutelage.engine.torch_engine import TorchEngine
from tutelage.pipeline.apart import torch_apart
from tutelage.pipeline.candidates import candidates
from tutelage.scores.measure import Asked, Candidate, measure
from tutelage.scores.settings import ScoresSettings


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


def test_a_candidate_apart_says_the_same_and_its_memory_is_that_of_its_own_process(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "base")
    rows = [Example(id=text, clause_type="payment", keywords=("x",), language="en", heading="x", document_id=text, source="x", start=0,
                    end=9, family=text, part="held_out", messages=(Message(role="user", content="Draft it."),
                                                                   Message(role="assistant", content=text)))
            for text in ("The Buyer pays.", "Each party may end it within thirty days.")]
    ballast = bytearray(b"x" * 600_000_000)  # as an earlier candidate may have left it here
    apart, here = (measure(Candidate("base", "base", opens, CHATML, size_bytes=7), Asked(rows, drafted=[rows[0].id]),
                           ScoresSettings(max_draft_tokens=4), lambda count: None)
                   for opens in (lambda: torch_apart(folder, name="base"), lambda: TorchEngine(folder, name="base")))
    assert apart.peak_memory_mb is not None
    assert 100 < apart.peak_memory_mb < 600 == len(ballast) / 1e6  # PyTorch itself takes 300 to 500 MB, a tiny model next to nothing
    assert here.peak_memory_mb is None
    assert apart.engine == "TorchEngine"
    kept = {"seconds_scoring": 0, "seconds_drafting": 0, "peak_memory_mb": None}
    assert apart.model_copy(update=kept) == here.model_copy(update=kept)


def test_a_broken_folder_is_refused_with_the_words_of_its_engine(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "base")
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be loaded as a language model"):
        torch_apart(folder, name="base")
