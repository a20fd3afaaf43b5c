"""Checks that a reply is what its JSON schema asks for: the second look, after the grammar that it was written under."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from tutelage.endpoint.schema_words import Schema, Steps, kind_of, kinds_of, shown, target_of

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
BYTE = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4 = re.compile(rf"{BYTE}(\.{BYTE}){{3}}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

def mistake_in(text: str, schema: Schema) -> str:
    """The first mistake of a reply, with its place; "" for none. The schema is a checked one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON ({error})"
    return _mistake(value, schema, schema, ())


def _mistake(value: Any, schema: Schema | bool, root: Schema, steps: Steps) -> str:
    if isinstance(schema, bool):
        return ""
    if "$ref" in schema:
        return _mistake(value, target_of(root, schema["$ref"]), root, steps)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            found = [_mistake(value, branch, root, steps) for branch in schema[union]]
            return "" if "" in found else found[0]
    place = f" at {'.'.join(map(str, steps))}" if steps else ""
    if "enum" in schema or "const" in schema:
        allowed = schema["enum"] if "enum" in schema else [schema["const"]]
        is_there = any(kind_of(value) == kind_of(one) and value == one for one in allowed)
        return "" if is_there else f"{shown(value)}{place} is not among the values"
    kinds = kinds_of(schema)
    kind = kind_of(value)
    if kinds and kind not in kinds and not (kind == "integer" and "number" in kinds):
        return f"{shown(value)}{place} is of the type {kind}, not {' or '.join(kinds)}"
    if kind == "object":
        return _of_object(value, schema, root, steps)
    if kind == "array":
        return _of_array(value, schema, root, steps)
    return _of_text(value, schema, place) if kind == "string" else _of_number(value, schema, place)


def _of_object(value: dict[str, Any], schema: Schema, root: Schema, steps: Steps) -> str:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            return f"{'.'.join(map(str, (*steps, name)))} is missing"
    for name, inner in value.items():
        if name not in properties and more is False:
            return f"{'.'.join(map(str, (*steps, name)))} is not among the properties"
        found = _mistake(inner, properties.get(name, more), root, (*steps, name))
        if found:
            return found
    return ""


def _of_array(value: list[Any], schema: Schema, root: Schema, steps: Steps) -> str:
    first = schema.get("prefixItems", [])
    least = schema.get("minItems", 0)
    most = schema.get("maxItems", len(first) if schema.get("items") is False else len(value))
    if not least <= len(value) <= most:
        return f"{'.'.join(map(str, steps)) or 'the array'} has {len(value)} items, not {least} to {most}"
    for number, inner in enumerate(value):
        part = first[number] if number < len(first) else schema.get("items", True)
        found = _mistake(inner, part, root, (*steps, number))
        if found:
            return found
    return ""


def _of_text(value: str, schema: Schema, place: str) -> str:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{shown(value)}{place} has {len(value)} characters"
    name = schema.get("format")
    if name is None:
        return ""
    try:
        fits = FORMATS[name](value) is not None
    except ValueError:
        fits = False
    return "" if fits else f"{shown(value)}{place} is no {name}"


def _of_number(value: float | bool | None, schema: Schema, place: str) -> str:
    if value is None or isinstance(value, bool):
        return ""
    fits = (schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"]))
    return "" if fits else f"{value}{place} is outside the bounds"


def _moment(text: str) -> datetime:
    if "T" not in text:
        raise ValueError("a day without a time")
    return datetime.fromisoformat(text)


FORMATS: dict[str, Callable[[str], object]] = {
    "date": date.fromisoformat, "time": time.fromisoformat, "date-time": _moment,
    "uuid": UUID.fullmatch, "ipv4": IPV4.fullmatch, "email": EMAIL.fullmatch}
