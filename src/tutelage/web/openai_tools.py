"""What a chat may ask beside words: tools, and a reply in JSON. Checked strictly: the 400 names the first mistake."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from tutelage.core.chat import ChatFormat
from tutelage.core.tool_chat import dialect_of
from tutelage.endpoint.bounds import FREE, Bounds, schema_bounds, tool_bounds
from tutelage.endpoint.calls import Must
from tutelage.endpoint.schema import lint
from tutelage.endpoint.schema_words import Schema, SchemaMistake, kinds_of
from tutelage.web.openai_shapes import ChatRequest, Shape

MOST_TOOLS = 64
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ANY_OBJECT: Schema = {"type": "object"}
NO_ARGUMENTS: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


class Function(Shape):
    """A function that may be called; its parameters are a JSON schema."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Shape):
    """A tool; only functions are known."""

    type: Literal["function"]
    function: Function

    def told(self) -> str:
        """What the model is told of it. How strictly the server is held to the schema is not its business."""
        return json.dumps(self.model_dump(mode="json", exclude_unset=True, exclude={"function": {"strict"}}), ensure_ascii=False)


class NamedFunction(Shape):
    """The name of a function."""

    name: str


class NamedTool(Shape):
    """The tool that must be called."""

    type: Literal["function"]
    function: NamedFunction


class SchemaFormat(Shape):
    """A JSON schema with its name. It is enforced whether `strict` is asked or not."""

    name: Name
    description: str | None = None
    wanted: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class ResponseFormat(Shape):
    """The form of the reply."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaFormat | None = None


class ToolChatRequest(ChatRequest):
    """The body of POST /v1/chat/completions, all of it."""

    tools: Annotated[list[Tool], Field(min_length=1, max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    @property
    def told_tools(self) -> list[str]:
        """The tools that the model is told of; none where it must not call any."""
        return [tool.told() for tool in self.tools or ()] if self.tool_choice != "none" else []

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        return self._form() or self._tools() or super().contradiction()

    def bounds(self, chat_format: ChatFormat) -> Bounds:
        """What the reply is held to. Raises SchemaMistake; its place begins with the parameter's."""
        schema = self._schema()
        if self.tools is None:
            return FREE if schema is None else schema_bounds(schema)
        schemas = {tool.function.name: tool.function.parameters or NO_ARGUMENTS for tool in self.tools}
        for number, one in enumerate(schemas.values()):
            _lint(one, f"tools[{number}].function.parameters")
            if kinds_of(one) != ("object",):
                raise SchemaMistake(("tools", number, "function", "parameters", "type"), "the parameters of a function must be of the type "
                                    "object.")
        must: Must = "must not" if self.tool_choice == "none" else "may" if self.tool_choice in (None, "auto") else "must"
        if isinstance(self.tool_choice, NamedTool):
            named = self.tool_choice.function.name
            schemas = {named: schemas[named]}
        return tool_bounds(dialect_of(chat_format), schemas, must, several=self.parallel_tool_calls is not False, schema=schema)

    def _schema(self) -> Schema | None:
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        if wanted.json_schema is None:
            return ANY_OBJECT
        _lint(wanted.json_schema.wanted, "response_format.json_schema.schema")
        return wanted.json_schema.wanted

    def _form(self) -> tuple[str, str] | None:
        wanted = self.response_format
        if wanted is not None and (wanted.type == "json_schema") != (wanted.json_schema is not None):
            return "response_format.json_schema", f"json_schema goes with the type 'json_schema'; the type is {wanted.type!r}."
        if self.stops and (self.tools or (wanted is not None and wanted.type != "text")):
            return "stop", "stop could cut the JSON of a reply in the middle; it is not allowed with tools or a response_format of JSON."
        return None

    def _tools(self) -> tuple[str, str] | None:
        names = [tool.function.name for tool in self.tools or ()]
        if not names:
            for param, value in (("tool_choice", self.tool_choice), ("parallel_tool_calls", self.parallel_tool_calls)):
                if value is not None:
                    return param, f"{param} is only allowed with tools."
        for number, name in enumerate(names):
            if name in names[:number]:
                return f"tools[{number}].function.name", f"{name!r} is the name of two functions."
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.function.name not in names:
            return "tool_choice.function.name", f"{self.tool_choice.function.name!r} is not among the tools: {', '.join(names)}."
        return None


def _lint(schema: Schema, param: str) -> None:
    try:
        lint(schema)
    except SchemaMistake as error:
        raise SchemaMistake((f"{param}.{error.place}".rstrip("."),), str(error)) from None
