"""What of a JSON schema only shows when its references are followed: circles, values without end, beginnings with too many readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.endpoint.schema_words import KEYWORDS, NOTES, TABLES, Schema, SchemaMistake, branches_of, kind_of, kinds_of, target_of

MOST_READINGS = 64  # of one beginning of a reply; each is followed for each token, so a schema that doubles them would stand still
ROUNDS = 8


def check_reach(root: Schema) -> None:
    """Raise SchemaMistake for a schema, checked in all its places, that no reply could keep to, or not in time."""
    _Reach(root).check()


def are_apart(root: Schema, branches: Sequence[Schema]) -> bool:
    """Whether no value fits two branches: all require a property of one name, with constants of their own."""
    found = [_constants(root, branch) for branch in branches]
    for name in found[0] if found else ():
        values = [value for constants in found for value in constants.get(name, [None, None])]
        if len(set(map(repr, values))) == len(values):
            return True
    return len(branches) == 1


def _constants(root: Schema, branch: Schema | bool) -> dict[str, list[Any]]:
    while isinstance(branch, Mapping) and "$ref" in branch:
        branch = target_of(root, branch["$ref"])
    if isinstance(branch, bool):
        return {}
    properties = branch.get("properties", {})
    return {name: properties[name].get("enum", [properties[name].get("const")]) for name in branch.get("required", [])
            if isinstance(properties[name], Mapping) and ("enum" in properties[name] or "const" in properties[name])}


class _Reach:
    """One schema and the parts that references name."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._named: dict[str, Schema] = {"#": root}
        self._straight: set[str] = set()  # known to be no circles
        self._first: dict[str, frozenset[str]] = {}
        for table in TABLES:
            self._named |= {f"#/{table}/{name.replace('~', '~0').replace('/', '~1')}": schema
                            for name, schema in root.get(table, {}).items()}

    def check(self) -> None:
        for name, schema in self._named.items():
            self._check_circle(schema, (name,))
        ending: set[str] = set()
        while found := {name for name, schema in self._named.items() if name not in ending and self._ends(schema, ending)}:
            ending |= found
        for name in self._named.keys() - ending:
            raise SchemaMistake(tuple(name.split("/")[1:]), "no value fits: it holds itself, without a way to end. Make the inner one "
                                                            "optional, or allow null.")
        self._check_readings()

    def _check_circle(self, schema: Schema | bool, passed: tuple[str, ...]) -> None:
        """Raise for a schema that is itself, with nothing written between."""
        if isinstance(schema, bool) or (passed[-1] in self._straight and self._named[passed[-1]] is schema):
            return
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in passed:
                raise SchemaMistake(tuple(reference.split("/")[1:]), f"{reference} refers to itself with nothing between.")
            self._check_circle(target_of(self._root, reference), (*passed, reference))
        for branch in branches_of(schema)[1]:
            self._check_circle(branch, passed)
        if self._named[passed[-1]] is schema:
            self._straight.add(passed[-1])

    def _ends(self, schema: Schema | bool, ending: set[str]) -> bool:
        """Whether some value of the schema ends, as far as known."""
        if isinstance(schema, bool):
            return True
        if "$ref" in schema:
            return schema["$ref"] in ending
        _, branches = branches_of(schema)
        if branches:
            return any(self._ends(branch, ending) for branch in branches)
        kinds = kinds_of(schema)
        if "enum" in schema or "const" in schema or not kinds or set(kinds) - {"object", "array"}:
            return True
        if "object" in kinds and all(self._ends(schema["properties"][name], ending) for name in schema.get("required", [])):
            return True
        inner = [*schema.get("prefixItems", []), *([schema.get("items", True)] if schema.get("minItems", 0) else [])]
        return "array" in kinds and all(self._ends(one, ending) for one in inner)

    def _check_readings(self) -> None:
        known = dict.fromkeys(self._named, 1)
        for _ in range(ROUNDS):
            known = {name: self._readings(schema, known) for name, schema in self._named.items()}
            for name, count in known.items():
                if count > MOST_READINGS:
                    raise SchemaMistake(tuple(name.split("/")[1:]), f"the beginning of a value can be read in more than {MOST_READINGS} "
                                        "ways. Let branches of anyOf begin with properties of different names.")

    def _readings(self, schema: Schema | bool, known: Mapping[str, int]) -> int:
        """In how many ways one beginning of a value can be read at most: those of branches that begin alike add up."""
        if isinstance(schema, bool):
            return 1
        if "$ref" in schema:
            return known[schema["$ref"]]
        alike: dict[str, int] = {}
        for branch in branches_of(schema)[1]:
            for beginning in self._beginnings(branch):
                alike[beginning] = alike.get(beginning, 0) + self._readings(branch, known)
        inner = [*schema.get("properties", {}).values(), *schema.get("prefixItems", []), schema.get("items", True),
                 schema.get("additionalProperties", True)]
        return max([1, *alike.values(), *(self._readings(one, known) for one in inner)])

    def _beginnings(self, schema: Schema | bool) -> frozenset[str]:
        """What values begin with: a type, for objects their first properties. There are no circles any more."""
        if isinstance(schema, bool) or not (schema.keys() - NOTES):
            return frozenset(KEYWORDS)
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference not in self._first:
                self._first[reference] = self._beginnings(target_of(self._root, reference))
            return self._first[reference]
        branches = branches_of(schema)[1]
        if branches:
            return frozenset[str]().union(*map(self._beginnings, branches))
        if "enum" in schema or "const" in schema:
            return frozenset(map(kind_of, schema.get("enum", [schema.get("const")])))
        found = {kind for kind in kinds_of(schema) if kind != "object" or not schema.get("properties")}
        for name in schema.get("properties", ()):
            found.add(f"object {name}")
            if name in schema.get("required", ()):
                break
        return frozenset(found)
