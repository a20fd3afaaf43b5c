"""Each answer leaves a receipt: what answered, for whom, how much; never what was asked or answered."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import openai
import pytest
from web_site import DRAFT, TUNED, CharacterEngine, make_site, running

from tutelage.core.events import Events
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.desk.receipts import prompt_text, verify
from tutelage.web.app import create_app
from tutelage.web.receipts import ReceiptBook

ASKED = "保密 very-private-word"
CHAT = {"model": TUNED, "messages": [{"role": "user", "content": ASKED}], "max_tokens": 5}
TEXT = {"model": TUNED, "prompt": ASKED, "max_tokens": 5}
CLAUSE = {"type": "confidentiality", "keywords": "保密期限", "language": "zh"}


@pytest.fixture
def book_site(tuned_site):
    site = replace(tuned_site, receipts=ReceiptBook(tuned_site.desk, tuned_site.work))
    yield site
    site.receipts.close()


@pytest.fixture
def asking(book_site, visit):
    client = visit(book_site)
    client.headers["authorization"] = f"Bearer {book_site.desk.new_key('program')}"
    return client


def receipt_of(site, answer):
    return verify(site.receipts.exported(answer.headers["x-request-id"]), site.receipts.key).receipt


@pytest.mark.parametrize("path, body", [("/v1/chat/completions", CHAT), ("/v1/completions", TEXT)])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_leaves_a_receipt_under_its_id_with_the_usage_that_it_told(book_site, asking, path, body, stream):
    answer = asking.post(path, json={**body, "n": 2, "stream": stream, **({"stream_options": {"include_usage": True}} if stream else {})})
    lines = [line.removeprefix("data: ") for line in answer.text.strip().split("\n\n")]
    told = json.loads(lines[-2]) if stream else answer.json()
    found = receipt_of(book_site, answer)
    assert found.id == told["id"]
    assert (found.prompt_tokens, found.completion_tokens) == (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"])
    assert (found.route, found.model, found.key, found.person, found.finish_reasons) == (path, TUNED, "program", "", ("length", "length"))
    assert (found.model_id, found.scores_id, found.gate.verdict, found.permissions) == ("m1", "s1", "better", ("everyone",))
    assert found.chat_format_hash == told["system_fingerprint"]
    assert "CharacterEngine, tutelage " in found.engine
    assert 0 <= found.first_seconds <= found.seconds < 30
    assert found.began_at < found.ended_at
    assert found.prompt_hash == book_site.receipts.key.prompt_hash(prompt_text(body))


def test_neither_prompt_nor_answer_is_anywhere_in_the_desk(book_site, asking, tmp_path):
    asking.post("/v1/chat/completions", json=CHAT)
    asking.post("/api/clauses", json={**CLAUSE, "keywords": "private-keyword"})
    assert book_site.receipts.writer.flush()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "work").glob("desk.sqlite*"))
    assert b"chatcmpl-" in kept
    for secret in ("very-private-word", "private-keyword", DRAFT[:5]):
        assert secret.encode() not in kept


def test_the_receipt_names_what_the_model_was_made_from(tmp_path, visit):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED))
    parents = {}
    for stage, name in (("dataset", "d1"), ("training", "t1")):
        with Store(site.work).making(stage, name, version=1, recipe="r", settings=Settings(), parents={}, inputs={}, events=Events()):
            pass
        parents[stage] = Store(site.work).look_up(stage, name)
    (site.work / "model" / "m1" / "model-q8_0.gguf").unlink()
    (site.work / "model" / "m1").rmdir()
    with Store(site.work).making("model", "m1", version=1, recipe="r", settings=Settings(), parents=parents, inputs={}, events=Events()):
        pass
    site = replace(site, receipts=ReceiptBook(site.desk, site.work))
    answer = visit(site).post("/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {site.desk.new_key('k')}"})
    found = receipt_of(site, answer)
    assert (found.training_id, found.dataset_id) == ("t1", "d1")
    site.receipts.close()


def test_a_draft_on_the_page_is_the_persons_and_that_of_a_program_the_keys(book_site, asking, visit):
    page = visit(book_site, "drafter").post("/api/clauses/stream", json=CLAUSE)
    found = receipt_of(book_site, page)
    assert (found.route, found.key, found.person, found.completion_tokens) == ("/api/clauses/stream", "", "drafter", len(DRAFT))
    answer = asking.post("/api/clauses", json=CLAUSE)
    found = receipt_of(book_site, answer)
    assert (found.id[:7], found.key, found.finish_reasons) == ("clause-", "program", ("stop",))


def test_what_was_given_before_the_client_left_is_counted(tmp_path):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED, seconds=0.03))
    site = replace(site, receipts=ReceiptBook(site.desk, site.work))
    with running(create_app(site)) as address:
        with openai.OpenAI(base_url=f"{address}/v1", api_key=site.desk.new_key("k"), max_retries=0) as client:
            stream = client.chat.completions.create(model=TUNED, messages=CHAT["messages"], stream=True)
            chunks = iter(stream)
            answer_id = next(chunks).id
            for _ in range(3):
                next(chunks)
            stream.close()
        deadline = time.monotonic() + 5
        while site.receipts.writer.flush() and time.monotonic() < deadline:
            rows = [site.receipts.exported(answer_id)] if site.desk.receipts.check(site.receipts.key) else []
            if rows:
                break
            time.sleep(0.05)
    found = verify(rows[0], site.receipts.key).receipt
    assert found.finish_reasons == ("abort",)
    assert 2 <= found.completion_tokens < len(DRAFT)
    assert found.prompt_tokens > 0
    site.receipts.close()


def test_a_client_gets_its_own_receipt_and_an_admin_gets_any(book_site, asking, visit):
    name = asking.post("/v1/chat/completions", json=CHAT).json()["id"]
    own = asking.get(f"/v1/receipts/{name}").json()
    assert verify(own, book_site.receipts.key).receipt.id == name
    for scopes, status in ((("generate",), 404), (("admin",), 200)):
        headers = {"authorization": f"Bearer {book_site.desk.new_key(scopes[0], scopes=scopes)}"}
        answer = visit(book_site).get(f"/v1/receipts/{name}", headers=headers)
        assert answer.status_code == status
    assert "there is no receipt" in visit(book_site, "drafter").get(f"/v1/receipts/{name}").json()["error"]["message"]
    assert asking.get("/v1/receipts/nothing").status_code == 404


def test_without_receipts_that_is_told(client):
    answer = client.get("/v1/receipts/x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "receipts_off")
    assert "`endpoint.receipts: off`" in answer.json()["error"]["message"]


def test_no_answer_goes_out_while_receipts_cannot_be_written(tuned_site, visit):
    site = replace(tuned_site, receipts=ReceiptBook(tuned_site.desk, tuned_site.work, most_waiting=0))
    headers = {"authorization": f"Bearer {site.desk.new_key('program')}"}
    for path, body in (("/v1/chat/completions", CHAT), ("/api/clauses", CLAUSE)):
        answer = visit(site).post(path, json=body, headers=headers)
        assert (answer.status_code, "no answer goes out without one" in answer.json()["error"]["message"]) == (503, True)
    site.receipts.close()


def test_every_answer_has_an_id_refusals_too(book_site, asking):
    seen = {asking.get(path).headers["x-request-id"] for path in ("/v1/models", "/health", "/nothing", "/v1/models/other")}
    assert len(seen) == 4
    assert all(one.startswith("req-") for one in seen)
