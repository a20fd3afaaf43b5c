"""Grammars that replies are held to while they are written, in llama.cpp's notation GBNF, from JSON schemas that were checked."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tutelage.endpoint.numbers import DIGITS, FRACTION, integers, numbers
from tutelage.endpoint.schema_words import NOTES, Schema, branches_of, kinds_of, target_of

# White space is bounded: a small model would write it for ever. An escape never makes half a character.
COMMON = {
    "ws": r'(" " | "\n" [ \t]{0,24})?',
    "sp": '" "?',
    "char": r'[^"\\\x00-\x1f\x7f\uD800-\uDFFF] | "\\" (["\\/bfnrt] | "u" ([0-9a-cefA-CEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))',
    "text": r'"\"" char* "\""',
    "number": f'"-"? ({DIGITS}) {FRACTION}? ([eE] [-+]? [0-9]{{1,2}})?',
    "integer": f'"-"? ({DIGITS})',
    "object": '"{" ws (text ":" sp value ("," ws text ":" sp value)*)? ws "}"',
    "array": '"[" ws (value ("," ws value)*)? ws "]"',
    "value": 'object | array | text | number | "true" | "false" | "null"',
}
ANY = {"object": "object", "array": "array", "string": "text", "number": "number", "integer": "integer",
       "boolean": '("true" | "false")', "null": '"null"'}
YEARS = "[12] [0-9]{3}"
LEAP_YEARS = '([12] [0-9] ("0" [48] | [2468] [048] | [13579] [26]) | ("12" | "16" | "20" | "24" | "28") "00")'
DATE = (f'({YEARS} "-" ((("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])) | '
        f'(("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30")) | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])) | {LEAP_YEARS} "-02-29")')
CLOCK = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9]'
TIME = f'{CLOCK} ("." [0-9]{{1,6}})? ("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
BYTE = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9]? [0-9])'
WORD = "[a-zA-Z0-9] [a-zA-Z0-9-]{0,30} [a-zA-Z0-9]"
FORMATS = {
    "date": DATE, "time": TIME, "date-time": f'{DATE} "T" {TIME}',
    "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
    "ipv4": f'{BYTE} "." {BYTE} "." {BYTE} "." {BYTE}',
    "email": f'[a-zA-Z0-9_+-]{{1,30}} ("." [a-zA-Z0-9_+-]{{1,30}}){{0,2}} "@" {WORD} ("." {WORD}){{0,2}} "." [a-z]{{2,10}}',
}


def literal(text: str) -> str:
    """A text as GBNF writes what stands for itself."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{escaped}"'


class Grammar:
    """Collects rules; those of one schema have names that begin with its `name`."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    def write(self, root: str) -> str:
        """The grammar as text; replies are what `root` derives."""
        return "\n".join(f"{name} ::= {body}" for name, body in {"root": root, **COMMON, **self._rules}.items()) + "\n"

    def add_rule(self, name: str, body: str) -> str:
        """One more rule; gives its name."""
        self._rules[name] = body
        return name

    def add_schema(self, name: str, schema: Schema) -> str:
        """The rules of a checked schema; gives the name of the rule that derives its values. `name` is of letters, digits and dashes."""
        return _OneSchema(self, name, schema).run()


class _OneSchema:
    """The rules of one schema: one for each part that is referred to, or that would be long."""

    def __init__(self, grammar: Grammar, name: str, root: Schema) -> None:
        self._grammar = grammar
        self._name = name
        self._root = root
        self._known: dict[str, str] = {}
        self._count = 0

    def run(self) -> str:
        return self._reference("#")

    def _rule(self, body: str) -> str:
        self._count += 1
        return self._grammar.add_rule(f"{self._name}-{self._count}", body)

    def _reference(self, reference: str) -> str:
        """The rule of a part; its name is known before its body, as that may refer to it again."""
        if reference not in self._known:
            self._count += 1
            self._known[reference] = f"{self._name}-{self._count}"
            self._grammar.add_rule(self._known[reference], self._value(target_of(self._root, reference)))
        return self._known[reference]

    def _value(self, schema: Schema | bool) -> str:
        """What derives the values of a schema, fit to stand between others."""
        if isinstance(schema, bool) or not (schema.keys() - NOTES):
            return "value"
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        branches = branches_of(schema)[1]
        if branches:
            return _one_of([self._value(branch) for branch in branches])
        if "enum" in schema or "const" in schema:
            values = schema["enum"] if "enum" in schema else [schema["const"]]
            return _tree(sorted({json.dumps(value, ensure_ascii=False) for value in values}))
        return _one_of([self._kind(kind, schema) for kind in kinds_of(schema)])

    def _kind(self, kind: str, schema: Schema) -> str:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind in ("integer", "number"):
            bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} & schema.keys()
            return f"({(integers if kind == 'integer' else numbers)(schema)})" if bounds else ANY[kind]
        if kind == "string" and "format" in schema:
            return self._rule(rf'"\"" {FORMATS[schema["format"]]} "\""')
        if kind == "string" and {"minLength", "maxLength"} & schema.keys():
            return rf'"\"" char{{{schema.get("minLength", 0)},{schema.get("maxLength", "")}}} "\""'
        return ANY[kind]

    def _object(self, schema: Schema) -> str:
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", "properties" not in schema)
        if not properties:
            if more is False:
                return '"{" ws "}"'
            pair = f'text ":" sp {self._value(more)}'
            return "object" if more is True else self._rule(f'"{{" ws ({pair} ("," ws {pair})*)? ws "}}"')
        required = set(schema.get("required", ()))
        pairs = [f'{literal(json.dumps(name, ensure_ascii=False))} ":" sp {self._value(inner)}' for name, inner in properties.items()]
        # rests[i]: what may follow from property i on, after one that was written
        rests = [""]
        for name, pair in reversed(list(zip(properties, pairs, strict=True))):
            here = f'"," ws {pair}' if name in required else f'("," ws {pair})?'
            rests.insert(0, self._rule(f"{here} {rests[0]}"))
        starts = []
        for place, name in enumerate(properties):
            starts.append(f"{pairs[place]} {rests[place + 1]}")
            if name in required:
                break
        return self._rule(f'"{{" ws ({" | ".join(starts)}){"" if required else "?"} ws "}}"')

    def _array(self, schema: Schema) -> str:
        first = [self._value(one) for one in schema.get("prefixItems", ())]
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        item, start = schema.get("items", True), ' "," ws '.join(first)
        if item is False or most == len(first):
            return self._rule(f'"[" ws {start} ws "]"')
        one, end = self._value(item), "" if most is None else str(most - max(1, len(first)))
        if first:
            return self._rule(f'"[" ws {start} ("," ws {one}){{{least - len(first)},{end}}} ws "]"')
        return self._rule(f'"[" ws ({one} ("," ws {one}){{{max(0, least - 1)},{end}}}){"" if least else "?"} ws "]"')


def _one_of(parts: Sequence[str]) -> str:
    several = list(dict.fromkeys(parts))
    return several[0] if len(several) == 1 else f"({' | '.join(several)})"


def _tree(texts: Sequence[str]) -> str:
    """Sorted texts with shared beginnings written once, so that a long list is as quick to follow as a short one."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(text[:1], []).append(text)
    parts = []
    for group in groups.values():
        shared = _shared(group[0], group[-1])
        rest = [text[len(shared):] for text in group]
        parts.append(literal(shared) if len(group) == 1 else f"{literal(shared)} {_tree(rest)}")
    return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"


def _shared(first: str, last: str) -> str:
    length = next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last)))
    return first[:length]

