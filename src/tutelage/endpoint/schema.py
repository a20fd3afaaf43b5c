"""Which JSON schemas replies can be held to: each is read strictly before it is used, and the error names the first place that is not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tutelage.endpoint.grammar import FORMATS
from tutelage.endpoint.numbers import WHOLE
from tutelage.endpoint.schema_reach import are_apart, check_reach
from tutelage.endpoint.schema_words import (
    KEYWORDS,
    NOTES,
    TABLES,
    Schema,
    SchemaMistake,
    Steps,
    branches_of,
    kind_of,
    kinds_of,
    shown,
    target_of,
)

MOST_CHARACTERS = 50_000  # of the whole schema, written as JSON
MOST_DEPTH = 24
MOST_PROPERTIES = 500
MOST_CHOICES = 500  # values of all enums, branches of all unions
MOST_LENGTH = 2_000  # of a text, in minLength and maxLength
MOST_ITEMS = 500
MOST_REPEATS = 20_000  # all of these together: a grammar writes each repetition out


def lint(schema: Schema) -> None:
    """Raise SchemaMistake at the first place that replies cannot be held to, or that is too large."""
    try:
        size = len(json.dumps(schema, ensure_ascii=False, allow_nan=False))
    except (ValueError, RecursionError):
        raise SchemaMistake((), "the schema is no JSON that can be written: it is too deep, or holds a number without JSON form.") from None
    if size > MOST_CHARACTERS:
        raise SchemaMistake((), f"the schema has {size} characters; at most {MOST_CHARACTERS} are taken. Ask for less at once.")
    _Linter(schema).run()
    check_reach(schema)


class _Linter:
    """Walks one schema; counts what it meets."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._properties = 0
        self._choices = 0
        self._repeats = 0

    def run(self) -> None:
        self._read(self._root, ())
        for table in TABLES:
            tables = self._root.get(table, {})
            if not isinstance(tables, Mapping):
                raise SchemaMistake((table,), f"{table} is {shown(tables)}; it must be an object of schemas.")
            for name, schema in tables.items():
                self._read(schema, (table, name))

    def _read(self, schema: object, steps: Steps) -> None:
        if len(steps) > 2 * MOST_DEPTH:
            raise SchemaMistake(steps[:6], f"the schema is more than {MOST_DEPTH} levels deep. Name parts in $defs and refer to them.")
        if schema is True:
            return
        if not isinstance(schema, Mapping):
            raise SchemaMistake(steps, f"this is {shown(schema)}; a schema is an object.")
        for table in TABLES:
            if steps and table in schema:
                raise SchemaMistake((*steps, table), f"{table} stands inside the schema; put it at its top.")
        union, _ = branches_of(schema)
        if "$ref" in schema:
            self._alone(schema, steps, "$ref")
            self._reference(schema["$ref"], (*steps, "$ref"))
        elif union:
            self._alone(schema, steps, union)
            self._union(schema, steps, union)
        elif "enum" in schema or "const" in schema:
            self._values(schema, steps)
        else:
            self._typed(schema, steps)

    def _alone(self, schema: Schema, steps: Steps, keyword: str) -> None:
        for other in schema.keys() - NOTES - {keyword}:
            raise SchemaMistake((*steps, other), f"{other} stands beside {keyword}; together they cannot be enforced. Move it into "
                                                 f"{'what is referred to' if keyword == '$ref' else 'the branches'}.")

    def _reference(self, reference: object, steps: Steps) -> None:
        parts = reference.split("/") if isinstance(reference, str) else []
        if reference == "#":
            return
        if len(parts) != 3 or parts[0] != "#" or parts[1] not in TABLES:
            raise SchemaMistake(steps, f"refers to {shown(reference)}; a schema may refer to '#', '#/$defs/NAME' and "
                                       "'#/definitions/NAME' of itself only. Nothing is fetched.")
        try:
            target_of(self._root, str(reference))
        except (KeyError, TypeError):
            raise SchemaMistake(steps, f"refers to {shown(reference)}, which the schema does not have.") from None

    def _union(self, schema: Schema, steps: Steps, union: str) -> None:
        branches = schema[union]
        if not isinstance(branches, list) or not branches:
            raise SchemaMistake((*steps, union), f"{union} is {shown(branches)}; it must be a list of at least one schema.")
        self._count_choices(len(branches), (*steps, union))
        for number, branch in enumerate(branches):
            self._read(branch, (*steps, union, number))
        if union == "allOf" and len(branches) > 1:
            raise SchemaMistake((*steps, union), f"allOf has {len(branches)} schemas; only one can be enforced. Write them as one.")
        if union == "oneOf" and not are_apart(self._root, branches):
            raise SchemaMistake((*steps, union), "nothing tells the branches of oneOf apart. Give all a required property with a constant "
                                                 "of its own, or write anyOf.")

    def _values(self, schema: Schema, steps: Steps) -> None:
        keyword = "enum" if "enum" in schema else "const"
        for other in schema.keys() - NOTES - {keyword, "type"}:
            raise SchemaMistake((*steps, other), f"{other} stands beside {keyword}; together they cannot be enforced. Leave it out.")
        values = schema["enum"] if keyword == "enum" else [schema["const"]]
        if not isinstance(values, list) or not values:
            raise SchemaMistake((*steps, keyword), f"enum is {shown(values)}; it must be a list of at least one value.")
        self._count_choices(len(values), (*steps, keyword))
        kinds = self._kinds(schema, steps) if "type" in schema else ()
        for value in values:
            if kinds and kind_of(value) not in kinds and not (kind_of(value) == "integer" and "number" in kinds):
                raise SchemaMistake((*steps, keyword), f"{shown(value)} is none of the types {', '.join(kinds)}.")

    def _kinds(self, schema: Schema, steps: Steps) -> tuple[str, ...]:
        named = schema.get("type", "null")
        named = [named] if isinstance(named, str) else named
        if not isinstance(named, list) or not named or any(not isinstance(kind, str) or kind not in KEYWORDS for kind in named):
            raise SchemaMistake((*steps, "type"), f"type is {shown(schema['type'])}; it must be one or several of {', '.join(KEYWORDS)}.")
        return kinds_of(schema)

    def _typed(self, schema: Schema, steps: Steps) -> None:
        kinds = self._kinds(schema, steps)
        allowed = set[str]().union(*(KEYWORDS[kind] for kind in kinds))
        for keyword in schema:
            if keyword not in NOTES and keyword != "type" and keyword not in allowed:
                known = any(keyword in keywords for keywords in KEYWORDS.values())
                raise SchemaMistake((*steps, keyword), f"{keyword} fits no value of the type {', '.join(kinds) or 'that is missing here'}."
                                    if known else f"the keyword {keyword} cannot be enforced while the reply is written, and nothing is "
                                    f"ignored. Leave it out. Known here: {', '.join(sorted(allowed)) or 'none'}.")
        for kind in kinds:
            if kind == "object":
                self._object(schema, steps)
            elif kind == "array":
                self._array(schema, steps)
            elif kind == "string":
                self._span(schema, steps, "minLength", "maxLength", MOST_LENGTH)
                if schema.get("format") not in (None, *FORMATS) or ("format" in schema and {"minLength", "maxLength"} & schema.keys()):
                    raise SchemaMistake((*steps, "format"), f"the format is {shown(schema['format'])}; it must be one of "
                                                            f"{', '.join(FORMATS)}, without minLength and maxLength.")
            elif kind in ("number", "integer"):
                _bounds(schema, steps)

    def _object(self, schema: Schema, steps: Steps) -> None:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping):
            raise SchemaMistake((*steps, "properties"), f"properties is {shown(properties)}; it must be an object of schemas.")
        self._properties += len(properties)
        if self._properties > MOST_PROPERTIES:
            raise SchemaMistake((*steps, "properties"), f"the schema has more than {MOST_PROPERTIES} properties. Ask for less at once.")
        for name, inner in properties.items():
            self._read(inner, (*steps, "properties", name))
        if not isinstance(required, list):
            raise SchemaMistake((*steps, "required"), f"required is {shown(required)}; it must be a list of names of properties.")
        for name in required:
            if not isinstance(name, str) or name not in properties:
                raise SchemaMistake((*steps, "required"), f"{shown(name)} is required and is no property here.")
        if schema.get("additionalProperties", False) is not False:
            self._read(schema["additionalProperties"], (*steps, "additionalProperties"))

    def _array(self, schema: Schema, steps: Steps) -> None:
        least, _ = self._span(schema, steps, "minItems", "maxItems", MOST_ITEMS)
        first = schema.get("prefixItems", [])
        if not isinstance(first, list):
            raise SchemaMistake((*steps, "prefixItems"), f"prefixItems is {shown(first)}; it must be a list of schemas.")
        self._count_choices(len(first), (*steps, "prefixItems"))
        for number, inner in enumerate(first):
            self._read(inner, (*steps, "prefixItems", number))
        if first and least < len(first):
            raise SchemaMistake((*steps, "minItems"), f"minItems is {least} and prefixItems has {len(first)}; only arrays with all of them "
                                                      f"can be enforced. Set minItems to {len(first)}.")
        if schema.get("items") is False and least > len(first):
            raise SchemaMistake((*steps, "minItems"), f"minItems is {least}, and items is false after {len(first)}; nothing fits.")
        if schema.get("items", False) is not False:
            self._read(schema["items"], (*steps, "items"))

    def _span(self, schema: Schema, steps: Steps, least: str, most: str, limit: int) -> tuple[int, int]:
        low, high = schema.get(least, 0), schema.get(most, limit)
        for name, value in ((least, low), (most, high)):
            if type(value) is not int or not 0 <= value <= limit:
                raise SchemaMistake((*steps, name), f"{name} is {shown(value)}; it must be a whole number from 0 to {limit}.")
        if low > high:
            raise SchemaMistake((*steps, least), f"{least} is {low} and {most} is {high}; nothing fits.")
        self._repeats += high if most in schema else low
        if self._repeats > MOST_REPEATS:
            raise SchemaMistake((*steps, most if most in schema else least), "the lengths of texts and arrays add up to more than "
                                f"{MOST_REPEATS}. Lower them, or leave them out.")
        return low, high

    def _count_choices(self, count: int, steps: Steps) -> None:
        self._choices += count
        if self._choices > MOST_CHOICES:
            raise SchemaMistake(steps, f"the schema has more than {MOST_CHOICES} values of enums and branches of unions. Ask for less.")


def _bounds(schema: Schema, steps: Steps) -> None:
    for name in KEYWORDS["number"] & schema.keys():
        value = schema[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or abs(value) > WHOLE:
            raise SchemaMistake((*steps, name), f"{name} is {shown(value)}; only whole bounds up to {WHOLE} can be enforced.")
    low, high = schema.get("minimum", -WHOLE), schema.get("maximum", WHOLE)
    low, high = max(low, schema.get("exclusiveMinimum", -WHOLE)), min(high, schema.get("exclusiveMaximum", WHOLE))
    shut = int(schema.get("exclusiveMinimum") == low) + int(schema.get("exclusiveMaximum") == high)
    room = high - low - shut if "number" not in kinds_of(schema) else high - low - (0.5 if shut else 0)
    if room < 0:
        raise SchemaMistake(steps, f"no number lies between the bounds {low} and {high}.")
