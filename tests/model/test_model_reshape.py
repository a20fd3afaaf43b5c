"""Steps that change the model's shape: a step stands only if the model is no worse, and what was good before stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from model_stage import run_model
from safetensors.numpy import load_file, save_file

from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed
from tutelage.core.events import Events, Recorder
from tutelage.core.language import text
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.model.held_out import Loss, highest_rise, measure_loss
from tutelage.model.parity import Evidence
from tutelage.model.reshape import Fact, Given, Reshaped, Reshaping, reshape
from tutelage.model.settings import ModelSettings

Run = Callable[..., tuple[Path, tuple[Reshaped, ...], Recorder]]


def _copied(given: Given, folder: Path) -> dict[str, Fact]:
    shutil.copytree(given.model, folder)
    return {"copied": 1}


def _scaled(model: Path, folder: Path, factor: float) -> None:
    """The model with logits of this many times the size."""
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] *= np.float32(factor)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _ruined(given: Given, folder: Path) -> dict[str, Fact]:
    _scaled(given.model, folder, 3)
    return {}


def _step(name: str, make: Callable[[Given, Path], dict[str, Fact]], *, wanted: bool = True) -> Reshaping:
    return Reshaping(name=name, folder=name, is_wanted=lambda settings: wanted, margin=lambda settings: 0.01, make=make)


@pytest.fixture
def run(merged: Path, examples: Sequence[Example], tmp_path: Path) -> Run:
    def reshaped(*steps: Reshaping, fallback: bool = True) -> tuple[Path, tuple[Reshaped, ...], Recorder]:
        recorder, settings = Recorder(), ModelSettings(fallback=fallback)
        making = Making(settings=settings, parents={}, folder=tmp_path, scratch=tmp_path, work=tmp_path, events=Events(recorder))
        return *reshape(Given(merged, making, settings, CHATML, examples[:8]), steps), recorder
    return reshaped


def test_steps_follow_each_other_and_one_that_is_not_wanted_is_left_out(run: Run, tmp_path: Path) -> None:
    folder, done, recorder = run(_step("one", _copied), _step("unwanted", _ruined, wanted=False), _step("two", _copied))
    assert folder == tmp_path / "two"
    assert [(step.step, step.kept, step.rows, step.rise, step.facts) for step in done] == [
        ("one", True, 8, 0.0, {"copied": 1}), ("two", True, 8, 0.0, {"copied": 1})]
    assert [event.key for event in recorder.events] == ["model.reshaped"] * 2
    assert "unwanted" not in {path.name for path in tmp_path.iterdir()}


def test_a_step_that_makes_the_model_worse_is_undone_and_told(run: Run, tmp_path: Path) -> None:
    folder, (one, ruined), recorder = run(_step("one", _copied), _step("ruined", _ruined))
    assert folder == tmp_path / "one"
    assert not (tmp_path / "ruined").exists()
    assert (one.kept, ruined.kept) == (True, False)
    assert ruined.highest_rise >= ruined.rise > 0.01
    told = text(recorder.events[-1].key, "en", **recorder.events[-1].facts)
    assert told.startswith("step ruined is undone: bits per byte of 8 unseen answers would go from ")
    assert told.endswith("at most 1.0 % is allowed); the model stays as it was before the step")


def test_without_fallback_a_step_that_makes_the_model_worse_closes_the_gate(run: Run) -> None:
    with pytest.raises(GateClosed, match=(
            r"the step 'ruined' makes the model worse: bits per byte on 8 unseen answers go from .* at most \+1\.00% is allowed\)\. "
            r"Nothing was kept\. Set model\.fallback: true to go on without this step")):
        run(_step("ruined", _ruined), fallback=False)


def test_bits_per_byte_of_a_model_that_knows_nothing_are_those_of_an_even_choice(merged: Path, examples: Sequence[Example],
                                                                                  tmp_path: Path) -> None:
    """With the last norm at zero all logits are 0, so each token costs log2 of the vocabulary's size."""
    _scaled(merged, tmp_path / "even", 0)
    loss = measure_loss(tmp_path / "even", examples[:5], CHATML)
    size = json.loads((merged / "config.json").read_text("utf-8"))["vocab_size"]
    assert loss.bits_per_byte == pytest.approx(loss.tokens * np.log2(size) / sum(len(row.text.encode()) for row in examples[:5]), rel=1e-5)


def _loss(documents: str, *nats: float) -> Loss:
    return Loss(documents=tuple(documents), nats=nats, sizes=(1,) * len(nats), tokens=len(nats))


def test_the_interval_is_no_narrower_than_the_documents_allow() -> None:
    before = _loss("abcd", 1, 1, 1, 1)
    assert highest_rise(before, _loss("abcd", 1.1, 1.1, 1.1, 1.1)) == pytest.approx(0.1)
    assert highest_rise(before, _loss("abcd", 1.2, 1.0, 1.0, 1.0)) == pytest.approx(0.1)  # two of four draws hit "a": 1 - 0.738 > 5 %
    rows_together = highest_rise(_loss("aabb", 1, 1, 1, 1), _loss("aabb", 1.2, 1.2, 1.0, 1.0))
    assert rows_together == pytest.approx(0.2)  # both draws are "a" in a quarter of all cases
    alone = highest_rise(_loss("aaaa", 1, 1, 1, 1), _loss("aaaa", 1.2, 1.0, 1.0, 1.0))
    assert alone == pytest.approx(0.1)


def test_a_stage_without_steps_says_so_in_its_evidence(tiny, trained, examples, tmp_path) -> None:
    artifact = run_model(tmp_path, tiny, trained, examples[:4], quantisation="f16", minimum_agreement=0.5)
    assert Evidence.model_validate_json(artifact.file("parity.json").read_text("utf-8")).reshaped == ()
