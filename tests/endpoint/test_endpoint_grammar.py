"""Grammars made from JSON schemas, read by llama.cpp itself: they take what the schema allows, and nothing else."""

from __future__ import annotations

import json
import random

import pytest
from grammar_reader import GrammarReader
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.tool_chat import HERMES, LLAMA3
from tutelage.endpoint.bounds import schema_bounds, tool_bounds
from tutelage.endpoint.schema import lint
from tutelage.endpoint.schema_check import mistake_in
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.model.export_gguf import export_gguf


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    export_gguf(make_tiny_model(folder / "model"), folder / "tiny.gguf", quantisation="f16", name="tiny", chat_format=CHATML)
    vocabulary = LlamaVocabulary(folder / "tiny.gguf")
    yield GrammarReader(vocabulary)
    vocabulary.close()


PERSON = {"type": "object", "additionalProperties": False, "required": ["name", "age"],
          "properties": {"nick": {"type": "string"}, "name": {"type": "string", "minLength": 2, "maxLength": 5},
                         "age": {"type": "integer", "minimum": 0, "maximum": 130}, "mail": {"type": ["string", "null"], "title": "Mail"}}}
TREE = {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["left"], "additionalProperties": False, "properties": {
    "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}}
PETS = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"oneOf": [
    {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind"]},
    {"type": "object", "properties": {"kind": {"const": "dog"}, "good": {"type": "boolean"}}, "required": ["kind", "good"]}]}}
PAIR = {"type": "array", "prefixItems": [{"type": "number"}, {"enum": ["cm", "cd", "km"]}], "minItems": 2, "items": False}
TIMES = {"type": "object", "properties": {name: {"type": "string", "format": name} for name in ("date", "time", "date-time", "uuid", "ipv4",
                                                                                             "email")}}
MAP = {"type": "object", "additionalProperties": {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 12}}
SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}

FITS = [
    (PERSON, ['{"name": "Ada", "age": 36}', '{"nick":"","name":"保密期限","age":0,"mail":null}',
              '{\n  "name": "\\u0041d",\n  "age": 130\n}', '{ "name": "Ada", "age": 7, "mail": "a\\"b" }']),
    (TREE, ['{"left": null}', '{"left": {"left": {"left": null}}}']),
    (PETS, ['[{"kind": "cat"}]', '[{"kind": "cat", "lives": -9}, {"kind": "dog", "good": true}]']),
    (PAIR, ['[1.5, "cm"]', '[-0.25e-3, "km"]']),
    (TIMES, ["{}", '{"date": "2024-02-29"}', '{"time": "23:59:59.25Z", "ipv4": "10.0.255.1"}',
             '{"date-time": "2000-02-29T00:00:00+08:00", "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e", "email": "a.b@law-firm.co.uk"}']),
    (MAP, ["{}", '{"a": -2, "b": 11, "": 0}']),
    (SHARE, ["1", "1.0", "0.5", "0.001"]),
    ({"type": "number", "minimum": -2, "exclusiveMaximum": 0}, ["-2", "-0.1", "-1.999", "-2.0"]),
    ({}, ["[1, {\"a\": null}]", '"x"', "true"]),
    ({"enum": ["plan", "planet", "plan B", 12, None, {"a": [1]}]}, ['"plan"', '"planet"', '"plan B"', "12", "null", '{"a": [1]}']),
    ({"type": "array", "maxItems": 0}, ["[]"]),
    ({"type": "array", "items": {"type": "null"}, "maxItems": 2}, ["[]", "[null]", "[null, null]"]),
    ({"type": "object", "properties": {}}, ["{}"]), ({"allOf": [{"type": "boolean"}]}, ["true", "false"]),
]
FAILS = [
    (PERSON, ['{"name": "Ada"}', '{"name": "A", "age": 1}', '{"name": "Adaline", "age": 1}', '{"name": "Ada", "age": 131}',
              '{"name": "Ada", "age": -1}', '{"name": "Ada", "age": 3.5}', '{"name": "Ada", "age": 1, "x": 2}', '{"name": "Ada"']),
    (TREE, ["null", '{"left": {}}']),
    (PETS, ["[]", '[{"kind": "cow"}]', '[{"kind": "dog"}]', '[{"kind": "cat"}, {"kind": "cat"}, {"kind": "cat"}]']),
    (PAIR, ["[1.5]", '[1.5, "m"]', '[1.5, "cm", 1]']),
    (TIMES, ['{"date": "2023-02-29"}', '{"date": "1900-02-29"}', '{"date": "2024-04-31"}', '{"time": "24:00:00Z"}', '{"ipv4": "256.0.0.1"}',
             '{"uuid": "x"}', '{"email": "nobody"}', '{"date-time": "2024-01-01"}']),
    (MAP, ['{"a": -3}', '{"a": 12}', '{"a": "1"}']), (SHARE, ["0", "0.0", "1.5", "1.01", "2", "-0.5"]),
    ({"type": "number", "minimum": -2, "exclusiveMaximum": 0}, ["0", "-0.0", "-2.5", "1"]),
    ({}, ["", "{a: 1}", "[1,]", "\"\n\"", '"\\ud800"']), ({"enum": ["plan", "planet"]}, ['"plane"', '"pla"', '"planetary"']),
    ({"type": "array", "items": {"type": "null"}, "maxItems": 2}, ["[null, null, null]"]),
    ({"type": "object", "properties": {}}, ['{"a": 1}']),
]


def test_a_grammar_takes_what_its_schema_allows(reader):
    seen = 0
    for schema, texts in FITS:
        lint(schema)
        grammar = schema_bounds(schema).constraint.grammar
        for text in texts:
            assert mistake_in(text, schema) == "", text
            assert reader.takes(grammar, text), (schema, text)
            seen += 1
    assert seen == 40


def test_a_grammar_refuses_what_its_schema_does_not_allow(reader):
    seen = 0
    for schema, texts in FAILS:
        grammar = schema_bounds(schema).constraint.grammar
        for text in texts:
            assert not reader.takes(grammar, text), (schema, text)
            # The grammar alone is stricter: half of a pair is JSON but no text, and other properties are allowed but never written.
            assert mistake_in(text, schema) or text in ('"\\ud800"', '{"a": 1}'), text
            seen += 1
    assert seen == 48


def test_whole_numbers_are_taken_exactly_within_their_bounds(reader):
    chance = random.Random(5)
    seen = 0
    for _ in range(40):
        low = chance.randint(-1200, 1200)
        high = low + chance.randint(0, 10 ** chance.randint(0, 3))
        schema = {"type": "integer", "minimum": low, "maximum": high}
        grammar = schema_bounds(schema).constraint.grammar
        for value in {low - 1, low, low + 1, high - 1, high, high + 1, 0, 9, 10, 99, 100, -10, -99, chance.randint(-1300, 1300)}:
            assert reader.takes(grammar, str(value)) == (low <= value <= high), (low, high, value)
            seen += 1
    assert seen > 400


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = {"weather": WEATHER, "now": {"type": "object", "properties": {}}}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'


def test_a_reply_that_may_call_is_free_until_the_trigger_and_then_a_whole_call(reader):
    grammar = tool_bounds(HERMES, TOOLS, "may", several=True).constraint.grammar
    for text in ("", "It rains.", "a < b, <tool, <<tool_cal", CALL, f"Let me see.\n{CALL}", f"{CALL}\n{NOW}", f"<<tool_call<{NOW}"):
        assert reader.takes(grammar, text), text
    for text in ("<tool_call>", "<tool_call>\n{}", f"{CALL} It rains.", CALL.replace("Oslo", '", "x": "'),
                 CALL.replace("weather", "wether"), f"words <tool_call{CALL}{NOW}"):
        assert not reader.takes(grammar, text), text
    single = tool_bounds(HERMES, TOOLS, "may", several=False).constraint.grammar
    assert reader.takes(single, f"Well: {CALL}")
    assert not reader.takes(single, f"{CALL}\n{NOW}")


def test_a_reply_that_must_call_is_a_call_and_one_that_must_not_never_begins_one(reader):
    must = tool_bounds(HERMES, TOOLS, "must", several=True).constraint.grammar
    assert reader.takes(must, CALL)
    assert reader.takes(must, f"{NOW}\n{CALL}")
    assert not reader.begins(must, "It")
    never = tool_bounds(HERMES, TOOLS, "must not", several=True).constraint.grammar
    assert reader.takes(never, "It <tool_call rains <tool")
    assert not reader.begins(never, "It <tool_call>")


def test_the_calls_of_llama3_lead_the_reply_and_stand_alone(reader):
    call = '{"name": "weather", "parameters": {"city": "Oslo"}}'
    grammar = tool_bounds(LLAMA3, TOOLS, "may", several=True).constraint.grammar
    for text in (call, "It rains.", '{"nam', '{"a": 1}', f"I say {call} {{"):
        assert reader.takes(grammar, text), text
    for text in ('{"name": "rain"}', f"{call}\n{call}", '{"name": "weather"}'):
        assert not reader.takes(grammar, text), text
    never = tool_bounds(LLAMA3, TOOLS, "must not", several=True).constraint.grammar
    assert not reader.begins(never, '{"name": "')


def test_with_a_schema_a_reply_is_either_of_it_or_a_call(reader):
    grammar = tool_bounds(HERMES, TOOLS, "may", several=True, schema=PAIR).constraint.grammar
    assert reader.takes(grammar, '[1, "km"]')
    assert reader.takes(grammar, CALL)
    assert not reader.begins(grammar, "It")
    assert json.loads(schema_bounds(PAIR).constraint.schema_text) == PAIR
