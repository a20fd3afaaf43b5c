"""What the tests of the model stage share: a tiny base, an adapter on it, prompts, and the stage run as the pipeline runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from model_stage import CLAUSES, held_out_row, token_rows
from taught import teach
from tiny_adapter import make_adapter
from tiny_model import make_tiny_model

from tutelage.core.records import Example
from tutelage.model.merge import merge


@pytest.fixture(autouse=True)
def one_thread():
    """One thread in every test, so that sums are made in one order; the number before is put back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training leaves it: adapter/ and training.json."""
    folder = tmp_path_factory.mktemp("trained")
    make_adapter(tiny, folder)
    return folder


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> list[Example]:
    """Held-out rows, each of a document of its own, as many as the module's ROWS says."""
    return [held_out_row(number).model_copy(update={"document_id": f"d{number}"}) for number in range(request.module.ROWS)]


@pytest.fixture(scope="module")
def taught(tiny: Path, rows: Sequence[Example], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base that knows the answers, and a training of next to nothing on it."""
    folder = tmp_path_factory.mktemp("taught")
    base = teach(tiny, folder / "base", rows)
    make_adapter(base, folder / "trained", scale=1e-3)
    return base, folder / "trained"


@pytest.fixture(scope="session")
def examples() -> Sequence[Example]:
    return [held_out_row(number) for number in range(CLAUSES)]


@pytest.fixture(scope="session")
def prompt_ids(tiny: Path, examples: Sequence[Example]) -> Callable[[int], list[tuple[int, ...]]]:
    """The first so many prompts as token ids of the tiny base."""
    return lambda count: token_rows(tiny, examples[:count])


@pytest.fixture(scope="session")
def merged(tiny: Path, trained: Path, prompt_ids: Callable[[int], list[tuple[int, ...]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged") / "merged"
    merge(tiny, trained / "adapter", folder, prompt_ids(4))
    return folder
