"""Vectors of texts and token ids for the openai client, with exact counts; what cannot be had is refused by name."""

from __future__ import annotations

import base64

import numpy as np
import openai
import pytest
from web_site import TUNED


@pytest.fixture
def ai(client):
    return openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                         http_client=client, max_retries=0)


def test_the_openai_client_gets_a_vector_of_a_text_of_each_text_and_of_token_ids(ai, tuned):
    one = ai.embeddings.create(model=TUNED, input="ab")  # the client asks for base64 and reads it back
    assert (one.object, one.model, one.data[0].index, one.data[0].object) == ("list", TUNED, 0, "embedding")
    assert one.data[0].embedding == pytest.approx([0.8, 0.6])
    assert (one.usage.prompt_tokens, one.usage.total_tokens) == (2, 2)
    several = ai.embeddings.create(model=TUNED, input=["bcd", "ab"], encoding_format="float")
    assert [row.embedding for row in several.data] == [pytest.approx([0.6, 0.8]), pytest.approx([0.8, 0.6])]
    assert ([row.index for row in several.data], several.usage.total_tokens) == ([0, 1], 5)
    tokens = ai.embeddings.create(model=TUNED, input=[[98, 97], [97, 98, 99]])
    assert ([row.embedding for row in tokens.data], tokens.usage.prompt_tokens) == ([row.embedding for row in several.data], 5)
    assert ai.embeddings.create(model=TUNED, input=[97, 98]).data[0].embedding == one.data[0].embedding
    assert ai.embeddings.create(model=TUNED, input=["b"] * 20, dimensions=2).usage.prompt_tokens == 20
    assert tuned.rows_embedded == 26


def test_base64_holds_the_numbers_as_little_endian_floats(client):
    told = client.post("/v1/embeddings", json={"model": TUNED, "input": "a", "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(told), "<f4").tolist() == pytest.approx([0.8, 0.6])


@pytest.mark.parametrize("body, param, said", [
    ({"input": "a", "dimensions": 3}, "dimensions", "is 3; tutelage-draft gives vectors of 2 numbers, which cannot be shortened"),
    ({"input": "a", "user": "ann"}, "user", "Unknown or unsupported parameter: 'user'"),
    ({"input": "a", "encoding_format": "int8"}, "encoding_format", "Input should be 'float' or 'base64'"),
    ({"input": ""}, "input", "none may be empty"), ({"input": []}, "input", "none may be empty"),
    ({"input": [[]]}, "input", "none may be empty"),
    ({"input": ["a"] * 257}, "input", "up to 256 of them"), ({"input": [-1]}, "input", "whole numbers from 0"),
    ({"input": 7}, "input", "send a text"), ({}, "input", "Missing required parameter: 'input'"),
    ({"input": ["ok", "x" * 601]}, "input", "601 in all; this model takes 600"),
])
def test_what_cannot_be_had_is_a_400_that_names_it(client, body, param, said):
    answer = client.post("/v1/embeddings", json={"model": TUNED, **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert said in error["message"]


def test_an_unknown_model_is_a_404_and_nobody_embeds_without_a_key(client):
    answer = client.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    del client.headers["authorization"]
    assert client.post("/v1/embeddings", json={"model": TUNED, "input": "a"}).status_code == 401


def test_an_engine_without_vectors_says_so(client, tuned_site):
    class Silent:
        context_length = 600

    served = tuned_site.door.served()
    engine, served.engine = served.engine, Silent()
    answer = client.post("/v1/embeddings", json={"model": TUNED, "input": "a"})
    served.engine = engine
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_model")
    assert "gives no vectors" in answer.json()["error"]["message"]
