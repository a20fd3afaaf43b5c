"""A site with a base model, its client, and people who are signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tiny_model import make_tiny_model
from web_site import TUNED, CharacterEngine, form_token, make_site

from tutelage.core.chat import CHATML
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.model.export_gguf import export_gguf
from tutelage.web.app import create_app
from tutelage.web.auth import SESSION_COOKIE, Sessions
from tutelage.web.site import Site

Visit = Callable[..., TestClient]


@pytest.fixture
def base() -> CharacterEngine:
    return CharacterEngine("base")


@pytest.fixture
def tuned() -> CharacterEngine:
    return CharacterEngine(TUNED)


@pytest.fixture
def site(tmp_path: Path, base: CharacterEngine) -> Site:
    return make_site(tmp_path / "work", base=base)


@pytest.fixture
def tuned_site(tmp_path: Path, base: CharacterEngine, tuned: CharacterEngine) -> Site:
    return make_site(tmp_path / "work", base=base, tuned=tuned)


@pytest.fixture
def visit() -> Visit:
    """A client of a site; with a name, of that person, signed in. Its requests carry the session's CSRF token."""

    def visit(site: Site, name: str = "") -> TestClient:
        client = TestClient(create_app(site), base_url="http://localhost", follow_redirects=False)
        if name:
            client.cookies.set(SESSION_COOKIE, Sessions(site.secret).open(name))
            client.headers["x-csrf-token"] = form_token(client.get("/drafts").text)
        return client

    return visit


@pytest.fixture
def client(tuned_site: Site, visit: Visit) -> TestClient:
    """A program with a key, on a site whose model passed."""
    found = visit(tuned_site)
    found.headers["authorization"] = f"Bearer {tuned_site.desk.new_key('test')}"
    return found


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GgufEngine]:
    """llama.cpp with a tiny random model."""
    folder = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_model(folder / "model"), folder / "tiny.gguf", quantisation="f16", name=TUNED, chat_format=CHATML)
    made = GgufEngine(folder / "tiny.gguf", name=TUNED, parallel=2, threads=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def strict_client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One site for all tests whose requests never reach the engine."""
    site = make_site(tmp_path_factory.mktemp("strict"), tuned=CharacterEngine(TUNED))
    key = site.desk.new_key("test")
    return TestClient(create_app(site), base_url="http://localhost", headers={"authorization": f"Bearer {key}"})
