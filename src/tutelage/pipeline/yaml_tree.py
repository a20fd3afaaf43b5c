"""YAML with line numbers, and without YAML's traps: repeated keys, `on` and `off` as truth values, 2e-4 as a string."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tutelage.core.errors import RecipeError
from tutelage.core.language import failure

EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
Place = tuple[str | int, ...]
Told = tuple[str, dict[str, object]]  # a text of the catalogue, but for the fact `where`


@dataclass
class Tree:
    """Plain data of a YAML text, with the line of each place and the mistakes found on the way."""

    data: Any
    lines: dict[Place, int]
    mistakes: list[tuple[int, Told]] = field(default_factory=list)

    def line(self, place: Sequence[str | int]) -> int:
        """Line of a place, or of the nearest place above it that stands in the text."""
        at = tuple(place)
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_tree(text: str, name: str) -> Tree:
    """Data and lines of one YAML document. Raises RecipeError with line and column if it is no YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise failure(RecipeError, "recipe.no_yaml", where=where, problem=error.problem or error.context) from None
    except yaml.YAMLError as error:
        raise failure(RecipeError, "recipe.no_text", where=name, problem=error) from None
    tree = Tree(data=None, lines={(): 1})
    tree.data = _value(node, (), tree) if node else {}
    return tree


def dotted(place: Sequence[str | int]) -> str:
    """A place as it is written on the command line: training.rank."""
    return ".".join(map(str, place))


def read_scalar(text: str) -> Any:
    """The value of a short YAML text such as `8`, `2e-4`, `[a, b]` or `zh`."""
    return read_tree(text, "--set").data


def _value(node: yaml.Node, place: Place, tree: Tree) -> Any:
    tree.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, tree)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, index), tree) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str" and node.style is None and EXPONENT.fullmatch(node.value):
        return float(node.value)
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:bool" and node.value.lower() not in ("true", "false"):
        return node.value  # on, off, yes and no are words, as in YAML 1.2; a setting that is true or false takes them all the same
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except yaml.YAMLError as error:
        tree.mistakes.append((node.start_mark.line + 1, ("recipe.other", {"setting": dotted(place), "said": error, "got": ""})))
        return None


def _mapping(node: yaml.MappingNode, place: Place, tree: Tree) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        at = (*place, key)
        if key in values:
            tree.mistakes.append((line, ("recipe.twice", {"setting": dotted(at), "first": tree.lines[at]})))
            continue
        tree.lines[at] = line
        values[key] = _value(value_node, at, tree)
    return values
