"""What a client asked of a reply's form, made into what the engine holds it to and what the finished reply is checked against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.core.errors import ServiceUnavailable
from tutelage.core.records import Constraint
from tutelage.core.tool_chat import Dialect
from tutelage.endpoint.calls import CallReader, Must, add_calls, add_words
from tutelage.endpoint.grammar import Grammar, literal
from tutelage.endpoint.schema_check import mistake_in
from tutelage.endpoint.schema_words import Schema


@dataclass(frozen=True)
class Bounds:
    """The form of a reply. `dialect` is set where it is read for calls; `tools` and `schema` are what it is checked against."""

    constraint: Constraint | None = None
    dialect: Dialect | None = None
    tools: Mapping[str, Schema] = field(default_factory=dict)
    schema: Schema | None = None

    def check(self, words: str, reader: CallReader | None) -> None:
        """Raise ServiceUnavailable for a finished reply that is not what was asked."""
        found = [mistake_in(call.arguments, self.tools[call.name]) for call in reader.calls] if reader else []
        if self.schema is not None and not found:
            found = [mistake_in(words, self.schema)]
        for mistake in filter(None, found):
            raise ServiceUnavailable(f"the engine's reply is not of the form that was asked for: {mistake}. Try again.")


FREE = Bounds()


def schema_bounds(schema: Schema) -> Bounds:
    """A reply that is one JSON value of a checked schema, and nothing else."""
    grammar = Grammar()
    root = grammar.add_schema("s", schema)
    return Bounds(Constraint(grammar=grammar.write(root), schema_text=json.dumps(schema, ensure_ascii=False)), schema=schema)


def tool_bounds(dialect: Dialect, tools: Mapping[str, Schema], must: Must, *, several: bool, schema: Schema | None = None) -> Bounds:
    """A reply that calls tools, may call them, or must not; where it calls none it is free, or of the `schema`."""
    grammar = Grammar()
    calls = add_calls(grammar, dialect, tools, several=several) if must != "must not" else ""
    if must == "must":
        root = f"{literal(dialect.trigger)} {calls}"
    elif schema is None:
        root = add_words(grammar, dialect, calls)
    else:
        words = grammar.add_schema("s", schema)
        root = f"{words} | {literal(dialect.trigger)} {calls}" if calls else words
    return Bounds(Constraint(grammar=grammar.write(root)), dialect if calls else None, tools, schema)
