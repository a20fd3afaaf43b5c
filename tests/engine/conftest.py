"""Engines over one tiny random model, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import make_tiny_model
from tiny_onnx import make_onnx

from tutelage.core.chat import CHATML
from tutelage.core.engine import Engine
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.replay_engine import ReplayEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_gguf import export_gguf

RECORDED = "The Supplier pays within thirty days. 保密期限为三年。Notice is in writing; neither party may waive it. " * 12


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_gguf(tiny: Path) -> Path:
    path = tiny.parent / "tiny-f16.gguf"
    export_gguf(tiny, path, quantisation="f16", name="tiny", chat_format=CHATML)
    return path


@pytest.fixture(scope="session")
def engines(tiny: Path, tiny_gguf: Path) -> Iterator[dict[str, Engine]]:
    made: dict[str, Engine] = {
        "torch": TorchEngine(tiny, name="tiny", threads=1), "gguf": GgufEngine(tiny_gguf, name="tiny", parallel=4),
        "onnx": OnnxEngine(make_onnx(tiny, "fp32"), name="tiny", threads=1),
        "replay": ReplayEngine({"": RECORDED}, name="tiny", seconds_per_token=0.0005)}
    yield made
    for engine in made.values():
        engine.close()


@pytest.fixture(params=["torch", "gguf", "onnx", "replay"])
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    return engines[request.param]
