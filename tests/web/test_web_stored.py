"""Chat completions kept because the client asked: its own, complete, editable, and gone when deleted; nothing else is kept."""

from __future__ import annotations

import openai
import pytest
from starlette.testclient import TestClient
from web_site import DRAFT, TUNED, CharacterEngine, make_site

from tutelage.endpoint.settings import EndpointSettings
from tutelage.web.app import create_app

MESSAGES = [{"role": "system", "content": "Draft."}, {"role": "user", "content": "Term"}]


def ai_of(client: TestClient, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url="http://localhost/v1", api_key=key, http_client=client, max_retries=0)


@pytest.fixture
def ai(tuned_site, visit):
    return ai_of(visit(tuned_site), tuned_site.desk.new_key("ann"))


@pytest.fixture
def other(tuned_site, visit):
    return ai_of(visit(tuned_site), tuned_site.desk.new_key("bo"))


def ask(ai, **more):
    return ai.chat.completions.create(model=TUNED, messages=MESSAGES, **more)


def test_without_store_nothing_is_kept(ai, tuned_site):
    before = len(tuned_site.desk.audit())
    ask(ai)
    ask(ai, store=False)
    assert ai.chat.completions.list().data == []
    assert len(tuned_site.desk.audit()) == before


def test_what_is_stored_is_the_answer_as_it_was_given_whole_or_streamed(ai):
    whole = ask(ai, store=True, metadata={"matter": "7"}, seed=1)
    chunks = list(ask(ai, store=True, stream=True, seed=1))
    kept = ai.chat.completions.retrieve(whole.id)
    assert (kept.choices, kept.usage, kept.metadata) == (whole.choices, whole.usage, {"matter": "7"})
    streamed = ai.chat.completions.retrieve(chunks[0].id)
    assert (streamed.choices[0].message.content, streamed.usage) == (DRAFT, whole.usage)
    messages = ai.chat.completions.messages.list(whole.id).data
    assert [(message.id, message.role, message.content) for message in messages] == [
        (f"{whole.id}-0", "system", "Draft."), (f"{whole.id}-1", "user", "Term")]
    assert [message.role for message in ai.chat.completions.messages.list(whole.id, order="desc", limit=1).data] == ["user"]


def test_the_list_has_pages_filters_and_both_orders(ai):
    ids = [ask(ai, store=True, metadata={"even": str(number % 2 == 0)}).id for number in range(3)]
    assert [one.id for one in ai.chat.completions.list()] == ids
    assert [one.id for one in ai.chat.completions.list(limit=2)] == ids  # the client fetches the next page
    assert [one.id for one in ai.chat.completions.list(limit=2).data] == ids[:2]
    assert [one.id for one in ai.chat.completions.list(order="desc", after=ids[2])] == ids[1::-1]
    assert [one.id for one in ai.chat.completions.list(metadata={"even": "True"})] == [ids[0], ids[2]]
    assert ai.chat.completions.list(model="other").data == []


def test_metadata_change_and_a_deleted_completion_is_gone(ai):
    name = ask(ai, store=True, metadata={"a": "b"}).id
    assert ai.chat.completions.update(name, metadata={"c": "d"}).metadata == {"c": "d"}
    assert ai.chat.completions.update(name, metadata=None).metadata == {}
    deleted = ai.chat.completions.delete(name)
    assert (deleted.id, deleted.deleted, deleted.object) == (name, True, "chat.completion.deleted")
    with pytest.raises(openai.NotFoundError, match=f"there is no stored completion '{name}' of yours"):
        ai.chat.completions.retrieve(name)


def test_nobody_else_sees_them(ai, other):
    name = ask(ai, store=True).id
    assert other.chat.completions.list().data == []
    for call in (lambda: other.chat.completions.retrieve(name), lambda: other.chat.completions.update(name, metadata={"a": "b"}),
                 lambda: other.chat.completions.delete(name), lambda: other.chat.completions.messages.list(name),
                 lambda: other.chat.completions.list(after=name)):
        with pytest.raises(openai.NotFoundError, match="of yours"):
            call()
    assert ai.chat.completions.retrieve(name).metadata == {}


@pytest.mark.parametrize("more, param, said", [
    ({"metadata": {"a": "b"}}, "metadata", "metadata is only allowed with `store: true`"),
    ({"store": True, "metadata": {"a": 1}}, "metadata.a", "should be a valid string"),
    ({"store": True, "metadata": {"k" * 65: "x"}}, "metadata." + "k" * 65, "at most 64 characters"),
    ({"store": True, "metadata": {"k": "x" * 513}}, "metadata.k", "at most 512 characters"),
    ({"store": True, "metadata": {str(number): "" for number in range(17)}}, "metadata", "at most 16 items"),
    ({"store": "yes"}, "store", "valid boolean"),
])
def test_metadata_outside_its_bounds_are_a_400(strict_client, more, param, said):
    answer = strict_client.post("/v1/chat/completions", json={"model": TUNED, "messages": MESSAGES, **more})
    error = answer.json()["error"]
    assert (answer.status_code, said in error["message"]) == (400, True), error
    assert error["param"].startswith(param)


@pytest.mark.parametrize("query, param, said", [
    ("limit=0", "limit", "greater than or equal to 1"), ("limit=101", "limit", "less than or equal to 100"),
    ("limit=x", "limit", "valid integer"),
    ("order=up", "order", "'asc' or 'desc'"), ("page=2", "page", "Unknown or unsupported parameter"),
    ("limit=1&limit=2", "limit", "stands twice"),
])
def test_a_list_is_asked_as_strictly_as_an_answer(strict_client, query, param, said):
    answer = strict_client.get(f"/v1/chat/completions?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], said in error["message"]) == (400, param, True), error


def test_changing_needs_metadata_and_nothing_else(strict_client):
    assert "Missing required parameter: 'metadata'" in strict_client.post("/v1/chat/completions/x", json={}).text
    assert strict_client.post("/v1/chat/completions/x", json={"metadata": {}, "model": "x"}).json()["error"]["param"] == "model"
    assert strict_client.post("/v1/chat/completions/x", json={"metadata": {}}).status_code == 404


def test_a_full_store_refuses_before_anything_is_generated(tmp_path):
    engine = CharacterEngine(TUNED)
    site = make_site(tmp_path / "work", tuned=engine, endpoint=EndpointSettings(stored=1))
    ai = ai_of(TestClient(create_app(site), base_url="http://localhost"), site.desk.new_key("ann"))
    ask(ai, store=True)
    with pytest.raises(openai.ConflictError, match=r"you keep 1 stored completions; endpoint\.stored allows 1"):
        ask(ai, store=True)
    assert engine.begun == 1
    ask(ai)


def test_a_message_page_after_an_unknown_message_is_a_404(ai):
    name = ask(ai, store=True).id
    assert [message.id for message in ai.chat.completions.messages.list(name, after=f"{name}-0").data] == [f"{name}-1"]
    with pytest.raises(openai.NotFoundError, match="no message 'x' in this completion"):
        ai.chat.completions.messages.list(name, after="x")
