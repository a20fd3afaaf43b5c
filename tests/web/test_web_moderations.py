"""/v1/moderations for the openai client: one result a text, the answering model named, and strict requests."""

from __future__ import annotations

import openai
import pytest
from web_site import TUNED, CharacterEngine, make_site

from tutelage.core.errors import ArtifactError
from tutelage.guard.moderation import CATEGORIES, WORDS
from tutelage.guard.moderation_model import write_model
from tutelage.guard.moderation_rows import ModerationRow
from tutelage.guard.moderation_training import train
from tutelage.web.app import create_app


def ai_of(client):
    return openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                         http_client=client, max_retries=0)


def test_the_openai_client_gets_one_result_a_text_and_one_for_the_parts_of_a_text(client):
    ai = ai_of(client)
    one = ai.moderations.create(input="Fuck you!")
    assert (one.model, one.id[:5], one.results[0].flagged, one.results[0].categories.harassment) == (WORDS, "modr-", True, True)
    assert (one.results[0].category_scores.harassment, one.results[0].categories.self_harm) == (1.0, False)
    assert one.results[0].category_applied_input_types.violence == ["text"]
    assert set(one.results[0].categories.model_dump(by_alias=True)) == set(CATEGORIES)
    several = ai.moderations.create(input=["Payment is due.", "我想自杀"], model=WORDS).results
    assert [(result.flagged, result.categories.self_harm_intent) for result in several] == [(False, False), (True, True)]
    parts = ai.moderations.create(input=[{"type": "text", "text": "Payment"}, {"type": "text", "text": "fuck you"}]).results
    assert [result.flagged for result in parts] == [True]


def test_it_answers_without_any_model_served(site, visit):
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test')}"
    assert client.post("/v1/moderations", json={"input": "去死吧"}).json()["results"][0]["flagged"]


def test_a_trained_model_answers_under_its_own_name_and_a_broken_one_stops_the_site(tmp_path, visit):
    rows = [ModerationRow(text=f"the {word} went home at {number}", labels={"violence": bad})
            for number in range(25) for word, bad in (("grumblefish", True), ("gardener", False))]
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED))
    write_model(train(rows), tmp_path / "work" / "moderation.npz")
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test')}"
    answer = client.post("/v1/moderations", json={"input": "the grumblefish went home at 77"}).json()
    assert (answer["model"][:20], answer["results"][0]["categories"]["violence"]) == ("tutelage-moderation-", True)
    assert answer["model"] != WORDS
    (tmp_path / "work" / "moderation.npz").write_bytes(b"cut")
    with pytest.raises(ArtifactError, match="is no moderation model"):
        create_app(site)


@pytest.mark.parametrize("body, status, param, said", [
    ({"input": "x", "model": "omni-moderation-latest"}, 404, "model", f"Leave model out, or send '{WORDS}'"),
    ({"input": "x", "user": "a"}, 400, "user", "Unknown or unsupported parameter"), ({}, 400, "input", "Missing required parameter"),
    ({"input": []}, 400, "input", "at least 1 item"), ({"input": 7}, 400, "input", "valid string"),
    ({"input": [{"type": "image_url", "image_url": {"url": "https://x"}}]}, 400, "input", ""),
    ({"input": "x" * 100_001}, 400, "input", "at most 100000 are moderated"),
])
def test_a_request_outside_the_bounds_is_refused_by_name(strict_client, body, status, param, said):
    answer = strict_client.post("/v1/moderations", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"].partition("[")[0], said in error["message"]) == (status, param, True), error


def test_nobody_moderates_without_a_key_or_with_one_for_another_model(site, visit):
    client = visit(site)
    assert client.post("/v1/moderations", json={"input": "x"}).status_code == 401
    client.headers["authorization"] = f"Bearer {site.desk.new_key('narrow', models=('other',))}"
    answer = client.post("/v1/moderations", json={"input": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
