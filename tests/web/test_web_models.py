"""Several models behind one door, each under its own name, for those who may ask it; and what is told of services behind the door."""

from __future__ import annotations

import hashlib
import itertools
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import make_tiny_model
from token_service import TokenService
from web_site import TUNED, CharacterEngine, gate, make_site

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.core.files import write_whole
from tutelage.core.records import Deployment
from tutelage.core.store import Store
from tutelage.endpoint.elsewhere import open_elsewhere
from tutelage.endpoint.serving import Door, Served
from tutelage.endpoint.settings import EndpointSettings
from tutelage.web.receipts import ReceiptBook
from tutelage.web.site import Site

GLOBEX, ACME = "client:globex", "client:acme"
OTHER = "globex-draft"
NUMBERS = itertools.count()


def other_door(work: Path, engine: CharacterEngine) -> Door:
    """The door of another recipe, whose model learned from documents for Globex alone."""
    write_whole(work / "model" / "m2" / "model-q8_0.gguf", b"others")
    deployment = Deployment(name=OTHER, gguf="model/m2/model-q8_0.gguf", gguf_sha256=hashlib.sha256(b"others").hexdigest(),
                            chat_format_hash=CHATML.hash, base="base", model_id="m2", scores_id="s2",
                            gate=gate(is_open=True).model_copy(update={"difference": -0.5}), permissions=(GLOBEX,))
    store = Store(work)
    with store.making("endpoint", "e2", version=1, recipe="globex", settings=EndpointSettings(), parents={}, inputs={},
                      events=Events()) as making:
        write_whole(making.folder / "deployment.json", deployment.model_dump_json())
    door = Door(work, find=lambda stage: store.look_up(stage, "e2"), chat_format=CHATML, open_engine=lambda path, name: engine, linger=0)
    assert door.refresh()
    return door


@pytest.fixture
def both(tuned_site: Site, tmp_path: Path) -> Site:
    return replace(tuned_site, also=(other_door(tmp_path / "work", CharacterEngine(OTHER, "globex's words")),))


def client_of(site: Site, visit, permission: str = "everyone", **more: object):
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key(f'key-{next(NUMBERS)}', permission=permission, **more)}"
    return client


def ask(client, model: str):
    return client.post("/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": "保密"}]})


def names(client) -> list[str]:
    return [model["id"] for model in client.get("/v1/models").json()["data"]]


def test_each_model_answers_under_its_own_name_with_its_own_evidence(both, visit):
    client = client_of(both, visit, GLOBEX)
    assert names(client) == [TUNED, OTHER]
    answer = ask(client, OTHER).json()
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == (OTHER, "globex's words")
    assert ask(client, TUNED).json()["choices"][0]["message"]["content"] != "globex's words"
    assert client.get(f"/v1/models/{OTHER}").json()["gate"]["difference"] == -0.5
    assert client.post("/tokenize", json={"model": OTHER, "prompt": "ab"}).json()["count"] == 2


@pytest.mark.parametrize("permission", ["everyone", ACME])
def test_a_key_for_other_work_never_reaches_a_model_of_one_clients_documents(both, visit, permission):
    client = client_of(both, visit, permission)
    assert names(client) == [TUNED]
    answer = ask(client, OTHER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_permitted")
    assert "it was trained on documents labelled 'client:globex'" in answer.json()["error"]["message"]
    for path, body in (("/v1/completions", {"prompt": "a"}), ("/v1/embeddings", {"input": "a"}), ("/tokenize", {"prompt": "a"}),
                       ("/v1/responses", {"input": "a"})):
        assert client.post(path, json={"model": OTHER, **body}).status_code == 403, path
    assert both.also[0].served().engine.begun == 0  # type: ignore[union-attr]
    answer = ask(client, "other")
    assert answer.json()["error"]["message"] == f"The model 'other' does not exist. The served model is {TUNED!r}."


def test_a_key_that_lists_models_is_told_of_those_only(both, visit):
    client = client_of(both, visit, GLOBEX, models=(OTHER,))
    assert names(client) == [OTHER]
    assert ask(client, TUNED).json()["error"]["code"] == "model_not_allowed"
    assert ask(client, "x").json()["error"]["message"].endswith(f"The served model is {OTHER!r}.")
    assert ask(client_of(both, visit, GLOBEX), "x").json()["error"]["message"].endswith(f"Served are {TUNED!r}, {OTHER!r}.")
    assert ask(client_of(both, visit, models=("y",)), "x").json()["error"]["message"].endswith("None is served for this key.")


def test_one_model_is_taken_off_and_the_others_go_on(both, visit):
    client = client_of(both, visit, GLOBEX, scopes=("generate", "admin"))
    assert client.delete(f"/v1/models/{OTHER}").json()["deleted"]
    assert names(client) == [TUNED]
    assert ask(client, TUNED).status_code == 200


def test_the_figures_name_every_model_and_the_service_is_ready_when_all_that_passed_answer(both, visit):
    page = client_of(both, visit, scopes=("metrics",)).get("/metrics").text
    for name in (TUNED, OTHER):
        assert f'tutelage:engine_ready{{model_name="{name}"}} 1' in page
        assert re.search(rf'^tutelage:gate_difference{{model_name="{name}",', page, re.MULTILINE)
    assert page.count("# TYPE tutelage:gate_difference") == 1
    assert visit(both).get("/ready").status_code == 200

    class Gone(CharacterEngine):
        def is_ready(self) -> bool:
            return False

        def restarts(self) -> int:
            return 7

    gone = replace(both, also=(other_door(both.work / "gone", Gone(OTHER)),))
    assert visit(gone).get("/ready").status_code == 503
    page = client_of(gone, visit, scopes=("metrics",)).get("/metrics").text
    assert f'tutelage:engine_ready{{model_name="{OTHER}"}} 0' in page
    assert f'tutelage:engine_restarts_total{{model_name="{OTHER}"}} 7' in page


def test_a_model_that_services_answer_for_goes_through_the_same_door_and_its_receipt_says_what_is_not_known(tmp_path, visit):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED))
    copy = site.work / "model" / "m1" / "model-q8_0.gguf"
    make_tiny_model(copy.parent / "merged")
    with ExitStack() as stack:
        services = [TokenService(model=f"{TUNED}-m1"), TokenService(model=f"{TUNED}-m1", is_ill=True)]
        urls = [stack.enter_context(service.running()) for service in services]
        settings = EndpointSettings.model_validate({"engine": "vllm", "urls": urls, "context_length": 300})
        engine = open_elsewhere(copy, TUNED, settings, tell=lambda key, facts: None)
        stack.callback(engine.close)
        door = Door(site.work, find=Store(site.work).latest, chat_format=CHATML, open_engine=lambda path, name: engine)
        assert door.refresh()
        site = replace(site, door=door, endpoint=settings, receipts=ReceiptBook(site.desk, site.work))
        client = client_of(site, visit, scopes=("generate", "metrics"))
        answer = ask(client, TUNED).json()
        rendered = services[0].bodies[0]["prompt"]
        asked = {"model": TUNED, "messages": [{"role": "user", "content": "保密"}]}
        assert client.post("/tokenize", json=asked).json()["tokens"] == rendered
        assert answer["usage"]["prompt_tokens"] == len(rendered)
        assert client.get("/ready").status_code == 200
        page = client.get("/metrics").text
        assert f'tutelage:address_up{{model_name="{TUNED}",address="{urls[0]}"}} 1' in page
        assert f'tutelage:address_up{{model_name="{TUNED}",address="{urls[1]}"}} 0' in page
        assert f'tutelage:address_requests_total{{model_name="{TUNED}",address="{urls[0]}"}} 1' in page
        schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "additionalProperties": False}}}
        client.post("/v1/chat/completions", json={**asked, "response_format": schema})
        assert services[0].bodies[-1]["response_format"]["json_schema"]["schema"]["type"] == "object"
        function = {"name": "f", "parameters": {"type": "object", "additionalProperties": False}}
        for path, body in (("completions", {"prompt": "a", "logprobs": 1}), ("embeddings", {"input": "a"}),
                           ("chat/completions", {"messages": asked["messages"], "tools": [{"type": "function", "function": function}]})):
            assert client.post(f"/v1/{path}", json={"model": TUNED, **body}).status_code == 400, path
        receipt = client.get(f"/v1/receipts/{answer['id']}").json()["receipt"]
        assert receipt["engine"].startswith(f"PooledEngine: a service at {', '.join(urls)} that lists the model as {TUNED}-m1; its program")
        assert (receipt["gguf_sha256"], receipt["model_id"]) == ("", "m1")
        assert site.receipts is not None
        site.receipts.close()
    assert isinstance(door.served(), Served)
