"""What JSON schemas may hold: each mistake is named with its place, before anything is decoded."""

from __future__ import annotations

import time

import pytest

from tutelage.endpoint.schema import lint
from tutelage.endpoint.schema_check import mistake_in
from tutelage.endpoint.schema_words import SchemaMistake

TEXT = {"type": "string"}
NODE = {"$ref": "#/$defs/a"}


def of(name: str, schema: object) -> dict:
    return {"type": "object", "properties": {name: schema}}


def nested(depth: int) -> dict:
    schema: dict = TEXT
    for _ in range(depth):
        schema = of("a", schema)
    return schema


@pytest.mark.parametrize("schema, place, said", [
    (of("a", {"type": "string", "pattern": "x+"}), "properties.a.pattern", "the keyword pattern cannot be enforced while the reply is"),
    (of("a", {"type": "array", "uniqueItems": True}), "properties.a.uniqueItems", "Known here: items, maxItems, minItems, prefixItems"),
    (of("a", {"type": "integer", "multipleOf": 3}), "properties.a.multipleOf", "nothing is ignored"),
    ({"type": "object", "patternProperties": {}}, "patternProperties", "cannot be enforced"), ({"not": TEXT}, "not", "cannot be enforced"),
    (of("a", {"type": "integer", "minLength": 3}), "properties.a.minLength", "minLength fits no value of the type integer"),
    (of("a", {"minLength": 3}), "properties.a.minLength", "of the type that is missing here"),
    (of("a", {"type": "str"}), "properties.a.type", "type is 'str'; it must be one or several of object, array, string"),
    ({"type": []}, "type", "type is []"), ({"type": 5, "properties": {}}, "type", "type is 5"),
    (of("a", 3), "properties.a", "this is 3; a schema is an object"), (of("a", False), "properties.a", "this is False"),
    ({"type": "object", "properties": []}, "properties", "properties is []; it must be an object of schemas"),
    ({"type": "object", "required": ["b"]}, "required", "'b' is required and is no property here"),
    ({"type": "object", "required": "b"}, "required", "it must be a list of names"),
    ({"$ref": "other.json"}, "$ref", "refers to 'other.json'; a schema may refer to '#', '#/$defs/NAME'"),
    ({"$ref": "#/properties/a"}, "$ref", "Nothing is fetched"),
    ({"$ref": "#/$defs/b", "$defs": {}}, "$ref", "which the schema does not have"),
    (of("a", {**NODE, "minLength": 1}) | {"$defs": {"a": TEXT}}, "properties.a.minLength", "minLength stands beside $ref"),
    (of("a", {"$defs": {}}), "properties.a.$defs", "stands inside the schema; put it at its top"),
    ({"$defs": []}, "$defs", "it must be an object of schemas"), ({"anyOf": []}, "anyOf", "a list of at least one schema"),
    ({"anyOf": [TEXT], "type": "string"}, "type", "type stands beside anyOf"), ({"allOf": [TEXT, TEXT]}, "allOf", "allOf has 2 schemas"),
    ({"oneOf": [TEXT, {"type": "null"}]}, "oneOf", "nothing tells the branches of oneOf apart"),
    ({"enum": []}, "enum", "a list of at least one value"), ({"enum": ["a"], "minLength": 1}, "minLength", "stands beside enum"),
    ({"enum": ["a", 1], "type": "string"}, "enum", "1 is none of the types string"),
    (of("a", {"type": "string", "format": "uri"}), "properties.a.format", "the format is 'uri'; it must be one of date, time, date-time"),
    (of("a", {"type": "string", "format": "date", "maxLength": 9}), "properties.a.format", "without minLength and maxLength"),
    (of("a", {"type": "string", "maxLength": 2001}), "properties.a.maxLength", "maxLength is 2001; it must be a whole number from"),
    (of("a", {"type": "string", "minLength": 3, "maxLength": 2}), "properties.a.minLength", "minLength is 3 and maxLength is 2; nothing"),
    ({"type": "array", "minItems": True}, "minItems", "minItems is True"), ({"type": "array", "prefixItems": {}}, "prefixItems", "a list"),
    ({"type": "array", "prefixItems": [TEXT]}, "minItems", "Set minItems to 1"),
    ({"type": "array", "items": False, "minItems": 1}, "minItems", "items is false after 0; nothing fits"),
    ({"type": "number", "minimum": 0.5}, "minimum", "minimum is 0.5; only whole bounds up to 9999999999999999 can be enforced"),
    ({"type": "integer", "minimum": 3, "exclusiveMaximum": 3}, "", "no number lies between the bounds 3 and 3"),
    ({"type": "number", "exclusiveMinimum": 3, "maximum": 3}, "", "no number lies between"),
    (nested(30), "properties.a.properties.a.properties.a", "the schema is more than 24 levels deep"),
    (of("a", {"enum": list(range(501))}), "properties.a.enum", "more than 500 values of enums and branches of unions"),
    ({"type": "object", "properties": {f"p{number}": TEXT for number in range(501)}}, "properties", "more than 500 properties"),
    ({"type": "array", "items": {"type": "array", "prefixItems": [{"type": "string", "maxLength": 2000}] * 11, "minItems": 11}},
     "items.prefixItems[9].maxLength", "add up to more than 20000"),
    (of("a", {"description": "x" * 50_000}), "", "characters; at most 50000 are taken"),
    ({"const": float("nan")}, "", "a number without JSON form"),
    ({**NODE, "$defs": {"a": NODE}}, "$defs.a", "#/$defs/a refers to itself with nothing between"),
    ({**NODE, "$defs": {"a": {"anyOf": [TEXT, {"$ref": "#/$defs/b"}]}, "b": NODE}}, "$defs.a", "refers to itself with nothing between"),
    ({**NODE, "$defs": {"a": {**of("a", NODE), "required": ["a"]}}}, None, "no value fits: it holds itself, without a way to end"),
    ({**NODE, "$defs": {"a": {"anyOf": [of("x", NODE), of("x", {"type": "array", "items": NODE})]}}}, None,
     "can be read in more than 64 ways"),
])
def test_a_schema_that_no_reply_can_be_held_to_is_refused_with_its_place(schema, place, said):
    with pytest.raises(SchemaMistake) as caught:
        lint(schema)
    assert said in str(caught.value)
    assert place is None or caught.value.place == place


def test_a_schema_made_to_be_slow_is_refused_or_read_at_once():
    doubling = {f"d{number}": {"anyOf": [{"$ref": f"#/$defs/d{number + 1}"}] * 2} for number in range(60)}
    began = time.perf_counter()
    with pytest.raises(SchemaMistake, match="can be read in more than 64 ways"):
        lint({"$ref": "#/$defs/d0", "$defs": {**doubling, "d60": TEXT}})
    lint({"$ref": "#/$defs/d0", "$defs": {**{name: {"allOf": [one["anyOf"][0]]} for name, one in doubling.items()}, "d60": TEXT}})
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("text, said", [
    ("{", "it is no JSON"), ("[" * 5000, "it is no JSON"), ("3", "3 is of the type integer, not object"), ("{}", "a is missing"),
    ('{"a": "x", "b": 1}', "b is not among the properties"), ('{"a": [1]}', "a.0"), ('{"a": ["x", "y", "z"]}', "a has 3 items, not 0 to 2"),
])
def test_the_second_look_names_the_mistake_of_a_reply(text, said):
    schema = {"type": "object", "required": ["a"], "additionalProperties": False,
              "properties": {"a": {"anyOf": [{"type": "array", "items": TEXT, "maxItems": 2}, TEXT]}}}
    assert said in mistake_in(text, schema)
