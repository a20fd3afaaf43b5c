"""What the tests of training share: a tiny model folder, its vocabulary and rows, and one finished training."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny_model import make_tiny_model
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.store import Artifact
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.rows import TrainingRow, render_row


@pytest.fixture(autouse=True)
def same_threads():
    """One thread in every test, so that sums are made in one order; the number before is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def vocabulary(base) -> Vocabulary:
    return Vocabulary(base)


@pytest.fixture(scope="session")
def rows(vocabulary) -> Sequence[TrainingRow]:
    return [render_row(example, CHATML, vocabulary) for example in small_examples()]


@pytest.fixture(scope="session")
def calm(base, tmp_path_factory) -> Artifact:
    """An undisturbed training with the small settings."""
    work = tmp_path_factory.mktemp("calm")
    return run_training(work, base, make_dataset(work, small_examples()))
