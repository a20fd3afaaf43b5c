"""A tiny base model and a small dataset for the tests of the training room."""

from pathlib import Path

import pytest
from tiny_model import make_tiny_model
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.store import Artifact


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def calm(tmp_path_factory, base) -> Artifact:
    """An undisturbed training with the small settings."""
    work = tmp_path_factory.mktemp("calm")
    return run_training(work, base, make_dataset(work, small_examples()))
