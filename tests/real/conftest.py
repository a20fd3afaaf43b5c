"""The packaged models as model folders and as 16-bit files, each made once for all real tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from web_site import make_site, running

from tutelage.core.chat import CHATML, GEMMA
from tutelage.core.engine import Engine
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.model.export_gguf import export_gguf
from tutelage.web.app import create_app


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


@pytest.fixture(scope="module")
def client(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """The openai client of a real server with the module's engine."""
    site = make_site(tmp_path_factory.mktemp("site"), tuned=engine)
    with running(create_app(site)) as address, \
            openai.OpenAI(base_url=f"{address}/v1", api_key=site.desk.new_key("real"), max_retries=0) as found:
        yield found
