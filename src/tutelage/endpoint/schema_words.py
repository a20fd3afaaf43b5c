"""The words of the JSON schemas that replies can be held to, and how a checked schema is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.core.errors import InputError

Schema = Mapping[str, Any]
Steps = tuple[str | int, ...]
NOTES = {"title", "description", "default", "examples", "$comment", "$schema", "$id", "deprecated", "readOnly", "writeOnly",
         "discriminator", "$defs", "definitions"}
TABLES = ("$defs", "definitions")
UNIONS = ("anyOf", "oneOf", "allOf")
KEYWORDS: dict[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties"}, "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"minLength", "maxLength", "format"}, "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}, "boolean": set(), "null": set()}
TYPES: dict[str, tuple[type, ...]] = {"object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "integer": (int,),
                                      "boolean": (bool,), "null": (type(None),)}


class SchemaMistake(InputError):
    """A schema that replies cannot be held to; `place` is where, such as "properties.age.pattern"."""

    def __init__(self, steps: Steps, reason: str) -> None:
        self.place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
        super().__init__(reason)


def kind_of(value: object) -> str:
    """The type of a JSON value by JSON schema's name; an integer is "integer", not "number"."""
    if isinstance(value, bool):
        return "boolean"
    return next(name for name in ("null", "integer", "number", "string", "array", "object") if isinstance(value, TYPES[name]))


def kinds_of(schema: Schema) -> tuple[str, ...]:
    """The types that a schema names or that its keywords tell; none: any value."""
    named = schema.get("type")
    if isinstance(named, str):
        return (named,)
    if isinstance(named, Sequence):
        return tuple(named)
    return tuple(kind for kind in ("object", "array") if KEYWORDS[kind] & schema.keys())


def target_of(root: Schema, reference: str) -> Schema:
    """The schema that a checked reference names."""
    if reference == "#":
        return root
    _, table, name = reference.split("/", 2)
    found: Schema = root[table][name.replace("~1", "/").replace("~0", "~")]
    return found


def branches_of(schema: Schema) -> tuple[str, Sequence[Schema]]:
    """The keyword of a union and its branches; "" and none where there is none."""
    return next(((union, schema[union]) for union in UNIONS if union in schema), ("", ()))


def shown(value: object) -> str:
    """How a value is told in an error: short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
