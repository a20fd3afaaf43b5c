"""The packaged SmolLM2-135M as a model folder and as a 16-bit file, each made once for all real tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutelage.core.chat import CHATML
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
