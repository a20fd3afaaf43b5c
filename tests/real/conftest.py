"""The packaged models as model folders and as 16-bit files, each made once for all real tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.chat import CHATML, GEMMA
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.model.export_gguf import export_gguf


@pytest.fixture(scope="session")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_folder(find_base("smollm2-135m-instruct"), tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="session")
def smollm_f16(smollm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("f16") / "smollm2-f16.gguf"
    export_gguf(smollm, path, quantisation="f16", name="smollm2", chat_format=CHATML)
    return path


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_folder(find_base("gemma3-270m"), tmp_path_factory.mktemp("gemma"))


@pytest.fixture(scope="session")
def gemma_f16(gemma: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gemma-f16") / "gemma-f16.gguf"
    export_gguf(gemma, path, quantisation="f16", name="gemma3", chat_format=GEMMA)
    return path
